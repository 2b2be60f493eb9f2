"""What ``hybridfactory validate`` prints, and what it tells a script by its exit code."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hybridfactory.cli import main
from hybridfactory.errors import SortingError
from hybridfactory.validation.result import SorterResult, ValidationResult

NOTHING = pd.DataFrame()
Install = Callable[..., list[dict[str, Any]]]


def sorter(name: str, accuracies: list[float]) -> SorterResult:
    count = len(accuracies)
    units = pd.DataFrame(
        {
            "new_unit": 100 + np.arange(count),
            "events": 50,
            "snr": [*[7.25] * (count - 1), np.nan],
            "found_unit": pd.Series([*range(count - 1), None], dtype=object),
            "accuracy": accuracies,
            "precision": accuracies,
            "recall": 1.0,
            "num_pieces": [2, *[1] * (count - 1)],
            "pieces": ["4 + 9", *[""] * (count - 1)],
            "merged_accuracy": 0.99,
            "merged_with": ["", "native 5", *[""] * (count - 2)],
        }
    )
    return SorterResult(
        name=name,
        source=f"/data/{name}",
        num_found_units=12,
        num_found_spikes=3456,
        lag_ms=0.25,
        native_lag_ms=float("nan"),
        units=units,
        pieces=NOTHING,
        merges=NOTHING,
        confusion=NOTHING,
        events=NOTHING,
        recall_curves=NOTHING,
        false_positives=NOTHING,
        false_positive_sources=NOTHING,
        template_units=NOTHING,
        template_events=NOTHING,
        baseline=NOTHING,
        lag_correlogram=NOTHING,
        correlograms=NOTHING,
        unit_waveforms=(),
        verdict=f"{name} found 1 of {count} units at accuracy ≥ 0.8.",
        notes=(f"a note on {name}",),
    )


@pytest.fixture
def result(tmp_path: Path) -> ValidationResult:
    sorters = (sorter("good", [0.9, 0.85, 0.95]), sorter("poor", [0.9, 0.3, 0.0]))
    ranking = pd.DataFrame(
        {
            "rank": [1, 2],
            "sorter": ["good", "poor"],
            "median_accuracy": [0.9, 0.3],
            "mean_accuracy": [0.9, 0.4],
            "found": [3, 1],
            "units": [3, 3],
            "median_recall": 1.0,
            "median_precision": [0.9, 0.3],
            "split": 1,
            "merged": 1,
            "lag_ms": 0.25,
            "verdict": "",
        }
    )
    truth = pd.DataFrame({"new_unit": [100, 101, 102], "events": [50, 50, 50]})
    return ValidationResult(
        session_name="s",
        run_directory=tmp_path / "run",
        output_directory=tmp_path / "run" / "validation-s",
        sampling_frequency=30_000.0,
        duration_s=10.0,
        delta_time_ms=0.4,
        amplitude_unit="counts",
        truth_units=truth,
        probe=NOTHING,
        sorters=sorters,
        ranking=ranking,
        notes=("a note on the run",),
    )


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, result: ValidationResult) -> Install:
    """Put a stand-in in the place of the library's validate; what it was asked is returned."""

    def install(outcome: ValidationResult | Exception = result) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def validate(run: Path, sortings: tuple[Path, ...], **options: Any) -> ValidationResult:
            options.pop("progress")("comparing", 0, 1)
            asked.append({"run": run, "sortings": sortings, **options})
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        module = ModuleType("hybridfactory.pipeline.validate")
        module.validate = validate  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "hybridfactory.pipeline.validate", module)
        return asked

    return install


def test_options_are_handed_on(library: Install) -> None:
    asked = library()
    options = "--output out --name a --name b --delta-time-ms 0.3 --template-score frobenius --no-report"
    code = main(["validate", "run", "x", "y.npz", *options.split(), "--sampling-frequency", "20000", "--silent"])
    assert code == 0
    assert asked[0]["run"] == Path("run")
    assert list(asked[0]["sortings"]) == [Path("x"), Path("y.npz")]
    assert asked[0]["output_directory"] == Path("out")
    assert list(asked[0]["names"]) == ["a", "b"]
    assert asked[0]["delta_time_ms"] == 0.3
    assert asked[0]["template_metric"] == "frobenius"
    assert asked[0]["template_origin"] == "auto"
    assert asked[0]["report"] is False
    assert asked[0]["sampling_frequency"] == 20000


