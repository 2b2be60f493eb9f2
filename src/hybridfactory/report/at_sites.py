"""Waveforms drawn at the sites of a probe, with bars that tell their scale."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from hybridfactory.report.style import INK, SITE

__all__ = ["cell_size", "draw_at_sites", "draw_baselines", "draw_scale_bars"]

SCALE_BAR_MS = 1.0
SAME_UM = 1.0
"""Sites that lie nearer than this in one direction share a line."""

ALONE_UM = 40.0
TEXT_IN = (0.62, 0.3)
GAP_IN = 0.08


def cell_size(positions_um: NDArray[np.float64]) -> tuple[float, float]:
    """Size of the largest cell that has room around every site, so that no waveform reaches into another's.

    Of all widths at which sites lie beside each other, the one counts at which a cell's smaller side, as a part of
    the picture's, is largest: wide and low cells, or narrow and high ones where columns are staggered.

    Parameters
    ----------
    positions_um : numpy.ndarray of float64, shape (num_sites, 2)

    Returns
    -------
    width, height : float
        µm.
    """
    x, y = positions_um.T
    across, along = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
    apart = (across > SAME_UM) | (along > SAME_UM)
    widths = np.unique(across[across > SAME_UM]).tolist()
    if not widths:  # one column
        gap = float(along[apart].min(initial=np.inf))
        return (gap, gap) if np.isfinite(gap) else (ALONE_UM, ALONE_UM)
    cells = []
    for width in widths:
        overlapping = along[apart & (across < width - SAME_UM)]
        height = float(overlapping.min()) if overlapping.size else width
        shown = min(width / (float(np.ptp(x)) + width), height / (float(np.ptp(y)) + height) if height else 0.0)
        cells.append((shown, width, height))
    return max(cells)[1:]


def draw_baselines(axes: Axes, positions_um: NDArray[np.float64], width: float) -> None:
    """Draw a short line through each site, as long as a waveform."""
    x, y = positions_um.T
    ends = np.stack([np.stack([x - width / 2, x + width / 2], axis=1), np.stack([y, y], axis=1)], axis=2)
    axes.add_collection(LineCollection(list(ends), colors=SITE, linewidths=0.6))


def draw_at_sites(
    axes: Axes,
    mean: NDArray[np.float64],
    positions_um: NDArray[np.float64],
    width: float,
    height: float,
    colour: str,
    dashes: str | tuple[float, tuple[float, ...]] = "-",
) -> NDArray[np.float64]:
    """Draw a mean waveform at each site.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    mean : numpy.ndarray of float64, shape (num_samples, num_sites)
    positions_um : numpy.ndarray of float64, shape (num_sites, 2)
    width : float
        Of a waveform, µm.
    height : float
        µm per unit of value.
    colour : str
    dashes : str or tuple
        Matplotlib's line style.

    Returns
    -------
    numpy.ndarray of float64, shape (num_sites, num_samples, 2)
        What was drawn, µm.
    """
    x, y = positions_um.T
    across = np.linspace(-0.5, 0.5, len(mean)) * width
    lines = np.stack([x[:, None] + across, y[:, None] + height * mean.T], axis=2)
    main = int(np.abs(mean).max(axis=0).argmax()) if mean.size else -1
    widths = [1.6 if site == main else 1.1 for site in range(x.size)]
    axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=widths, linestyles=[dashes]))
    return lines


def draw_scale_bars(
    axes: Axes,
    times_ms: NDArray[np.float64],
    width: float,
    height: float,
    largest: float,
    unit_of_value: str,
    drawn: NDArray[np.float64],
) -> float:
    """Draw bars for time and value in a corner that is free; below everything else where none is.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        With its limits set.
    times_ms : numpy.ndarray of float64, shape (num_samples,)
        Of a waveform's samples.
    width, height : float
        As in `draw_at_sites`.
    largest : float
        Largest deflection drawn, from peak to peak.
    unit_of_value : str
    drawn : numpy.ndarray of float64, shape (num_points, 2)
        What the bars must not cover, µm.

    Returns
    -------
    float
        By how much the lower limit of the axes was moved to make room, µm.
    """
    span_ms = float(times_ms[-1] - times_ms[0])
    shown_ms = min(SCALE_BAR_MS, span_ms)
    value = _round_number(largest / 2)
    across, up = width * shown_ms / span_ms, height * value
    inches = np.asarray(axes.bbox.size) / axes.figure.dpi
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    per_inch = np.ptp(limits, axis=1) / inches
    gap = GAP_IN * per_inch
    size = np.array([across + TEXT_IN[0] * per_inch[0], max(up, TEXT_IN[1] * per_inch[1])]) + 2 * gap
    corners = [np.array([limits[0, i] - i * size[0], limits[1, j] - j * size[1]]) for j in (0, 1) for i in (1, 0)]
    free = [low for low in corners if not np.any(np.all((drawn > low) & (drawn < low + size), axis=1))]
    moved = 0.0
    if not free:
        # As the picture grows, so does what an inch stands for.
        moved = float(size[1] / max(1 - size[1] / np.ptp(limits[1]), 0.5))
        axes.set_ylim(limits[1, 0] - moved, limits[1, 1])
        free = [corners[0] - np.array([0.0, moved])]
    x, y = free[0] + np.array([size[0] - gap[0], gap[1]])
    axes.plot([x - across, x, x], [y, y, y + up], color=INK, linewidth=1.0)
    axes.annotate(
        f"{value:g} {unit_of_value}\n{shown_ms:.3g} ms",
        (x - across, y),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7.5,
    )
    return moved


def _round_number(value: float) -> float:
    """1, 2 or 5 times a power of ten, at most `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)) * power)
