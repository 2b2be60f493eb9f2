"""``ground_truth_units = "auto"`` in parameter files."""

from dataclasses import replace
from pathlib import Path

import pytest

from hybridfactory.errors import ParameterError
from hybridfactory.parameters import Parameters, load_parameters
from hybridfactory.parameters.automatic_units import AutomaticUnits

REST = {"data_directory": "sorted", "raw_source_file": "raw.bin", "data_type": "int16", "sample_rate": 20_000}


def parameters(units: object, **more: object) -> Parameters:
    given = {**REST, "ground_truth_units": units, **more}
    return Parameters.from_mapping(given, source="here", folder=None)


@pytest.mark.parametrize(("text", "limit"), [("auto", None), ("auto:10", 10), (" auto:1 ", 1)])
def test_the_program_is_to_choose(text: str, limit: int | None) -> None:
    units = parameters(text).ground_truth_units
    assert isinstance(units, AutomaticUnits)
    assert units.limit == limit
    assert tuple(units) == ()
    assert repr(units) == repr(text.strip())


@pytest.mark.parametrize("text", ["auto:0", "auto:-1", "auto:x", "automatic", "", "auto:1.5"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r"ground_truth_units must be .* or 'auto' or 'auto:10'"):
        parameters(text)


def test_in_files(tmp_path: Path) -> None:
    (tmp_path / "params.toml").write_text(
        'data_directory = "s"\nraw_source_file = "r"\ndata_type = "int16"\nsample_rate = 1000\n'
        'ground_truth_units = "auto:4"\n'
    )
    (tmp_path / "params.py").write_text(
        "data_directory = 's'\nraw_source_file = 'r'\ndata_type = 'int16'\nsample_rate = 1000\n"
        "ground_truth_units = 'auto:4'\n"
    )
    for name in ("params.toml", "params.py"):
        assert load_parameters(tmp_path / name).ground_truth_units == AutomaticUnits(4)


def test_one_rate_waits_for_the_units() -> None:
    waiting = parameters("auto", synthetic_rate=3)
    assert replace(waiting, ground_truth_units=(4, 5)).synthetic_rate == (3.0, 3.0)
    with pytest.raises(ParameterError, match="give one number for all units"):
        parameters("auto", synthetic_rate=[3, 4])
    with pytest.raises(ParameterError, match="refractory_ms"):
        parameters("auto", synthetic_rate=900)
