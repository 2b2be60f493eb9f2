"""Where injected units were found: on the probe, and against their size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from hybridfactory.report.recall_panels import series
from hybridfactory.report.style import MUTED, SITE, new_figure, say_none, short
from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = ["accuracy_by_snr_figure", "accuracy_map_figure"]

MAX_LABELS = 30
FEW_DOTS = 40
SMALL_IN, LARGE_IN = (3.2, 2.0), (4.6, 2.9)
WELL_FOUND = 0.8


def accuracy_map_figure(result: ValidationResult, sorter: SorterResult, title: str = "") -> Figure:
    """Draw the sites of the probe, and each injected unit coloured by its accuracy."""
    sites = result.probe
    units = result.truth_units.merge(sorter.units[["new_unit", "accuracy"]], on="new_unit")
    units = units[np.isfinite(units["x_um"]) & np.isfinite(units["y_um"])]
    span = float(np.ptp(sites["y_um"])) if len(sites) else 0.0
    figure = new_figure(3.6, float(np.clip(2.6 + span / 300, 3.4, 8.0)))
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    if units.empty:
        say_none(axes, "places on the probe are not known")
        return figure
    axes.scatter(sites["x_um"], sites["y_um"], s=9, marker="s", color=SITE, linewidths=0)
    drawn = axes.scatter(
        units["x_um"],
        units["y_um"],
        c=units["accuracy"].fillna(0.0),
        s=46,
        cmap="viridis",
        vmin=0,
        vmax=1,
        edgecolors=MUTED,
        linewidths=0.7,
        zorder=3,
    )
    width = float(np.ptp(sites["x_um"])) or 40.0
    axes.set_xlim(sites["x_um"].min() - 0.5 * width, sites["x_um"].max() + 0.75 * width)
    axes.margins(y=0.04)
    axes.set_xlabel("x (µm)")
    axes.set_ylabel("y, along the probe (µm)")
    if len(units) <= MAX_LABELS:
        for unit in units.itertuples():
            at: Any = (unit.x_um, unit.y_um)
            axes.annotate(
                str(unit.new_unit), at, xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5
            )
    _colour_bar(figure, axes, drawn, "accuracy")
    return figure


def _colour_bar(figure: Figure, axes: Axes, drawn: ScalarMappable, label: str) -> None:
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03, label=label)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def accuracy_by_snr_figure(sorters: Sequence[SorterResult]) -> Figure:
    """Draw the accuracy of each injected unit against its SNR; small for few units of one sorter."""
    is_small = len(sorters) == 1 and len(sorters[0].units) <= FEW_DOTS
    figure = new_figure(*(SMALL_IN if is_small else LARGE_IN))
    axes = figure.subplots()
    axes.set_title("accuracy against SNR", loc="left")
    axes.axhline(WELL_FOUND, color=MUTED, linestyle=":", linewidth=0.9)
    for (sorter, colour, _), marker in zip(series(sorters), "o^sDvP", strict=False):
        axes.plot(
            sorter.units["snr"],
            sorter.units["accuracy"],
            linestyle="none",
            marker=marker,
            markersize=5,
            markeredgewidth=0,
            color=colour,
            alpha=0.8,
            label=short(sorter.name),
        )
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("SNR of the unit, median over its events")
    axes.set_ylabel("accuracy")
    if len(sorters) > 1:
        figure.legend(loc="outside upper left", ncols=3, handletextpad=0.2, columnspacing=0.9)
    return figure
