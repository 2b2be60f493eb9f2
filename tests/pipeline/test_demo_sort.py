"""The whole way with a real sorter: a demo is generated, sorted and validated; and what happens when that fails."""

import io
import json
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hybridfactory
import hybridfactory.demo
import hybridfactory.pipeline.sort as sort_module
from hybridfactory.cli import main
from hybridfactory.demo import make_demo
from hybridfactory.errors import OutputError, SorterError
from hybridfactory.pipeline.sort import LOG_NAME, sort

INSTALLED = [item.name for item in sort_module.SORTERS if all(map(sort_module.find_spec, item.packages))]
pytestmark = pytest.mark.skipif(not INSTALLED, reason="no spike sorter is installed")

MIN_ACCURACY = 0.75
"""Of each unit: all stand out by 8 standard deviations and more, but mountainsort5 misses spikes that collide."""


@dataclass(frozen=True)
class SortedDemo:
    folder: Path
    sorter: str
    out: str
    err: str

    @property
    def validation(self) -> Path:
        return self.folder / "hybrid" / "validation-demo"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SortedDemo:
    """``hybridfactory demo FOLDER --sort`` on a demo of half the length."""
    folder = tmp_path_factory.mktemp("sorted") / "demo"
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(hybridfactory.demo, "make_demo", partial(make_demo, duration_s=12.0))
        code = main(["demo", str(folder), "--sort"])
    assert code == 0, err.getvalue()
    return SortedDemo(folder, INSTALLED[0], out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = make_demo(tmp_path_factory.mktemp("short") / "demo", duration_s=8.0)
    return hybridfactory.generate(params).output_directory


def test_the_sorter_finds_the_injected_units(demo: SortedDemo) -> None:
    units = pd.read_csv(demo.validation / "units.csv")
    assert len(units) == 4
    assert units["snr"].min() > 8
    assert units["accuracy"].min() > MIN_ACCURACY
    assert units["accuracy"].median() > 0.85
    assert units["precision"].min() > 0.9
    assert units["found_unit"].is_unique


def test_the_scores_are_what_counting_by_hand_gives(demo: SortedDemo) -> None:
    from spikeinterface.sorters import read_sorter_folder

    found = read_sorter_folder(demo.folder / f"sorted-{demo.sorter}", register_recording=False, sorting_info=False)
    truth = hybridfactory.load(demo.folder / "hybrid").sorting
    for unit in pd.read_csv(demo.validation / "units.csv").to_dict("records"):
        events = truth.get_unit_spike_train(unit["new_unit"], segment_index=0)
        [name] = [name for name in found.unit_ids if str(name) == str(unit["found_unit"])]
        spikes = found.get_unit_spike_train(name, segment_index=0)
        distance = np.abs(events[:, np.newaxis] - spikes).min(axis=1)
        assert np.mean(distance <= 12 + 6) == pytest.approx(unit["recall"], abs=0.02)  # tolerance, and a small lag
        assert spikes.size == unit["found_spikes"]
        assert events.size == unit["events"]


def test_the_report_and_the_sorting_are_where_the_terminal_says(demo: SortedDemo) -> None:
    report = demo.validation / "report.html"
    assert f"Open in a browser: {report}" in demo.out
    assert f"{demo.sorter} found 4 of 4 units" in demo.out or f"{demo.sorter} found 3 of 4 units" in demo.out
    assert demo.sorter in report.read_text(encoding="utf-8")
    folder = demo.folder / f"sorted-{demo.sorter}"
    assert f"is in {folder}" in demo.out
    assert (folder / LOG_NAME).stat().st_size > 500
    assert f"sorting with {demo.sorter}" in demo.err
    names = {path.name for path in demo.folder.iterdir()}
    assert names == {"README.txt", "recording", "sorting", "params.py", "hybrid", folder.name}
    # What the sorter prints is in its log alone.
    last = (folder / LOG_NAME).read_text(encoding="utf-8", errors="replace").split("\n")[-2]
    assert last
    assert last not in demo.out + demo.err


def test_what_it_was_called_as_can_be_called_again(demo: SortedDemo, capsys: pytest.CaptureFixture[str]) -> None:
    [command] = [line for line in demo.out.splitlines() if "as if called by: hybridfactory validate " in line]
    arguments = command.split("hybridfactory validate ")[1].split()
    before = pd.read_csv(demo.validation / "units.csv")
    assert main(["validate", *arguments, "--no-report"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(demo.validation / "units.csv"), before)
    assert "Written to" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--silent", "--json"])
def test_silent_prints_nothing_and_json_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], option: str
) -> None:
    def perfect(run: Path, folder: Path, **_: Any) -> Path:
        hybridfactory.load(run).sorting.save(folder=folder)
        return folder

    monkeypatch.setattr(hybridfactory.demo, "make_demo", partial(make_demo, duration_s=8.0))
    monkeypatch.setattr(sort_module, "sort", perfect)
    # What is drawn is looked at elsewhere.
    monkeypatch.setattr("hybridfactory.report.validation.write_validation_report", lambda *_, **__: [])
    folder = tmp_path / "demo"
    assert main(["demo", str(folder), option, f"--sort={INSTALLED[0]}"]) == 0
    out, err = capfd.readouterr()
    units = pd.read_csv(folder / "hybrid" / "validation-demo" / "units.csv")
    assert (units["accuracy"] == 1).all()
    if option == "--silent":
        assert out + err == ""
        return
    told = json.loads(out)
    assert (told["params"], told["sorting"]) == (str(folder / "params.py"), str(folder / f"sorted-{INSTALLED[0]}"))
    assert told["generate"]["num_units"] == len(told["realism"]["units"]) == 4
    assert [sorter["median_accuracy"] for sorter in told["validate"]["sorters"]] == [1.0]


def test_a_sorter_that_fails_is_told_in_one_line_with_its_log(short_run: Path, tmp_path: Path) -> None:
    [hybrid] = short_run.glob("*.GT.bin")
    aside = hybrid.rename(tmp_path / "aside.bin")
    try:
        with pytest.raises(SorterError) as failure:
            sort(short_run, tmp_path / "sorted", sorter=INSTALLED[0])
    finally:
        aside.rename(hybrid)
    message = str(failure.value)
    log = tmp_path / "sorted.log"
    assert message.startswith(f"{INSTALLED[0]} failed (")
    assert f"hybrid file {hybrid} is missing"[:60] in message
    assert message.endswith(f"its log is {log}")
    assert "\n" not in message
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [log]


def test_the_sorter_ends_with_the_run(short_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def interrupt(step: str, done: int, total: int) -> None:
        if started:
            raise KeyboardInterrupt

    monkeypatch.setattr(sort_module.subprocess, "Popen", Remembered)
    with pytest.raises(KeyboardInterrupt):
        sort(short_run, tmp_path / "sorted", sorter=INSTALLED[0], progress=interrupt)
    [process] = started
    assert process.returncode is not None
    assert [path.name for path in tmp_path.iterdir()] == ["sorted.log"]


def test_another_folder_is_not_replaced(short_run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        sort(short_run, tmp_path, sorter=INSTALLED[0])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
