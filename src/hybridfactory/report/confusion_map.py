"""The confusion matrix as a heat map."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from hybridfactory.report.style import new_figure, say_none, short

__all__ = ["confusion_figure", "left_out", "shown_part"]

MAX_ROWS = 200
MAX_COLUMNS = 200
MAX_NAMED_ROWS, MAX_NAMED_COLUMNS = 40, 30
MAX_WRITTEN = 14
SMALL_SHARE = 0.01


def shown_part(confusion: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Shares of the events of each injected unit, and of the other spikes of each found unit.

    Parameters
    ----------
    confusion : pandas.DataFrame
        As in `SorterResult`.

    Returns
    -------
    events : pandas.DataFrame
        Injected units × found units that hold one per cent of an injected unit's events or more, and "missed";
        fractions of the unit's events.
    others : pandas.Series
        Fraction of those found units' spikes that are no injected event.
    """
    units = confusion.iloc[:-1]  # the last row is "other"
    shares = units.div(units.sum(axis=1).clip(lower=1), axis=0)
    found = [name for name in confusion.columns if name != "missed"]
    kept = [name for name in found if (shares[name] >= SMALL_SHARE).any()][:MAX_COLUMNS]
    totals = confusion[kept].sum(axis=0).clip(lower=1)
    others = confusion[kept].iloc[-1] / totals
    return shares[[*kept, "missed"]].iloc[:MAX_ROWS], others


def left_out(confusion: pd.DataFrame) -> str:
    """Say how many found units with events of injected units `shown_part` leaves out; empty if it is none."""
    units = confusion.iloc[:-1]
    held = (units.drop(columns="missed") > 0).any(axis=0).sum()
    hidden = int(held) - (len(shown_part(confusion)[0].columns) - 1)
    if hidden <= 0:
        return ""
    if len(shown_part(confusion)[0].columns) > MAX_COLUMNS:
        return f"{hidden} more not shown"
    return f"{hidden} more, each with less than 1 % of any injected unit, not shown"


def confusion_figure(confusion: pd.DataFrame, title: str = "") -> Figure:
    """Draw where the events of each injected unit went, and how pure the found units are."""
    events, others = shown_part(confusion)
    rows, columns = events.shape
    height = float(np.clip(1.7 + 0.24 * rows, 2.6, 6.0))
    figure = new_figure(4.8, height)
    if not rows:
        say_none(figure.subplots(), "no injected unit")
        return figure
    top, bottom = figure.subplots(2, 1, height_ratios=[max(rows, 2), 1], sharex=True)
    _draw_cells(top, events.to_numpy(dtype=float), columns <= MAX_WRITTEN and rows <= 2 * MAX_WRITTEN)
    _draw_cells(bottom, np.append(others.to_numpy(dtype=float), np.nan)[None], columns <= MAX_WRITTEN)
    top.set_title(title, loc="left")
    top.set_ylabel("injected unit")
    _name(top, "y", [short(label) for label in events.index])
    bottom.set_yticks([0], ["not injected"])
    names = [short(label) for label in events.columns]
    _name(bottom, "x", names)
    turned = columns > 8 or max(map(len, names)) > 8
    bottom.tick_params(axis="x", rotation=90 if turned else 0)
    top.tick_params(axis="x", labelbottom=False)
    bottom.set_xlabel("found unit")
    if left_out(confusion):
        bottom.set_xlabel(f"found unit ({left_out(confusion)})")
    shading = ScalarMappable(Normalize(0, 1), "viridis")
    bar = figure.colorbar(shading, ax=[top, bottom], fraction=0.04, pad=0.02, label="%")
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100"])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)
    return figure


def _draw_cells(axes: Axes, shares: np.ndarray, write: bool) -> None:
    rows, columns = shares.shape
    cells = axes.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, shares, cmap="viridis", vmin=0, vmax=1
    )
    cells.set_rasterized(shares.size > 400)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not write:
        return
    for (row, column), share in np.ndenumerate(shares):
        if np.isfinite(share) and share > 0:
            text = f"{100 * share:.0f}" if share >= SMALL_SHARE else "<1"
            ink = "#ffffff" if share < 0.6 else "#101010"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)


def _name(axes: Axes, which: str, names: list[str]) -> None:
    """Name every cell, or every so manieth."""
    step = -(-len(names) // (MAX_NAMED_COLUMNS if which == "x" else MAX_NAMED_ROWS))
    at = list(range(0, len(names), step))
    labels = [names[index] for index in at]
    if which == "x":
        axes.set_xticks(at, labels)
    else:
        axes.set_yticks(at, labels)