def test_the_summary(library: Install, result: ValidationResult, capsys: pytest.CaptureFixture[str]) -> None:
    library()
    assert main(["validate", "run", "x", "y"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "good: 3,456 spikes of 12 units" in lines
    rows = [line.split() for line in lines]
    assert ["100", "50", "7.2", "0", "0.90", "0.90", "1.00", "4", "+", "9:", "0.99"] in rows
    assert ["101", "50", "7.2", "1", "0.30", "0.30", "1.00", "with", "native", "5"] in rows
    assert ["102", "50", "?", "-", "0.00", "0.00", "1.00"] in rows
    assert ["2", "poor", "0.300", "0.400", "1", "of", "3", "1", "1", "0.25"] in rows
    assert "poor found 1 of 3 units at accuracy ≥ 0.8." in lines
    assert "  Its times are 0.25 ms behind the true ones; that was taken off." in lines
    assert "  a note on good" in lines
    assert "  a note on the run" in lines
    assert lines[-1] == f"Written to {result.output_directory}"
    assert "comparing" in err
    assert "\x1b" not in out


def test_a_table_without_remarks_has_no_column_for_them(
    library: Install, result: ValidationResult, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = result.sorters[0].units.assign(num_pieces=1, merged_with="")
    library(dataclasses.replace(result, sorters=(dataclasses.replace(result.sorters[0], units=plain),)))
    assert main(["validate", "run", "x"]) == 0
    (titles,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("injected ")]
    assert titles.split()[-1] == "recall"


@pytest.mark.parametrize(
    ("threshold", "code", "named"), [("0.2", 0, []), ("0.3", 0, []), ("0.5", 1, ["poor"]), ("1", 1, ["good", "poor"])]
)
def test_the_gate(
    library: Install, capsys: pytest.CaptureFixture[str], threshold: str, code: int, named: list[str]
) -> None:
    library()
    assert main(["validate", "run", "x", "y", "--fail-under", threshold, "--silent"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[1].rstrip(":") for line in err.splitlines()] == named
    assert all(f"is below {threshold}" in line for line in err.splitlines())


def test_no_gate_no_failure(library: Install, capsys: pytest.CaptureFixture[str]) -> None:
    library()
    assert main(["validate", "run", "x", "--silent"]) == 0
    assert capsys.readouterr() == ("", "")


def test_json(library: Install, result: ValidationResult, capsys: pytest.CaptureFixture[str]) -> None:
    library()
    assert main(["validate", "run", "x", "y", "--json", "--fail-under", "0.5"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["session_name"] == "s"
    assert summary["num_events"] == 150
    assert [item["name"] for item in summary["sorters"]] == ["good", "poor"]
    assert summary["sorters"][0]["native_lag_ms"] is None
    assert summary["sorters"][1]["units"][2]["found_unit"] is None
    assert summary["sorters"][1]["units"][2]["snr"] is None
    assert summary["ranking"][0]["sorter"] == "good"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        [],
        ["run", "x", "--fail-under", "1.5"],
        ["run", "x", "--template-score", "cosine"],
        ["run", "x", "--silent", "--json"],
        ["run", "x", "--delta-time-ms", "soon"],
    ],
)
def test_usage_errors(library: Install, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    library()
    assert main(["validate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


def test_bad_input_is_one_line_and_code_2(library: Install, capsys: pytest.CaptureFixture[str]) -> None:
    library(SortingError("x: holds no spikes"))
    assert main(["validate", "run", "x", "--silent"]) == 2
    assert capsys.readouterr().err == "hybridfactory: error: x: holds no spikes\n"


def test_the_real_library_is_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / "nowhere"), str(tmp_path), "--silent"]) == 2
    assert "no such folder" in capsys.readouterr().err
