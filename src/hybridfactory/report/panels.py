"""The panels of a unit's figure: waveforms on the probe, single spikes, amplitudes over time, intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from hybridfactory.report.at_sites import cell_size, draw_at_sites, draw_baselines, draw_scale_bars
from hybridfactory.report.intervals import INTERVAL_EDGES_MS, count_intervals
from hybridfactory.report.measure import Place, UnitView, ViewOfRun
from hybridfactory.report.style import DONOR, INJECTED, INK, MUTED, how_many, legend_above

__all__ = ["draw_amplitudes", "draw_intervals", "draw_single_spikes", "draw_waveforms"]


def draw_waveforms(left: Axes, right: Axes, view: ViewOfRun, unit: UnitView) -> None:
    """Draw the means of donor and injected unit at their sites, at one scale."""
    both = (unit.donor, unit.injected)
    # At one scale, at which waveforms keep apart at either place.
    cell, tall = np.min([cell_size(place.positions_um) for place in both], axis=0).tolist()
    width = 0.85 * cell
    means = [place.mean for place in both]
    largest = max(float(mean.max()) for mean in means) - min(float(mean.min()) for mean in means) or 1.0
    height = 0.95 * tall / largest
    titles = (f"donor: unit {unit.donor.label}", f"injected: unit {unit.injected.label}")
    drawn = []
    for axes, place, colour, title in zip((left, right), both, (DONOR, INJECTED), titles, strict=True):
        draw_baselines(axes, place.positions_um, width)
        lines = draw_at_sites(axes, place.mean, place.positions_um, width, height, colour)
        drawn.append(lines.reshape(-1, 2))
        axes.set_title(title, color=colour)
        axes.set_xlabel("x (µm)")
        axes.tick_params(length=2)
        axes.locator_params(axis="x", nbins=4)
    for axes, (low, high) in zip((left, right), _equal_views(drawn, both), strict=True):
        axes.set_xlim(low[0] - 0.1 * width, high[0] + 0.1 * width)
        axes.set_ylim(low[1] - 0.1 * tall, high[1] + 0.1 * tall)
    left.set_ylabel("y, along the probe (µm)")
    bars = (view.times_ms, width, height, largest, view.unit_of_value)
    moved = draw_scale_bars(right, *bars, drawn[1])
    left.set_ylim(left.get_ylim()[0] - moved, left.get_ylim()[1])


def _equal_views(
    drawn: Sequence[NDArray[np.float64]], places: Sequence[Place]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lower and upper corners that show all that was drawn, equally large for donor and injected unit.

    On a small probe both see the whole of it; elsewhere each sees the surroundings of its main channel.
    """
    whole = np.concatenate(drawn)
    mains = [place.positions_um[0] for place in places]
    around = np.concatenate([points - main for points, main in zip(drawn, mains, strict=True)])
    if np.ptp(whole[:, 1]) <= np.ptp(around[:, 1]):
        return [(whole.min(axis=0), whole.max(axis=0))] * len(drawn)
    return [(main + around.min(axis=0), main + around.max(axis=0)) for main in mains]


def draw_single_spikes(left: Axes, right: Axes, view: ViewOfRun, unit: UnitView) -> None:
    """Draw single spikes of the donor, and single injected events, on their main channels."""
    sides = (
        (left, unit.donor, DONOR, "donor spikes (source)"),
        (right, unit.injected, INJECTED, "injected (hybrid)"),
    )
    lowest = min(float(place.snippets.min(initial=0)) for _, place, _, _ in sides)
    highest = max(float(place.snippets.max(initial=0)) for _, place, _, _ in sides)
    margin = 0.05 * (highest - lowest) or 1.0
    for axes, place, colour, what in sides:
        lines = np.stack(np.broadcast_arrays(view.times_ms, place.snippets), axis=2)
        singles = LineCollection(list(lines), colors=colour, linewidths=0.5, alpha=0.3)
        singles.set_rasterized(True)
        axes.add_collection(singles)
        if place.snippets.size:
            axes.plot(view.times_ms, place.snippets.mean(axis=0), color=INK, linewidth=1.3)
        axes.set_xlim(view.times_ms[0], view.times_ms[-1])
        axes.set_ylim(lowest - margin, highest + margin)
        axes.set_title(f"{len(place.snippets)} {what}", color=colour)
        axes.set_xlabel("time after the trough (ms)")
    left.set_ylabel(f"main channel ({view.unit_of_value})")
    right.tick_params(labelleft=False)


def draw_amplitudes(axes: Axes, view: ViewOfRun, unit: UnitView) -> None:
    """Draw the amplitude of the donor's spikes and of the injected events over the recording."""
    for place, colour, marker, what in (
        (unit.donor, DONOR, "o", "donor"),
        (unit.injected, INJECTED, "^", "injected"),
    ):
        seconds = place.drawn_samples / view.sampling_frequency
        axes.plot(
            seconds,
            place.amplitudes,
            linestyle="none",
            marker=marker,
            markersize=2.2,
            markeredgewidth=0,
            color=colour,
            alpha=0.55,
            rasterized=True,
            label=f"{what} ({how_many(place.drawn_samples.size, place.samples.size)})",
        )
    axes.margins(x=0.01)
    axes.set_title("amplitude", loc="left")
    axes.set_xlabel("time in the recording (s)")
    axes.set_ylabel(f"at the trough ({view.unit_of_value})")
    legend_above(axes)


def draw_intervals(axes: Axes, view: ViewOfRun, unit: UnitView) -> None:
    """Draw how often donor and injected unit fire again after so many milliseconds."""
    for place, colour, dashes, what in (
        (unit.donor, DONOR, "-", "donor"),
        (unit.injected, INJECTED, (0, (4, 1.5)), "injected"),
    ):
        counts, total = count_intervals(place.samples, view.sampling_frequency, view.file_starts)
        shares = 100 * counts / max(total, 1)
        axes.stairs(
            shares, INTERVAL_EDGES_MS, color=colour, linestyle=dashes, linewidth=1.1, label=f"{what} ({total:,})"
        )
    if view.refractory_ms:
        axes.axvline(view.refractory_ms, color=MUTED, linestyle=":", linewidth=0.9, label="refractory")
    axes.set_xlim(0, INTERVAL_EDGES_MS[-1])
    axes.set_ylim(bottom=0)
    axes.set_title("intervals", loc="left")
    axes.set_xlabel("time between neighbouring spikes (ms)")
    axes.set_ylabel("share of all (%)")
    legend_above(axes)
