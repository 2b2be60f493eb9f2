"""The panels of a unit's figure: waveforms on the probe, single spikes, amplitudes over time, intervals."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from hybridfactory.report.intervals import INTERVAL_EDGES_MS, count_intervals
from hybridfactory.report.measure import Place, UnitView, ViewOfRun
from hybridfactory.report.style import DONOR, INJECTED, INK, MUTED, SITE

__all__ = ["draw_amplitudes", "draw_intervals", "draw_single_spikes", "draw_waveforms", "pitch"]

SCALE_BAR_MS = 1.0


def pitch(along: NDArray[np.float64], across: NDArray[np.float64], otherwise: float) -> float:
    """Distance between neighbouring sites of one line, the smallest there is.

    Parameters
    ----------
    along : numpy.ndarray of float64, shape (num_sites,)
        Positions in the direction of the distance, µm.
    across : numpy.ndarray of float64, shape (num_sites,)
        Positions in the other direction; sites within 1 µm of each other share a line.
    otherwise : float
        What stands for it where no line has two sites.
    """
    gaps = np.abs(along[:, None] - along)[np.abs(across[:, None] - across) <= 1.0]
    gaps = gaps[gaps > 1.0]
    return float(gaps.min()) if gaps.size else otherwise


def draw_waveforms(left: Axes, right: Axes, view: ViewOfRun, unit: UnitView) -> None:
    """Draw the means of donor and injected unit at their sites, at one scale."""
    both = (unit.donor, unit.injected)
    x, y = unit.donor.positions_um.T
    tall = pitch(y, x, 40.0)
    width = 0.85 * pitch(x, y, tall)
    largest = max(float(np.ptp(place.mean, axis=0).max()) for place in both) or 1.0
    height = 0.95 * tall / largest
    titles = (f"donor: unit {unit.donor.label}", f"injected: unit {unit.injected.label}")
    around = []
    for axes, place, colour, title in zip((left, right), both, (DONOR, INJECTED), titles, strict=True):
        lines = _draw_at_sites(axes, place, width, height, colour)
        around.append(lines.reshape(-1, 2) - place.positions_um[0])
        axes.set_title(title, color=colour)
        axes.set_xlabel("x (µm)")
        axes.tick_params(length=2)
        axes.locator_params(axis="x", nbins=4)
    low, high = np.concatenate(around).min(axis=0), np.concatenate(around).max(axis=0)
    for axes, place in zip((left, right), both, strict=True):
        x, y = place.positions_um[0]
        axes.set_xlim(x + low[0] - 0.1 * width, x + high[0] + 0.1 * width)
        axes.set_ylim(y + low[1] - 0.6 * tall, y + high[1] + 0.1 * tall)
    left.set_ylabel("y, along the probe (µm)")
    _draw_scale_bars(right, view, width, height, largest)


def _draw_at_sites(axes: Axes, place: Place, width: float, height: float, colour: str) -> NDArray[np.float64]:
    """Draw a line through each site, and on it the mean; `height` is µm per unit of value."""
    x, y = place.positions_um.T
    across = np.linspace(-0.5, 0.5, len(place.mean)) * width
    lines = np.stack([x[:, None] + across, np.repeat(y[:, None], across.size, axis=1)], axis=2)
    axes.add_collection(LineCollection(list(lines[:, [0, -1]]), colors=SITE, linewidths=0.6))
    lines[:, :, 1] += height * place.mean.T
    widths = [1.6] + [1.1] * (x.size - 1)
    axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=widths))
    return lines


def _draw_scale_bars(axes: Axes, view: ViewOfRun, width: float, height: float, largest: float) -> None:
    span_ms = float(view.times_ms[-1] - view.times_ms[0])
    value = _round_number(largest / 2)
    x_stop, y_start = axes.get_xlim()[1], axes.get_ylim()[0]
    across, up = width * min(SCALE_BAR_MS / span_ms, 1.0), height * value
    right = x_stop - 0.06 * (x_stop - axes.get_xlim()[0])
    bottom = y_start + 0.05 * (axes.get_ylim()[1] - y_start)
    axes.plot([right - across, right, right], [bottom, bottom, bottom + up], color=INK, linewidth=1.0)
    shown_ms = min(SCALE_BAR_MS, span_ms)
    text = f"{value:g} {view.unit_of_value}\n{shown_ms:.3g} ms"
    axes.annotate(
        text,
        (right - across, bottom),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7.5,
    )


def _round_number(value: float) -> float:
    """1, 2 or 5 times a power of ten, at most `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)) * power)


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
            label=f"{what} ({_how_many(place)})",
        )
    axes.margins(x=0.01)
    axes.set_title("amplitude", loc="left")
    axes.set_xlabel("time in the recording (s)")
    axes.set_ylabel(f"at the trough ({view.unit_of_value})")
    _legend_above(axes)


def _how_many(place: Place) -> str:
    drawn, known = place.drawn_samples.size, place.samples.size
    return f"{drawn:,}" if drawn >= known else f"{drawn:,} of {known:,}"


def _legend_above(axes: Axes) -> None:
    """Put the legend beside the title, where it covers no data."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=3,
        borderpad=0.1,
        handletextpad=0.4,
        columnspacing=1.0,
        markerscale=2.0,
    )


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
    _legend_above(axes)
