"""Figures say what they show, and show it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from hybridfactory import HybridRun
from hybridfactory.report.at_sites import cell_size, draw_at_sites, draw_scale_bars
from hybridfactory.report.inline import inline_svg
from hybridfactory.report.intervals import count_intervals
from hybridfactory.report.measure import UnitView, ViewOfRun
from hybridfactory.report.probe_map import MAX_LABELS, probe_figure, probe_table, spread_labels
from hybridfactory.report.run_figures import PATTERNS, write_run_figures
from hybridfactory.report.style import drawing, new_figure, panel_figure
from hybridfactory.report.unit_figure import unit_figure


@pytest.fixture(scope="module")
def unit(view: ViewOfRun) -> UnitView:
    return view.units[0]


@pytest.fixture(scope="module")
def figure(view: ViewOfRun, unit: UnitView) -> Figure:
    with drawing():
        return unit_figure(view, unit)


def lines_of(axes: object, color: str | None = None) -> list[LineCollection]:
    return [item for item in axes.collections if isinstance(item, LineCollection)]  # type: ignore[attr-defined]


def test_every_axis_says_what_it_shows_with_its_unit(figure: Figure) -> None:
    donor, injected, left, right, amplitudes, intervals = figure.axes
    for axes in (donor, injected):
        assert axes.get_xlabel() == "x (µm)"
    assert donor.get_ylabel() == "y, along the probe (µm)"
    assert left.get_ylabel() == "main channel (counts)"
    for axes in (left, right):
        assert axes.get_xlabel() == "time after the trough (ms)"
    assert amplitudes.get_xlabel() == "time in the recording (s)"
    assert amplitudes.get_ylabel() == "at the trough (counts)"
    assert intervals.get_xlabel() == "time between neighbouring spikes (ms)"
    assert intervals.get_ylabel() == "share of all (%)"
    assert all(axes.get_title() or axes.get_title(loc="left") for axes in figure.axes)


def test_waveforms_stand_at_their_sites_at_one_scale(figure: Figure, unit: UnitView) -> None:
    heights = []
    for axes, place in zip(figure.axes, (unit.donor, unit.injected), strict=False):
        _, waves = lines_of(axes)
        drawn = np.array(waves.get_segments())
        assert len(drawn) == len(place.rows)
        np.testing.assert_allclose(drawn[:, :, 0].mean(axis=1), place.positions_um[:, 0], atol=1e-9)
        above = drawn[:, :, 1] - place.positions_um[:, 1:]
        heights.append(above[0].min() / place.mean[:, 0].min())
        np.testing.assert_allclose(above, heights[-1] * place.mean.T, atol=1e-9)
        (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
        assert low < drawn[:, :, 1].min() < drawn[:, :, 1].max() < high
        assert left < drawn[:, :, 0].min() < drawn[:, :, 0].max() < right
    assert heights[0] == pytest.approx(heights[1])
    assert np.diff(figure.axes[0].get_ylim()) == pytest.approx(np.diff(figure.axes[1].get_ylim()))


def test_single_spikes_amplitudes_and_intervals(figure: Figure, view: ViewOfRun, unit: UnitView) -> None:
    _, _, left, right, amplitudes, intervals = figure.axes
    for axes, place in ((left, unit.donor), (right, unit.injected)):
        (singles,) = lines_of(axes)
        np.testing.assert_allclose(np.array(singles.get_segments())[:, :, 1], place.snippets, rtol=1e-6)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), place.snippets.mean(axis=0), rtol=1e-5)
        assert axes.get_title().startswith(f"{len(place.snippets)} ")
    assert left.get_ylim() == right.get_ylim()
    for line, steps, place in zip(amplitudes.lines, intervals.patches, (unit.donor, unit.injected), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), place.amplitudes)
        np.testing.assert_allclose(line.get_xdata(), place.drawn_samples / view.sampling_frequency)
        counts, total = count_intervals(place.samples, view.sampling_frequency, view.file_starts)
        np.testing.assert_allclose(steps.get_data().values, 100 * counts / total)


def test_files(run: HybridRun, view: ViewOfRun, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    written = write_run_figures(run, view, tmp_path, progress=lambda *step: steps.append(step))
    assert steps == [("drawing figures", done, 2) for done in (1, 2)]
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert {path for pattern in PATTERNS for path in tmp_path.glob(pattern)} == set(written)
    label = view.units[0].injected.label
    with Image.open(tmp_path / f"unit-{label}.png") as picture:
        assert picture.size == (1650, 930)
        assert picture.convert("L").resize((1, 1)).getpixel((0, 0)) > 200  # on white
    svg = (tmp_path / f"unit-{label}.svg").read_text(encoding="utf-8")
    assert "time after the trough (ms)</text>" in svg
    assert "<dc:date>" not in svg
    table = pd.read_csv(tmp_path / f"unit-{label}-amplitudes.csv")
    injected = table.loc[table["side"] == "injected", "amplitude_counts"]
    np.testing.assert_allclose(injected, view.units[0].injected.amplitudes, rtol=1e-6)
    for name in ("waveforms", "snippets", "intervals"):
        assert len(pd.read_csv(tmp_path / f"unit-{label}-{name}.csv")) > 10
    again = tmp_path / "again"
    again.mkdir()
    for path in write_run_figures(run, view, again):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_the_probe_with_donors_and_injected_places(run: HybridRun) -> None:
    table = probe_table(run)
    assert table["kind"].value_counts().to_dict() == {"site": 32, "donor": 2, "injected": 2}
    injected = table[table["kind"] == "injected"]
    units = run.units[run.units["status"] == "injected"]
    assert injected["channel"].tolist() == units["center_channel"].tolist()
    assert injected["donor"].tolist() == units["true_unit"].tolist()
    with drawing():
        (axes,) = probe_figure(table).axes
    sites, donors, places = (item.get_offsets() for item in axes.collections)
    np.testing.assert_array_equal(sites, table.loc[table["kind"] == "site", ["x_um", "y_um"]])
    np.testing.assert_array_equal(places, injected[["x_um", "y_um"]])
    assert len(donors) == 2
    labels = {text.get_text().strip() for text in axes.texts}
    assert labels == {str(label) for label in (*units["true_unit"], *units["new_unit"].astype(int))}


def test_many_units_are_drawn_without_labels(run: HybridRun) -> None:
    table = probe_table(run)
    sites, donors, injected = (table[table["kind"] == kind] for kind in ("site", "donor", "injected"))
    many = pd.concat([sites, *[donors] * MAX_LABELS, *[injected] * MAX_LABELS], ignore_index=True)
    with drawing():
        assert not probe_figure(many).axes[0].texts


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([0.0, 10.0], [0.0, 10.0]),
        ([10.0, 0.0], [10.0, 0.0]),
        ([3.0, 3.0], [2.0, 4.0]),
        ([0.0, 1.0, 1.0, 9.0], [-4 / 3, 2 / 3, 8 / 3, 9.0]),
    ],
)
def test_labels_keep_apart(heights: list[float], expected: list[float]) -> None:
    assert spread_labels(heights, 2.0) == pytest.approx(expected)


STAGGERED = [[x + 16 * (row % 2), 20.0 * row] for row in range(6) for x in (11.0, 43.0)]
LINE = [[0.0, 25.0 * row] for row in range(4)]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        (STAGGERED, (16, 40)),  # Neuropixels 1.0: four columns, each with its own rows
        ([[x, 15.0 * row] for row in range(6) for x in (0.0, 32.0)], (32, 15)),
        (LINE, (25, 25)),
        ([[20.0 * column, 0.0] for column in range(5)], (20, 20)),
        ([[3.0, 4.0]], (40, 40)),
        ([[3.0, 4.0], [3.0, 4.0]], (40, 40)),
    ],
)
def test_a_cell_has_room_for_one_site(positions: list[list[float]], expected: tuple[float, float]) -> None:
    assert cell_size(np.array(positions)) == expected


@pytest.mark.parametrize("seed", range(5))
def test_no_two_cells_overlap(seed: int) -> None:
    positions = np.random.default_rng(seed).integers(0, 12, (12, 2)) * 10.0
    width, height = cell_size(positions)
    apart = np.abs(positions[:, None] - positions)
    elsewhere = (apart > 1).any(axis=2)
    assert not (elsewhere & (apart[:, :, 0] < width - 1) & (apart[:, :, 1] < height)).any()


@pytest.mark.parametrize(("positions", "is_free"), [(STAGGERED[:5], True), (LINE, False)])
def test_scale_bars_cover_no_waveform(positions: list[list[float]], is_free: bool) -> None:
    at = np.array(positions)
    with drawing():
        figure, panels = panel_figure(4.4, 6.0, [["sites"]])
        axes = panels["sites"]
        mean = -np.hanning(61)[:, None] * np.ones(len(at))
        drawn = draw_at_sites(axes, mean, at, 14.0, 20.0, "#000000").reshape(-1, 2)
        axes.set_xlim(drawn[:, 0].min() - 1, drawn[:, 0].max() + 1)
        axes.set_ylim(drawn[:, 1].min() - 1, drawn[:, 1].max() + 1)
        low = axes.get_ylim()[0]
        moved = draw_scale_bars(axes, np.linspace(-1, 1, 61), 14.0, 20.0, 1.0, "µV", drawn)
        figure.draw_without_rendering()
    assert (moved == 0) == is_free
    assert axes.get_ylim()[0] == pytest.approx(low - moved)
    pixels = axes.transData.transform(drawn)
    for item in (axes.texts[0], axes.lines[-1]):
        box = item.get_window_extent()
        assert not box.count_contains(pixels)
        assert axes.bbox.contains(*box.min)
        assert axes.bbox.contains(*box.max)
    bar = axes.lines[-1].get_xydata()
    assert np.ptp(bar[:, 0]) == pytest.approx(7)  # 1 of 2 ms
    assert np.ptp(bar[:, 1]) == pytest.approx(10)  # 0.5 of 1 µV


def test_an_inline_figure_takes_colours_and_font_from_the_page() -> None:
    with drawing():
        figure = new_figure(3, 2)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#0072b2", marker="o")
        axes.plot([0, 1], [1, 0], color="#d55e00", rasterized=True)
        axes.set_title("<b>$x$ & y</b>")
        svg = inline_svg(figure, "one", 'said "so" <i>')
        other = inline_svg(figure, "two", "x")
    assert svg.startswith('<svg viewBox="0 0 216 144" role="img" aria-label="said &quot;so&quot; &lt;i&gt;">')
    assert "stroke: var(--donor)" in svg
    assert "#0072b2" not in svg
    assert "font-family" not in svg
    assert "&lt;b&gt;$x$ &amp; y&lt;/b&gt;" in svg
    assert svg.count("data:image/png;base64,") == 1
    assert "http" not in svg
    assert ' id="one-' in svg
    assert 'href="#one-' in svg
    # Nothing but the prefix and the description differs.
    assert other.replace("two-", "one-").split("<defs>", 1)[1] == svg.split("<defs>", 1)[1]
