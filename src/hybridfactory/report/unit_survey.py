"""The units of a sorting on their probe: recommended and refused donors, their waveforms and measures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from hybridfactory.donors.candidate import Candidate
from hybridfactory.donors.judgement import MAX_ISI_RATIO, MIN_ISOLATION, MIN_SNR, MIN_SPIKES
from hybridfactory.probes import Probe
from hybridfactory.report.probe_map import spread_labels
from hybridfactory.report.style import FILE_DPI, FOUND, INJECTED, INK, MUTED, SITE, drawing, new_figure, settle

__all__ = ["draw_survey", "survey_figure"]

RECOMMENDED, REFUSED = FOUND, INJECTED
MAX_TEMPLATES = 24
MAX_LABELS = 60
TEMPLATE_COLUMNS = 6
LABEL_SIZE = 6.5


def draw_survey(units: Sequence[Candidate], probe: Probe, unit_of_amplitude: str, path: Path) -> None:
    """Draw a survey and write it as PNG.

    Parameters
    ----------
    units : sequence of Candidate
        The best first.
    probe : Probe
    unit_of_amplitude : str
    path : pathlib.Path
        Replaced if it exists.
    """
    with drawing():
        figure = survey_figure(units, probe, unit_of_amplitude)
        settle(figure)
        figure.savefig(path, dpi=FILE_DPI, facecolor="white", metadata={"Software": None})


def survey_figure(units: Sequence[Candidate], probe: Probe, unit_of_amplitude: str) -> Figure:
    """Draw the probe with the units at their places, the waveforms of the best, and four measures.

    Parameters
    ----------
    units : sequence of Candidate
        The best first.
    probe : Probe
    unit_of_amplitude : str
    """
    figure = new_figure(12.0, 7.4)
    left, right = figure.subfigures(1, 2, width_ratios=[1.0, 3.2], squeeze=False)[0]
    _draw_probe(left.subplots(), units, probe)
    top, bottom = right.subfigures(2, 1, height_ratios=[1.75, 1.0], squeeze=False)[:, 0]
    shown = [unit for unit in units if unit.mean.size][:MAX_TEMPLATES]
    top.suptitle(
        f"mean waveforms on their main rows, {len(shown)} of {len(units)} units, best first", fontsize=9.0, color=INK
    )
    num_lines = max(-(-len(shown) // TEMPLATE_COLUMNS), 1)
    panels = top.subplots(num_lines, TEMPLATE_COLUMNS, squeeze=False)
    for axes, unit in zip(panels.flat, shown, strict=False):
        _draw_template(axes, unit)
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, (name, label, limit) in zip(bottom.subplots(1, 4), _panels(unit_of_amplitude), strict=True):
        _draw_measure(axes, units, name, label, limit)
    return figure


def _panels(unit_of_amplitude: str) -> tuple[tuple[str, str, float | None], ...]:
    return (
        ("amplitude", f"amplitude ({unit_of_amplitude})", None),
        ("isolation", "isolation", MIN_ISOLATION),
        ("isi_violations_ratio", "ISI violations (ratio)", MAX_ISI_RATIO),
        ("num_spikes", "spikes", MIN_SPIKES),
    )


def _colour(unit: Candidate) -> str:
    return RECOMMENDED if unit.is_recommended else REFUSED


def _draw_probe(axes: Axes, units: Sequence[Candidate], probe: Probe) -> None:
    positions = probe.connected_positions
    places = {int(row): place for row, place in zip(probe.connected_rows, positions, strict=True)}
    axes.scatter(positions[:, 0], positions[:, 1], s=9, marker="s", color=SITE, linewidths=0)
    placed = [unit for unit in units if unit.main_row in places]
    for kind, marker, name in ((True, "o", "recommended"), (False, "x", "refused")):
        some = [unit for unit in placed if unit.is_recommended is kind]
        where = np.array([places[unit.main_row or 0] for unit in some]).reshape(-1, 2)
        colour = RECOMMENDED if kind else REFUSED
        axes.scatter(
            where[:, 0], where[:, 1], s=26, marker=marker, color=colour, label=f"{name} ({len(some)})", zorder=3
        )
    width = float(np.ptp(positions[:, 0])) or 40.0
    edge = positions[:, 0].max() + 0.25 * width
    axes.set_xlim(positions[:, 0].min() - 0.3 * width, positions[:, 0].max() + 0.9 * width)
    span = float(np.ptp(positions[:, 1])) or 1.0
    if len(placed) <= MAX_LABELS:
        heights = [float(places[unit.main_row or 0][1]) for unit in placed]
        for unit, own, height in zip(placed, heights, spread_labels(heights, 0.018 * span), strict=True):
            axes.plot([edge, places[unit.main_row or 0][0]], [height, own], color=MUTED, linewidth=0.4, alpha=0.6)
            axes.text(edge, height, f" {unit.label}", color=_colour(unit), fontsize=LABEL_SIZE, va="center")
    axes.set_xlabel("x (µm)")
    axes.set_ylabel("y, along the probe (µm)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2, columnspacing=0.8)


def _draw_template(axes: Axes, unit: Candidate) -> None:
    main = int(np.abs(unit.mean).max(axis=0).argmax())
    axes.plot(unit.mean[:, main], color=_colour(unit), linewidth=1.0)
    axes.axhline(0, color=SITE, linewidth=0.5, zorder=0)
    axes.set_title(f"{unit.label}  SNR {unit.measures.snr:.0f}", fontsize=7.5, color=_colour(unit), pad=2)
    axes.set_axis_off()


def _draw_measure(axes: Axes, units: Sequence[Candidate], name: str, label: str, limit: float | None) -> None:
    """SNR against one other measure, with the limits of either."""
    for unit in units:
        value = getattr(unit.measures, name)
        if np.isfinite(value) and np.isfinite(unit.measures.snr):
            marker = "o" if unit.is_recommended else "x"
            axes.scatter([value], [unit.measures.snr], s=16, marker=marker, color=_colour(unit), linewidths=0.8)
    if name == "num_spikes":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        # No violation at all is the usual thing: then the limit shows what the axis is about.
        axes.set_xlim(min(axes.get_xlim()[0], 0) if name == "isolation" else -0.02 * (limit or 0))
        axes.set_xlim(right=max(axes.get_xlim()[1], 1.2 * (limit or 0)))
    axes.axhline(MIN_SNR, color=MUTED, linewidth=0.7, linestyle=":")
    if limit is not None:
        axes.axvline(limit, color=MUTED, linewidth=0.7, linestyle=":")
    axes.set_xlabel(label)
    axes.set_ylabel("SNR")
    axes.set_ylim(bottom=0)
