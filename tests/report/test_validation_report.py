"""The page of a validation: what it says is what was computed, and it is small, complete and harmless."""

import dataclasses
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from html_reading import Page, assert_self_contained
from made_validation import EVENTS, make_result, make_sorter

from hybridfactory._version import __version__
from hybridfactory.ground_truth.manifest import Manifest
from hybridfactory.report import origin, unit_cards, validation, validation_tables
from hybridfactory.report.validation import write_validation_report
from hybridfactory.validation.result import SorterResult, ValidationResult

HOSTILE = "<script>alert('1')</script>&\"<img src=x onerror=y>$\\frac{1}$é漢"
NOW = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
DRAWN_ONCE = 6 + 1  # recall against six covariates, accuracy against SNR
DRAWN_PER_SORTER = 2  # the probe, the confusion matrix
DRAWN_PER_UNIT = 4


def write(result: ValidationResult, folder: Path) -> tuple[Page, str, list[Path]]:
    written = write_validation_report(result, folder, now=NOW)
    text = written[0].read_text(encoding="utf-8")
    return Page(text), text, written


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures as empty files, where the page alone is looked at."""

    def touch(_figure: object, stem: Path) -> list[Path]:
        paths = [stem.with_name(f"{stem.name}{end}") for end in (".png", ".svg")]
        for path in paths:
            path.touch()
        return paths

    monkeypatch.setattr(validation, "save", touch)
    monkeypatch.setattr(unit_cards, "save", touch)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, str, list[Path], ValidationResult]:
    folder = tmp_path_factory.mktemp("validation")
    worse, better = make_sorter("worse", 3, quality=0.6), make_sorter("better", 3, quality=0.95)
    result = make_result([worse, better], folder)
    return *write(result, folder), result


def rows_of(page: Page, title: str) -> list[str]:
    """Texts of the page after a heading."""
    return page.text.split(title, 1)[1].split()


def test_it_is_one_file(compared: tuple[Page, str, list[Path], ValidationResult]) -> None:
    page, text, written, _ = compared
    assert_self_contained(page, text)
    assert written[0].name == "report.html"
    assert len(page.tags("svg")) == DRAWN_ONCE + 2 * (DRAWN_PER_SORTER + 3 * DRAWN_PER_UNIT)


def test_every_figure_is_a_file_too(compared: tuple[Page, str, list[Path], ValidationResult]) -> None:
    _, _, written, result = compared
    assert sorted(written) == sorted(result.output_directory.iterdir())
    stems = {"recall_curves", "accuracy_by_snr"}
    for sorter in ("worse", "better"):
        stems |= {f"accuracy_map-{sorter}", f"confusion-{sorter}"}
        stems |= {f"unit-{label}-{sorter}" for label in (101, 102, 103)}
    assert {path.name for path in written[1:]} == {f"{stem}{end}" for stem in stems for end in (".png", ".svg")}
    assert all(path.stat().st_size > 1000 for path in written)


def test_it_tells_the_verdicts_best_first(compared: tuple[Page, str, list[Path], ValidationResult]) -> None:
    page, _, _, _ = compared
    assert page.text.index("better found some of 3 units.") < page.text.index("worse found some of 3 units.")
    assert f"2 sortings against {3 * EVENTS} true events of 3 injected units in 10 s." in page.text
    assert "at most 0.4 ms apart" in page.text
    for note in ("a note on all", "a note on better", "a note on worse"):
        assert note in page.text
    assert rows_of(page, "lag (ms)")[:4] == ["1", "better", "0.94", "0.63"]


def test_units_come_worst_first_with_their_figures(compared: tuple[Page, str, list[Path], ValidationResult]) -> None:
    page, _, _, _ = compared
    cards = [name for name in page.ids if name.startswith("s0-unit")]
    assert cards == ["s0-unit-103", "s0-unit-102", "s0-unit-101"]
    assert "Unit 103, not matched" in page.text
    assert "Unit 102, found as 11" in page.text
    assert f"{EVENTS} of its {EVENTS} events were missed: {EVENTS} because they are small." in page.text
    links = {attributes.get("href") for attributes in page.tags("a")}
    assert {f"#{card}" for card in cards} <= links


def test_tables_sort_by_the_full_value(compared: tuple[Page, str, list[Path], ValidationResult]) -> None:
    page, _, _, result = compared
    values = {attributes.get("data-value") for attributes in page.tags("td")}
    for sorter in result.sorters:
        for name in ("accuracy", "recall", "missed"):
            assert {f"{value:.9g}" for value in sorter.units[name]} <= values
    assert "sorts" in {attributes.get("class") for attributes in page.tags("table")}


@pytest.mark.usefixtures("no_files")
def test_one_sorter_needs_no_ranking(tmp_path: Path) -> None:
    page, text, _ = write(make_result([make_sorter("only", 2)], tmp_path), tmp_path)
    assert_self_contained(page, text)
    assert "Ranking" not in page.text
    assert "1 sorting against" in page.text


@pytest.mark.usefixtures("no_files")
def test_one_sorter_has_one_table_of_units(tmp_path: Path) -> None:
    page, _, _ = write(make_result([make_sorter("only", 2)], tmp_path), tmp_path)
    titles = [text for text in page.texts if text.strip() == "precision"]
    assert len(titles) == 1
    assert page.text.count("only found some of 2 units.") == 1
    for column in ("found as", "amplitude (µV)", "rate (Hz)"):
        assert column in page.text


MANIFEST = {
    "format": "hybridfactory run",
    "format_version": 1,
    "session_name": "made",
    "created": "2030-01-02T03:04:05+00:00",
    "versions": {"hybridfactory": "9.8.7"},
    "targets": [{"name": "day1.GT.bin"}, {"name": "day2.GT.bin"}],
}


@pytest.mark.usefixtures("no_files")
def test_the_head_names_recording_run_sorters_and_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "read_manifest", lambda folder: Manifest(folder, MANIFEST))
    (tmp_path / "manifest.json").touch()
    sorted_by = tmp_path / "ks" / "sorter_output"
    sorted_by.mkdir(parents=True)
    log = {"sorter_name": "kilosort4", "sorter_version": "4.0.30"}
    (tmp_path / "ks" / "spikeinterface_log.json").write_text(json.dumps(log), encoding="utf-8")
    sorters = [dataclasses.replace(make_sorter("a", 2), source=str(sorted_by)), make_sorter("b", 2)]
    page, _, _ = write(make_result(sorters, tmp_path), tmp_path)
    head = page.text.split("Injected units")[0]
    assert "Validation of made" in head
    assert "Recording day1.GT.bin and 1 more, 10 s at 30,000 Hz" in head
    assert f"Run {tmp_path}, made 2030-01-02 03:04 UTC by hybridfactory 9.8.7" in head
    assert "Sorters a: kilosort4 4.0.30" in head
    assert f"Validated 2031-05-06 07:08 UTC, hybridfactory {__version__}" in head
    assert f"hybridfactory realism {shlex.quote(str(tmp_path))}" in page.text
    assert "Realism, median AUC" not in page.text


def test_versions_are_read_where_files_state_them(tmp_path: Path) -> None:
    assert origin.sorter_version("NumpySorting") == ""
    (tmp_path / "kilosort4.log").write_text("12:00 INFO kilosort: Kilosort version 4.0.22\n", encoding="utf-8")
    assert origin.sorter_version(str(tmp_path)) == "Kilosort 4.0.22"
    (tmp_path / "spikeinterface_log.json").write_text("{]", encoding="utf-8")
    assert origin.sorter_version(str(tmp_path)) == ""


def test_few_false_spikes_make_no_table() -> None:
    sources = pd.DataFrame({"new_unit": 101, "found_unit": 7, "kind": "native", "belongs_to": [1, 2, 3]})
    sources = sources.assign(spikes=[30, 9, 1], share=[0.75, 0.225, 0.025])
    sorter = dataclasses.replace(make_sorter("k", 2), false_positive_sources=sources)
    table = validation_tables.source_table(sorter)
    assert [row[3].text for row in table.rows] == ["30"]
    assert "10 spikes of sources with fewer than 10 are left out" in table.caption
    few = dataclasses.replace(sorter, false_positive_sources=sources.iloc[1:])
    assert validation_tables.source_table(few).is_worth_saying


def test_the_same_result_gives_the_same_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    result = make_result([make_sorter("only", 2)], tmp_path)
    for folder in (first, second):
        folder.mkdir()
        write_validation_report(result, folder, now=NOW)
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


@pytest.mark.usefixtures("no_files")
def test_names_from_elsewhere_do_no_harm(tmp_path: Path) -> None:
    sorter = make_sorter("k", 2, found=HOSTILE)
    units = sorter.units.assign(merged_with=HOSTILE, pieces=HOSTILE, num_pieces=2)
    confusion = sorter.confusion.rename(columns={10: HOSTILE})
    sorter = dataclasses.replace(
        sorter, units=units, confusion=confusion, source=HOSTILE, verdict=HOSTILE, notes=(HOSTILE,)
    )
    result = make_result([sorter], tmp_path, session_name=HOSTILE, notes=(HOSTILE,))
    page, text, _ = write(result, tmp_path)
    assert len(page.tags("script")) == 1
    assert not page.tags("img")
    assert page.text.count(HOSTILE) >= 8
    assert "<script>alert" not in text


@pytest.mark.usefixtures("no_files")
def test_whatever_there_is_no_data_for_is_said(tmp_path: Path) -> None:
    """Ground truth made elsewhere has no waveforms, amplitudes, places or native units."""
    sorter = make_sorter("k", 2)
    nothing = sorter.recall_curves.iloc[:0]
    events = sorter.events.assign(amplitude=np.nan)
    sorter = dataclasses.replace(sorter, unit_waveforms=(), recall_curves=nothing, events=events)
    result = make_result([sorter], tmp_path)
    truth = result.truth_units.assign(x_um=np.nan, y_um=np.nan, amplitude=np.nan, snr=np.nan)
    result = dataclasses.replace(result, truth_units=truth, probe=result.probe.iloc[:0])
    page, _, _ = write(result, tmp_path)
    for reason in (
        "no recording to measure waveforms in",
        "amplitudes are not known",
        "not known for these events",
        "places on the probe are not known",
        "no matched unit",
    ):
        assert reason in page.text, reason
    assert "nan" not in page.text


@pytest.mark.usefixtures("no_files")
def test_a_sorter_that_found_nothing(tmp_path: Path) -> None:
    sorter = make_sorter("k", 2, quality=0.0)
    sorter = dataclasses.replace(
        sorter,
        units=sorter.units.assign(found_unit=None, accuracy=0.0, recall=0.0),
        confusion=pd.DataFrame({"missed": [EVENTS, EVENTS, 0]}, index=[101, 102, "other"]),
        correlograms=sorter.correlograms.iloc[:0],
        events=sorter.events.assign(hit=False, reason="other"),
    )
    page, _, _ = write(make_result([sorter], tmp_path), tmp_path)
    assert page.text.count("not matched") == 2


@pytest.fixture
def many(no_files: None, monkeypatch: pytest.MonkeyPatch) -> list[SorterResult]:
    monkeypatch.setattr(unit_cards, "MAX_UNIT_FIGURES", 4)
    monkeypatch.setattr(validation, "MAX_SORTERS", 2)
    monkeypatch.setattr(validation_tables, "MAX_ROWS", 20)
    return [make_sorter(f"sorter {index}", 40, quality=0.9 - 0.1 * index) for index in range(3)]


def test_many_units_and_sorters_are_cut_and_it_says_so(many: list[SorterResult], tmp_path: Path) -> None:
    page, _, written = write(make_result(many, tmp_path), tmp_path)
    assert "Not shown below, to keep this page small: sorter 2." in page.text
    assert page.text.count("2 of 40 units are shown, to keep this page below 10 MB") == 2
    assert "The first 20 of 40; all are in units.csv." in page.text
    assert len([path for path in written if path.name.startswith("unit-")]) == 2 * 2 * 2
    # The worst of each.
    assert (tmp_path / "unit-140-sorter 0.png").is_file()
    assert not (tmp_path / "unit-101-sorter 0.png").exists()


def test_figures_of_units_stop_where_the_page_is_full(
    many: list[SorterResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_cards, "MAX_CARD_BYTES", 100_000)
    page, text, written = write(make_result(many[:1], tmp_path), tmp_path)
    shown = [name for name in page.ids if name.startswith("s0-unit")]
    assert 0 < len(shown) < 4
    assert f"{len(shown)} of 40 units are shown" in page.text
    assert "Figures of the worst 4 are files beside this page." in page.text
    assert len([path for path in written if path.name.startswith("unit-")]) == 4 * 2
    assert len(text) < 600_000


def test_the_limits_leave_room_for_the_rest() -> None:
    """Cards, and what else a page may hold: tables of 200 rows for six sorters, and their other figures."""
    bytes_of_row, tables, other_figures = 16 * 90, 6, 90_000
    rest = validation.MAX_SORTERS * (tables * validation_tables.MAX_ROWS * bytes_of_row / 3 + other_figures)
    assert unit_cards.MAX_CARD_BYTES + rest < 10_000_000


@pytest.mark.usefixtures("no_files")
def test_realism_scores_stand_beside_the_units(tmp_path: Path) -> None:
    realism = MappingProxyType({"units": [{"donor_label": 1, "auc": 0.537, "interval": [0.5, 0.57]}]})
    page, _, _ = write(make_result([make_sorter("k", 2)], tmp_path, realism=realism), tmp_path)
    assert "realism AUC 0.54" in page.text
    assert "not measured" not in page.text
