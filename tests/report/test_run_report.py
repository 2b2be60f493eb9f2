"""The page of a run: complete, correct, and nothing in it that could do harm."""

import dataclasses
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from html_reading import Page, assert_self_contained

from hybridfactory import HybridRun, load
from hybridfactory.report import run_report
from hybridfactory.report.measure import ViewOfRun
from hybridfactory.report.run_report import write_run_report

HOSTILE = "<script>alert('1')</script>&\"<img src=x onerror=y>$\\frac{1}$"


@pytest.fixture(scope="module")
def html(run: HybridRun, view: ViewOfRun, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_run_report(run, view, tmp_path_factory.mktemp("page") / "report.html")
    return path.read_text(encoding="utf-8")


def with_manifest(run_folder: Path, folder: Path, **changes: Any) -> HybridRun:
    """A copy of the run (its hybrid is not needed) whose manifest says something else."""
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("*.bin"))
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    return load(folder)


def test_it_is_one_file(html: str) -> None:
    page = Page(html)
    assert_self_contained(page, html)
    assert len(html) < 1_000_000


def test_it_tells_what_the_run_did(html: str, run: HybridRun) -> None:
    page = Page(html)
    events = len(run.artificial_units)
    assert f"{events:,} events of 2 units were added to a copy of raw.bin." in page.text
    assert "of 3 asked for" in page.text
    refused = run.units[run.units["status"] == "refused"]
    assert refused["reason"].iloc[0] in page.text
    for label in run.units["new_unit"].dropna().astype(int):
        assert f"unit-{label}" in page.ids
    for value in (run.sampling_frequency, run.manifest.content["random_seed"]):
        assert f"{value:,g}" in page.text
    # The probe, and of each unit: waveforms, single spikes, amplitudes, intervals.
    assert len(page.tags("svg")) == 1 + 2 * 4


def test_table_cells_hold_what_they_sort_by(html: str, run: HybridRun) -> None:
    values = [attributes["data-value"] for attributes in Page(html).tags("td") if "data-value" in attributes]
    injected = run.units[run.units["status"] == "injected"]
    for name in ("events", "snr", "center_channel"):
        for value in injected[name]:
            assert f"{float(value):.9g}" in values


def test_it_says_how_to_get_realism_scores(html: str, run: HybridRun) -> None:
    assert f"hybridfactory realism {shlex.quote(str(run.output_directory))}" in Page(html).text
    assert "Realism, median AUC" not in Page(html).text


def test_the_same_run_gives_the_same_page(html: str, run: HybridRun, view: ViewOfRun, tmp_path: Path) -> None:
    assert write_run_report(run, view, tmp_path / "again.html").read_text(encoding="utf-8") == html


def test_names_from_files_do_no_harm(run_folder: Path, view: ViewOfRun, tmp_path: Path) -> None:
    content = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    content["units"][0]["notes"] = [HOSTILE]
    content["units"][-1]["reason"] = HOSTILE
    content["parameters"][HOSTILE] = HOSTILE
    content["sources"][0]["path"] = f"/{HOSTILE}"
    units, sources, parameters = content["units"], content["sources"], content["parameters"]
    run = with_manifest(
        run_folder, tmp_path / "run", warnings=[HOSTILE], units=units, sources=sources, parameters=parameters
    )
    path = write_run_report(run, dataclasses.replace(view, note=HOSTILE), tmp_path / "report.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.tags("script")) == 1
    assert not page.tags("img")
    assert page.text.count(HOSTILE) >= 6


def test_figures_that_do_not_fit_are_left_out_and_named(
    run: HybridRun, view: ViewOfRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_report, "MAX_FIGURE_BYTES", 100_000)
    path = write_run_report(run, view, tmp_path / "report.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert len(page.tags("svg")) == 1 + 4
    assert page.text.count("left out to keep this page below 10 MB") == 1
    for unit in view.units[1:]:
        assert f"figures/unit-{unit.injected.label}.png" in page.text
    assert path.stat().st_size < 300_000


def test_unknown_numbers_are_dashes(run_folder: Path, view: ViewOfRun, tmp_path: Path) -> None:
    run = with_manifest(run_folder, tmp_path / "run")
    run.units["snr"] = np.nan
    page = Page(write_run_report(run, view, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "SNR –" in page.text
    assert "nan" not in page.text


def test_realism_scores_are_shown_with_their_hints(run_folder: Path, view: ViewOfRun, tmp_path: Path) -> None:
    poor = {"donor_label": 1, "auc": 0.7134, "interval": [0.66, 0.76], "classifier": "forest", "reason": ""}
    poor["hint"] = "few spikes to learn from"
    unknown = {"donor_label": 2, "auc": None, "interval": None, "classifier": None, "reason": "no silent moment"}
    unknown["hint"] = ""
    run = with_manifest(run_folder, tmp_path / "run", realism={"units": [poor, unknown]})
    html = write_run_report(run, view, tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert "Realism, median AUC 0.71 worst 0.71" in page.text
    assert "0.66 to 0.76" in page.text
    assert "Unit 1: realism: few spikes to learn from" in page.text
    assert "Unit 2: realism: no silent moment" in page.text
    assert "not measured" not in page.text
    assert ' poor">0.71</td>' in html
