"""Recall against what surrounds an event, with its confidence band."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridfactory.report.style import MUTED, SERIES, panel_figure, say_none, short
from hybridfactory.validation.reasons import COLLISION_MS
from hybridfactory.validation.result import SorterResult
from hybridfactory.validation.surroundings import REACH_MS

__all__ = ["COVARIATES", "FOOT_IN", "TITLES", "draw_recall", "recall_figure", "recall_page_figures", "series"]

COVARIATES: Mapping[str, str] = MappingProxyType(
    {
        "snr": "SNR of the event",
        "local_rate_hz": "unit's own rate around it (Hz)",
        "other_time_ms": "time to the nearest other spike (ms)",
        "other_distance_um": "distance to a spike within 0.5 ms (µm)",
        "depth_um": "y of the unit's centre (µm)",
        "time_s": "time in the recording (s)",
    }
)
"""What recall is drawn against: name in the tables → label of the axis."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "snr": "recall against SNR",
        "local_rate_hz": "recall against firing rate",
        "other_time_ms": "recall against time to other spikes",
        "other_distance_um": "recall in collisions, against distance",
        "depth_um": "recall against place along the probe",
        "time_s": "recall against time",
    }
)

TITLE = "Recall of all injected units together, with its 95 % band"
BAND_ALPHA = 0.18
FOOT_IN = 0.62
"""Room below a panel for its axis' label in two lines."""

COLLISION_TICKS_MS = (0, 0.1, 0.5, 2, 10, 100)

Series = tuple[SorterResult, str, Any]


def series(sorters: Sequence[SorterResult]) -> list[Series]:
    """Give each sorter a colour and a line style; there are as many pairs as colours."""
    return [(sorter, *look) for sorter, look in zip(sorters, SERIES, strict=False)]


def draw_recall(axes: Axes, drawn: Sequence[Series], covariate: str, new_unit: int | None = None) -> None:
    """Draw recall in bins of a covariate, each at its median, with the 95 % band of every sorter.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    drawn : sequence of (SorterResult, colour, line style)
    covariate : str
        One of `COVARIATES`.
    new_unit : int, optional
        Injected label; by default all units together.
    """
    curves = [_curve(sorter, covariate, new_unit) for sorter, _, _ in drawn]
    axes.set_title(TITLES[covariate], loc="left")
    axes.set_xlabel(f"{COVARIATES[covariate]}{_in_bins(curves)}")
    axes.set_ylabel("recall")
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    if all(curve.empty for curve in curves):
        say_none(axes, "not known for these events")
        return
    for curve, (sorter, colour, dashes) in zip(curves, drawn, strict=True):
        if curve.empty:
            continue
        at, recall = curve["centre"].to_numpy(), curve["recall"].to_numpy()
        low, high = curve["recall_low"].to_numpy(), curve["recall_high"].to_numpy()
        label = short(sorter.name)
        axes.plot(at, recall, color=colour, linestyle=dashes, marker="o", markersize=2.6, linewidth=1.2, label=label)
        if len(curve) > 1:
            axes.fill_between(at, low, high, color=colour, alpha=BAND_ALPHA, linewidth=0)
        else:
            axes.errorbar(at, recall, yerr=[recall - low, high - recall], color=colour, linewidth=1.0, capsize=2)
    if covariate == "other_time_ms":
        _collision_axis(axes)


def _in_bins(curves: Sequence[pd.DataFrame]) -> str:
    """Say how many events there are and in how many bins, the same for every sorter."""
    curve = next((curve for curve in curves if len(curve)), None)
    if curve is None:
        return ""
    total, least = int(curve["events"].sum()), int(curve["events"].min())
    if len(curve) == 1:
        return f"\n{total:,} events in one bin"
    return f"\n{total:,} events in {len(curve)} bins, {least:,} or more in each"


def _curve(sorter: SorterResult, covariate: str, new_unit: int | None) -> pd.DataFrame:
    curves = sorter.recall_curves
    mine = curves["new_unit"].isna() if new_unit is None else (curves["new_unit"] == new_unit).fillna(False)
    return curves[(curves["covariate"] == covariate) & mine.to_numpy(dtype=bool)].sort_values("centre")


def _collision_axis(axes: Axes) -> None:
    """Give every such panel the same axis, from 0 to as far as spikes are looked for; below 0.1 ms it is linear."""
    axes.set_xscale("symlog", linthresh=0.1, linscale=0.4)
    axes.set_xlim(0.0, REACH_MS)
    axes.set_xticks(COLLISION_TICKS_MS, [f"{tick:g}" for tick in COLLISION_TICKS_MS])
    axes.axvline(COLLISION_MS, color=MUTED, linestyle=":", linewidth=0.9)


def recall_figure(sorters: Sequence[SorterResult]) -> Figure:
    """Draw recall of all units together against every covariate."""
    names = list(COVARIATES)
    drawn = series(sorters)
    figure, panels = panel_figure(10.0, 5.6, [names[:3], names[3:]], head=TITLE, foot_in=FOOT_IN)
    for covariate, axes in panels.items():
        draw_recall(axes, drawn, covariate)
    if len(drawn) > 1:
        lines = {str(line.get_label()): line for axes in panels.values() for line in axes.get_lines()}
        named = [lines[short(sorter.name)] for sorter, _, _ in drawn if short(sorter.name) in lines]
        figure.legend(handles=named, loc="upper right", ncols=len(named), borderpad=0.1)
    return figure


def recall_page_figures(sorters: Sequence[SorterResult]) -> dict[str, Figure]:
    """Draw the same in narrow figures of their own, by covariate."""
    figures = {}
    for covariate in COVARIATES:
        figures[covariate], panels = panel_figure(3.9, 2.45, [["recall"]], foot_in=FOOT_IN)
        draw_recall(panels["recall"], series(sorters), covariate)
    return figures
