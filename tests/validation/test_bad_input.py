"""One clear line for what cannot be compared, and nothing left behind."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sorted_run import Sorted, compare
from spikeinterface.core import NumpySorting

from hybridfactory.errors import HybridFactoryError, MissingFileError, OutputError, ParameterError, SortingError


def phy(worlds: Any, folder: Path, times: list[int], rate: float = 20_000.0) -> Path:
    worlds.write_phy(folder, {1: np.array(times, dtype=np.int64)}, rate=rate)
    return folder


def edited(folder: Path, name: str, value: Any) -> Path:
    np.save(folder / name, value)
    return folder


SORTINGS: dict[str, tuple[Callable[[Any, Path], Path], type[HybridFactoryError], str]] = {
    "times beyond the end": (
        lambda w, f: phy(w, f, [100, 500_000]),
        SortingError,
        "a spike at sample 500000, but the",
    ),
    "another rate": (lambda w, f: phy(w, f, [100], 30_000.0), SortingError, "sampling rate of 30000 Hz"),
    "no spikes": (
        lambda w, f: edited(phy(w, f, [1]), "spike_times.npy", np.empty(0, np.int64)),
        SortingError,
        "no spikes",
    ),
    "no folder": (lambda w, f: f / "nowhere", MissingFileError, "no such file or folder"),
    "no sorting": (lambda w, f: f, MissingFileError, "holds no sorter output"),
}


def refuse(error: type[HybridFactoryError], message: str, tmp_path: Path, *arguments: Any, **options: Any) -> None:
    output = tmp_path / "out"
    with pytest.raises(error, match=message) as caught:
        compare(*arguments, **({"output_directory": output} | options))
    assert "\n" not in str(caught.value)
    assert not output.exists()


@pytest.mark.parametrize("case", SORTINGS)
def test_sortings_of_something_else(case: str, hybrid: Sorted, worlds: Any, tmp_path: Path) -> None:
    make, error, message = SORTINGS[case]
    folder = tmp_path / "sorting"
    folder.mkdir()
    refuse(error, message, tmp_path, hybrid.folder, make(worlds, folder))


def test_an_empty_sorting_in_memory(hybrid: Sorted, tmp_path: Path) -> None:
    empty = NumpySorting.from_samples_and_labels([np.empty(0, int)], [np.empty(0, int)], 20_000.0, unit_ids=[1])
    refuse(SortingError, "holds no spikes", tmp_path, hybrid.folder, empty)


def test_a_folder_without_truth(perfect: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    refuse(MissingFileError, "holds no ground truth", tmp_path, tmp_path / "run", perfect)
    refuse(MissingFileError, "no such folder", tmp_path, tmp_path / "nowhere", perfect)


@pytest.mark.parametrize("name", ["artificial_units-e2e.csv", "injection-e2e.npz", "units-e2e.csv"])
def test_a_run_whose_truth_was_taken_away(hybrid: Sorted, perfect: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(hybrid.folder, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    refuse(MissingFileError, "is missing from the run", tmp_path, tmp_path / "run", perfect)


def test_a_run_whose_files_contradict_each_other(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    shutil.copytree(hybrid.folder, tmp_path / "run")
    table = tmp_path / "run" / "artificial_units-e2e.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-5]) + "\n")
    refuse(OutputError, "do not fit together", tmp_path, tmp_path / "run", perfect)


def test_names(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    shutil.copytree(perfect, tmp_path / "Perfect")
    two = [perfect, tmp_path / "Perfect"]
    refuse(ParameterError, "two sortings are named 'perfect'", tmp_path, hybrid.folder, two)
    refuse(ParameterError, "two sortings are named 'a'", tmp_path, hybrid.folder, two, names=["a", "A"])
    refuse(ParameterError, "1 names for 2 sortings", tmp_path, hybrid.folder, two, names=["a"])
    for name in ("", "a/b", " a", ".hidden", "a\nb"):
        refuse(ParameterError, "cannot be part of a file name", tmp_path, hybrid.folder, perfect, names=[name])
    refuse(ParameterError, "no sorting was given", tmp_path, hybrid.folder, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta_time_ms": 0}, "delta_time_ms is 0"),
        ({"delta_time_ms": -1.0}, "delta_time_ms is -1"),
        ({"delta_time_ms": float("nan")}, "delta_time_ms is nan"),
        ({"delta_time_ms": 400}, "delta_time_ms is 400"),
        ({"template_metric": "cosine"}, "use one of pearson, frobenius"),
        ({"template_origin": "made up"}, "use one of auto, stored, measured"),
        ({"sampling_frequency": 0.0}, "sampling_frequency is 0.0"),
    ],
)
def test_options(hybrid: Sorted, perfect: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    refuse(ParameterError, message, tmp_path, hybrid.folder, perfect, **options)


@pytest.mark.parametrize(
    ("firings", "message"),
    [
        (np.zeros((2, 5)), "not 3 × K"),
        (np.zeros(5), "not 3 × K"),
        (np.zeros((3, 0)), "holds no events"),
        (np.full((3, 4), 0.5), "not whole or below 0"),
        (np.full((3, 4), -1), "not whole or below 0"),
        (np.full((3, 4), np.nan), "not whole or below 0"),
        (np.array([["a"], ["b"], ["c"]]), "not 3 × K"),
    ],
)
def test_firings_of_another_shape(perfect: Path, tmp_path: Path, firings: Any, message: str) -> None:
    (tmp_path / "truth").mkdir()
    np.save(tmp_path / "truth" / "firings_true.npy", firings)
    refuse(OutputError, message, tmp_path, tmp_path / "truth", perfect)


def test_firings_that_are_no_array(perfect: Path, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "firings_true.npy").write_text("no array")
    refuse(OutputError, "cannot be read as an array", tmp_path, tmp_path / "truth", perfect)


def test_nobody_knows_the_sampling_rate(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    shutil.copy(hybrid.folder / "firings_true.npy", tmp_path / "truth")
    silent = tmp_path / "silent"
    shutil.copytree(perfect, silent)
    (silent / "params.py").unlink()
    refuse(ParameterError, "--sampling-frequency", tmp_path, tmp_path / "truth", silent)
    result = compare(tmp_path / "truth", silent, sampling_frequency=20_000.0, output_directory=tmp_path / "out")
    assert (result.sorters[0].units["accuracy"] == 1).all()


def test_a_sorting_that_contradicts_the_stated_rate(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    shutil.copy(hybrid.folder / "firings_true.npy", tmp_path / "truth")
    refuse(SortingError, "sampling rate of 20000 Hz", tmp_path, tmp_path / "truth", perfect, sampling_frequency=3e4)
