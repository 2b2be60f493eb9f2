"""The panels of an injected unit's card: its match on the probe, hits and misses, correlogram, collisions."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridfactory.report.at_sites import cell_size, draw_at_sites, draw_baselines, draw_scale_bars
from hybridfactory.report.recall_panels import FOOT_IN, draw_recall
from hybridfactory.report.style import (
    FOUND,
    INJECTED,
    INK,
    MUTED,
    how_many,
    legend_above,
    panel_figure,
    say_none,
    short,
)
from hybridfactory.validation.result import SorterResult, UnitWaveforms

__all__ = ["match_figure", "match_page_figures"]

NUM_SITES = 12
MAX_POINTS = 2000
DASHES = (0.0, (4.0, 1.5))
LAYOUT = [["waveforms", "amplitudes"], ["waveforms", "correlogram"], ["waveforms", "collisions"]]
PAGE_WIDTH_IN = 4.4


def match_figure(sorter: SorterResult, new_unit: int, amplitude_unit: str) -> Figure:
    """Draw all panels of an injected unit and its match in one figure."""
    head = f"{short(sorter.name)}: injected unit {new_unit}"
    figure, panels = panel_figure(8.6, 6.6, LAYOUT, [0.8, 1.0], head=head, foot_in=FOOT_IN)
    draw_match(panels["waveforms"], sorter, new_unit, amplitude_unit)
    draw_hits(panels["amplitudes"], sorter, new_unit, amplitude_unit)
    draw_correlogram(panels["correlogram"], sorter, new_unit)
    draw_collisions(panels["collisions"], sorter, new_unit)
    return figure


def match_page_figures(sorter: SorterResult, new_unit: int, amplitude_unit: str) -> dict[str, Figure]:
    """Draw the same panels in narrow figures of their own, by what they show."""
    waveforms, places = panel_figure(PAGE_WIDTH_IN, 6.1, [["waveforms"]])
    amplitudes, events = panel_figure(PAGE_WIDTH_IN, 2.1, [["events"]])
    correlogram, lags = panel_figure(PAGE_WIDTH_IN, 2.0, [["correlogram"]])
    collisions, curve = panel_figure(PAGE_WIDTH_IN, 2.2, [["collisions"]], foot_in=FOOT_IN)
    draw_match(places["waveforms"], sorter, new_unit, amplitude_unit)
    draw_hits(events["events"], sorter, new_unit, amplitude_unit)
    draw_correlogram(lags["correlogram"], sorter, new_unit)
    draw_collisions(curve["collisions"], sorter, new_unit)
    return {
        "mean waveforms of truth and of the matched unit at the sites of the probe": waveforms,
        "amplitudes of found and of missed events over the recording": amplitudes,
        "cross-correlogram of found and true times": correlogram,
        "recall against the time to the nearest spike of another unit": collisions,
    }


def draw_match(axes: Axes, sorter: SorterResult, new_unit: int, amplitude_unit: str) -> None:
    """Draw the mean of the injected events, and that of the matched unit's spikes, at the sites."""
    shown = next((item for item in sorter.unit_waveforms if item.new_unit == new_unit), None)
    axes.set_title("waveforms", loc="left")
    if shown is None or not np.isfinite(shown.positions_um).all() or not shown.truth.size:
        say_none(axes, "no recording to measure waveforms in")
        return
    near = _nearest(shown)
    positions, truth = shown.positions_um[near], shown.truth[:, near]
    match = None if shown.match is None else shown.match[:, near]
    cell, tall = cell_size(positions)
    width = 0.85 * cell
    means = [truth] if match is None else [truth, match]
    largest = float(np.max(means) - np.min(means)) or 1.0
    height = 0.95 * tall / largest
    draw_baselines(axes, positions, width)
    drawn = [draw_at_sites(axes, truth, positions, width, height, INK)]
    axes.plot([], [], color=INK, label="truth")
    if match is not None:
        drawn.append(draw_at_sites(axes, match, positions, width, height, FOUND, DASHES))
        axes.plot([], [], color=FOUND, linestyle=DASHES, label=f"match: {short(shown.found_unit)}")
    points = np.concatenate(drawn).reshape(-1, 2)
    axes.set_xlim(points[:, 0].min() - 0.1 * width, points[:, 0].max() + 0.1 * width)
    axes.set_ylim(points[:, 1].min() - 0.1 * tall, points[:, 1].max() + 0.1 * tall)
    axes.set_xlabel("x (µm)")
    axes.set_ylabel("y, along the probe (µm)")
    draw_scale_bars(axes, shown.times_ms, width, height, largest, amplitude_unit, points)
    legend_above(axes)


def _nearest(shown: UnitWaveforms) -> Any:
    """Columns of the sites nearest to the one on which the truth is largest."""
    main = int(np.abs(shown.truth).max(axis=0).argmax())
    distances = np.linalg.norm(shown.positions_um - shown.positions_um[main], axis=1)
    return np.argsort(distances, kind="stable")[:NUM_SITES]


def draw_hits(axes: Axes, sorter: SorterResult, new_unit: int, amplitude_unit: str) -> None:
    """Draw the amplitude of events over the recording, those found apart from those missed."""
    events = sorter.events[sorter.events["new_unit"] == new_unit]
    axes.set_title("events", loc="left")
    axes.set_xlabel("time in the recording (s)")
    axes.set_ylabel(f"amplitude ({amplitude_unit})")
    if not np.isfinite(events["amplitude"]).any():
        say_none(axes, "amplitudes are not known")
        return
    is_hit = events["hit"].to_numpy(dtype=bool)
    for part, colour, marker, size, what in (
        (events[is_hit], FOUND, "o", 2.4, "found"),
        (events[~is_hit], INJECTED, "x", 3.4, "missed"),
    ):
        drawn = _spread(part)
        axes.plot(
            drawn["time_s"],
            drawn["amplitude"],
            linestyle="none",
            marker=marker,
            markersize=size,
            markeredgewidth=0.9 if marker == "x" else 0,
            color=colour,
            alpha=0.75,
            rasterized=True,
            label=f"{what} ({how_many(len(drawn), len(part))})",
        )
    axes.margins(x=0.01)
    legend_above(axes)


def _spread(events: pd.DataFrame) -> pd.DataFrame:
    """At most so many rows, evenly over all."""
    return events.iloc[np.unique(np.linspace(0, len(events) - 1, min(len(events), MAX_POINTS)).round().astype(int))]


def draw_correlogram(axes: Axes, sorter: SorterResult, new_unit: int) -> None:
    """Draw how many spikes of the matched unit fall how long after a true event."""
    counts = sorter.correlograms[sorter.correlograms["new_unit"] == new_unit]
    axes.set_title("correlogram", loc="left")
    axes.set_xlabel("found − true time, lag taken off (ms)")
    axes.set_ylabel("pairs")
    if counts.empty:
        say_none(axes, "no matched unit")
        return
    edges = np.append(counts["low_ms"].to_numpy(), counts["high_ms"].iloc[-1])
    axes.stairs(counts["count"].to_numpy(), edges, fill=True, color=FOUND)
    axes.axvline(0, color=MUTED, linestyle=":", linewidth=0.9)
    axes.set_xlim(edges[0], edges[-1])
    axes.locator_params(axis="x", nbins=5)
    axes.set_ylim(bottom=0)


def draw_collisions(axes: Axes, sorter: SorterResult, new_unit: int) -> None:
    """Draw recall against the time to the nearest spike of another unit."""
    draw_recall(axes, [(sorter, FOUND, "-")], "other_time_ms", new_unit)
