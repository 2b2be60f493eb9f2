"""The probe with the places of donors and of injected units."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.report.style import DONOR, INJECTED, MUTED, SITE, new_figure

__all__ = ["probe_figure", "probe_table", "spread_labels"]

MAX_LABELS = 40
LABEL_HEIGHT_IN = 0.155


def probe_table(run: HybridRun) -> pd.DataFrame:
    """Collect what the probe's figure shows: every connected site, and the places of donors and injected units.

    Returns
    -------
    pandas.DataFrame
        ``kind`` ("site", "donor", "injected"), ``unit`` (label; NA for sites), ``donor`` (label of the donor, NA
        for sites), ``channel``, ``x_um``, ``y_um``.
    """
    rows, positions = run.probe.connected_rows, run.probe.connected_positions
    units = run.units[run.units["status"] == "injected"].sort_values(["true_unit", "new_unit"])
    places = {int(row): position for row, position in zip(rows, positions, strict=True)}

    def part(kind: str, labels: list[Any], donors: list[Any], channels: NDArray[np.int64]) -> pd.DataFrame:
        where = np.array([places[int(row)] for row in channels]).reshape(-1, 2)
        names = {"kind": kind, "unit": pd.array(labels, dtype="Int64"), "donor": pd.array(donors, dtype="Int64")}
        return pd.DataFrame({**names, "channel": channels, "x_um": where[:, 0], "y_um": where[:, 1]})

    nothing = [None] * len(rows)
    donors = units["true_unit"].tolist()
    return pd.concat(
        [
            part("site", nothing, nothing, rows),
            part("donor", donors, donors, units["donor_channel"].to_numpy(dtype=np.int64)),
            part("injected", units["new_unit"].tolist(), donors, units["center_channel"].to_numpy(dtype=np.int64)),
        ],
        ignore_index=True,
    )


def probe_figure(table: pd.DataFrame) -> Figure:
    """Draw the sites, and for each unit a line from its donor to where it was injected.

    Parameters
    ----------
    table : pandas.DataFrame
        As `probe_table` returns it.
    """
    sites, donors, injected = (table[table["kind"] == kind] for kind in ("site", "donor", "injected"))
    span = float(np.ptp(sites["y_um"])) or 1.0
    height = float(np.clip(2.4 + span / 300, 3.4, 8.0))
    figure = new_figure(3.6, height)
    axes = figure.subplots()
    axes.scatter(sites["x_um"], sites["y_um"], s=9, marker="s", color=SITE, linewidths=0)
    for (_, start), (_, stop) in zip(donors.iterrows(), injected.iterrows(), strict=True):
        axes.plot([start["x_um"], stop["x_um"]], [start["y_um"], stop["y_um"]], color=MUTED, linewidth=0.8, alpha=0.8)
    axes.scatter(donors["x_um"], donors["y_um"], s=34, color=DONOR, linewidths=0, zorder=3, label="donor")
    axes.scatter(
        injected["x_um"], injected["y_um"], s=22, marker="^", color=INJECTED, linewidths=0, zorder=4, label="injected"
    )
    axes.set_xlabel("x (µm)")
    axes.set_ylabel("y, along the probe (µm)")
    axes.margins(y=0.03)
    _widen(axes, sites["x_um"].to_numpy())
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2)
    if len(donors) <= MAX_LABELS:
        spacing = LABEL_HEIGHT_IN / (height - 1.0) * span
        _label(axes, donors.drop_duplicates("unit"), "left", DONOR, spacing)
        _label(axes, injected, "right", INJECTED, spacing)
    return figure


def _widen(axes: Axes, x: NDArray[np.float64]) -> None:
    """Leave room for labels on both sides of the sites."""
    width = float(np.ptp(x)) or 40.0
    axes.set_xlim(x.min() - 0.75 * width, x.max() + 0.75 * width)
    axes.set_xticks(np.unique([x.min(), x.max()]).round())


def _label(axes: Axes, units: pd.DataFrame, side: str, colour: str, spacing: float) -> None:
    left, right = axes.get_xlim()
    inner = left + 0.14 * (right - left) if side == "left" else right - 0.14 * (right - left)
    outer = "right" if side == "left" else "left"
    heights = spread_labels(units["y_um"].tolist(), spacing)
    for (_, unit), height in zip(units.iterrows(), heights, strict=True):
        axes.plot([inner, unit["x_um"]], [height, unit["y_um"]], color=colour, linewidth=0.5, alpha=0.6)
        axes.text(inner, height, f" {unit['unit']} ", color=colour, fontsize=7.5, va="center", ha=outer)


def spread_labels(heights: Sequence[float], spacing: float) -> list[float]:
    """Move heights apart until neighbours are `spacing` away from each other, in their order.

    Parameters
    ----------
    heights : sequence of float
    spacing : float

    Returns
    -------
    list of float
        One per height given. Crowded ones stay centred on where they were.
    """
    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # of each: middle, number
    for index in order:
        groups.append([heights[index], 1])
        while len(groups) > 1:
            (low, num_low), (high, num_high) = groups[-2:]
            if high - low >= spacing * (num_low + num_high) / 2:
                break
            total = num_low + num_high
            groups[-2:] = [[(low * num_low + high * num_high) / total, total]]
    placed = [middle + spacing * (k - (number - 1) / 2) for middle, number in groups for k in range(int(number))]
    result = [0.0] * len(placed)
    for index, height in zip(order, placed, strict=True):
        result[index] = float(height)
    return result
