"""Waveforms drawn at the sites of a probe, with bars that tell their scale."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from hybridfactory.report.style import INK, SITE

__all__ = ["draw_at_sites", "draw_baselines", "draw_scale_bars", "pitch"]

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
    axes: Axes, times_ms: NDArray[np.float64], width: float, height: float, largest: float, unit_of_value: str
) -> None:
    """Draw bars for time and value in the lower right corner.

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
    """
    span_ms = float(times_ms[-1] - times_ms[0])
    shown_ms = min(SCALE_BAR_MS, span_ms)
    value = _round_number(largest / 2)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = right - 0.06 * (right - left), low + 0.04 * (high - low)
    across, up = width * shown_ms / span_ms, height * value
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


def _round_number(value: float) -> float:
    """1, 2 or 5 times a power of ten, at most `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)) * power)
