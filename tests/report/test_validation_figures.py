"""Figures of a validation show the numbers of its tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_validation import EVENTS, make_result, make_sorter
from matplotlib.collections import LineCollection

from hybridfactory.report.accuracy_panels import accuracy_by_snr_figure, accuracy_map_figure
from hybridfactory.report.confusion_map import confusion_figure, left_out, shown_part
from hybridfactory.report.match_panels import match_figure, match_page_figures
from hybridfactory.report.recall_panels import COVARIATES, TITLES, recall_figure
from hybridfactory.report.style import drawing
from hybridfactory.validation.result import SorterResult


@pytest.fixture(scope="module")
def sorter() -> SorterResult:
    return make_sorter("kilosort", 3)


def test_a_unit_beside_its_match(sorter: SorterResult) -> None:
    with drawing():
        waveforms, amplitudes, correlogram, collisions = match_figure(sorter, 101, "µV").axes
    shown = sorter.unit_waveforms[0]
    assert shown.match is not None
    lines = [np.array(item.get_segments()) for item in waveforms.collections if isinstance(item, LineCollection)]
    baselines, truth, match = lines
    assert len(baselines) == len(truth) == len(match) == 8
    places = baselines.mean(axis=1)
    assert sorted(map(tuple, places)) == sorted(map(tuple, shown.positions_um))
    np.testing.assert_array_equal(places[0], shown.positions_um[0])  # the main channel first
    # At one scale: the match is nine tenths of the truth.
    np.testing.assert_allclose(match[:, :, 1] - places[:, 1:], 0.9 * (truth[:, :, 1] - places[:, 1:]), atol=1e-9)
    assert (waveforms.get_xlabel(), waveforms.get_ylabel()) == ("x (µm)", "y, along the probe (µm)")
    assert any("µV" in text.get_text() for text in waveforms.texts)

    events = sorter.events[sorter.events["new_unit"] == 101]
    found, missed = amplitudes.lines
    np.testing.assert_array_equal(found.get_ydata(), events.loc[events["hit"], "amplitude"])
    np.testing.assert_array_equal(missed.get_xdata(), events.loc[~events["hit"], "time_s"])
    assert len(found.get_xdata()) + len(missed.get_xdata()) == EVENTS
    assert amplitudes.get_ylabel() == "amplitude (µV)"

    (bars,) = correlogram.patches
    counts = sorter.correlograms.loc[sorter.correlograms["new_unit"] == 101, "count"]
    np.testing.assert_array_equal(bars.get_data().values, counts)
    assert correlogram.get_xlim() == (-10, 10)

    np.testing.assert_array_equal(collisions.lines[0].get_ydata(), [0.5, 0.75, 1.0])
    assert collisions.get_xlabel() == "time to the nearest other spike (ms)\n170 events in 3 bins, 50 or more in each"
    assert (collisions.get_xscale(), collisions.get_xlim()) == ("symlog", (0, 100))  # the same for every unit
    assert collisions.get_title(loc="left") == "recall against time to other spikes"


def test_a_unit_without_a_match(sorter: SorterResult) -> None:
    with drawing():
        figures = match_page_figures(sorter, 103, "µV")
    assert len(figures) == 4
    texts = [text.get_text() for figure in figures.values() for axes in figure.axes for text in axes.texts]
    assert "no matched unit" in texts


def test_recall_with_its_band_for_every_sorter() -> None:
    sorters = [make_sorter(name, 2) for name in ("a", "b")]
    with drawing():
        figure = recall_figure(sorters)
    assert [axes.get_xlabel().split("\n")[0] for axes in figure.axes] == list(COVARIATES.values())
    assert [axes.get_title(loc="left") for axes in figure.axes] == [TITLES[name] for name in COVARIATES]
    assert {axes.get_xlabel().split("\n")[1] for axes in figure.axes} == {"170 events in 3 bins, 50 or more in each"}
    for axes in figure.axes:
        curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
        assert [line.get_label() for line in curves] == ["a", "b"]
        assert len({line.get_color() for line in curves}) == 2
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1.0, 2.0, 300.0])
        (low, high) = axes.collections[0].get_paths()[0].get_extents().intervaly
        assert (low, high) == pytest.approx((0.4, 1.0))
        assert axes.get_ylabel() == "recall"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_accuracy_on_the_probe(sorter: SorterResult, tmp_path: Path) -> None:
    result = make_result([sorter], tmp_path)
    with drawing():
        axes, bar = accuracy_map_figure(result, sorter).axes
    sites, units = axes.collections
    assert len(sites.get_offsets()) == 8
    np.testing.assert_array_equal(units.get_offsets(), result.truth_units[["x_um", "y_um"]])
    np.testing.assert_allclose(units.get_array(), sorter.units["accuracy"])
    assert units.get_clim() == (0, 1)
    assert bar.get_ylabel() == "accuracy"
    assert [text.get_text() for text in axes.texts] == ["101", "102", "103"]


def test_accuracy_against_snr(sorter: SorterResult) -> None:
    with drawing():
        (axes,) = accuracy_by_snr_figure([sorter]).axes
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), sorter.units["snr"])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), sorter.units["accuracy"])


def test_few_dots_need_little_room() -> None:
    with drawing():
        sizes = [accuracy_by_snr_figure([make_sorter("k", count)]).get_size_inches() for count in (4, 60)]
    assert (sizes[0] < sizes[1]).all()


def test_the_confusion_matrix_in_shares() -> None:
    confusion = pd.DataFrame(
        {"7": [80, 0, 20], "9": [0, 30, 0], "11": [0, 0, 500], "8": [5, 30, 10], "missed": [15, 0, 0]},
        index=[101, 102, "other"],
    )
    events, others = shown_part(confusion)
    assert events.columns.tolist() == ["7", "9", "8", "missed"]  # nothing of an injected unit is in 11
    np.testing.assert_allclose(events.to_numpy(), [[0.8, 0, 0.05, 0.15], [0, 0.5, 0.5, 0]])
    np.testing.assert_allclose(others.to_numpy(), [0.2, 0, 10 / 45])
    with drawing():
        top, bottom, bar = confusion_figure(confusion).axes
    cells = top.collections[0].get_array()
    np.testing.assert_allclose(np.asarray(cells), events.to_numpy())
    assert [label.get_text() for label in bottom.get_xticklabels()] == ["7", "9", "8", "missed"]
    assert [label.get_text() for label in top.get_yticklabels()] == ["101", "102"]
    assert {text.get_text() for text in top.texts} == {"80", "5", "15", "50"}
    assert bar.get_ylabel() == "%"
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "25", "50", "75", "100"]


def test_small_shares_are_written_and_what_is_left_out_is_counted() -> None:
    confusion = pd.DataFrame(
        {"7": [990, 2], "9": [4, 300], "11": [6, 20], "13": [0, 500], "missed": [0, 0]}, index=[101, "other"]
    )
    assert left_out(confusion) == "2 more, each with less than 1 % of any injected unit, not shown"
    with drawing():
        top, bottom, _ = confusion_figure(confusion).axes
    assert {text.get_text() for text in top.texts} == {"99"}
    assert {text.get_text() for text in bottom.texts} == {"<1"}
    assert bottom.get_xlabel() == f"found unit ({left_out(confusion)})"
    assert left_out(confusion[["7", "13", "missed"]]) == ""


def test_a_large_confusion_matrix_names_some_and_writes_none() -> None:
    size = 120
    confusion = pd.DataFrame(np.eye(size + 1) * 50, index=[*range(size), "other"], columns=[*range(size), "missed"])
    with drawing():
        top, bottom, _ = confusion_figure(confusion).axes
    assert not top.texts
    assert 20 <= len(bottom.get_xticks()) <= 30
    assert top.collections[0].get_rasterized()
