"""Draw one injected unit beside its donor, from the folder of a finished run.

    python examples/draw_donor_and_injected.py hybridfactory-demo/hybrid donor-and-injected.png
    python examples/draw_donor_and_injected.py hybridfactory-demo/hybrid unit-5.png --unit 5

Everything drawn is measured in the recordings: the donor in the source, the injected unit in the hybrid. Needs
matplotlib (pip install 'hybridfactory[plot]').
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import spikeinterface.core as si
from matplotlib.axes import Axes

import hybridfactory

DONOR, INJECTED, SITE = "#0072B2", "#D55E00", "#B8B8B8"  # blue and vermillion tell apart for every eye
NUM_SINGLE = 50
REACH_UM = 60


def open_source(run: hybridfactory.HybridRun) -> si.BaseRecording:
    """The recording that the hybrid was made from, with the same channels as the hybrid."""
    stated = run.manifest.content["recording"]
    source = si.read_binary(
        [item["path"] for item in run.manifest.content["sources"]],
        sampling_frequency=run.sampling_frequency,
        dtype=stated["dtype"],
        num_channels=stated["num_rows"],
    )
    return source.select_channels(run.recording.channel_ids)


def read_windows(run: hybridfactory.HybridRun, recording: si.BaseRecording, times: np.ndarray) -> np.ndarray:
    """Windows around timeline samples: events × samples × channels."""
    before = run.manifest.content["parameters"]["samples_before"]
    after = run.manifest.content["parameters"]["samples_after"]
    windows = []
    for segment, item in enumerate(run.manifest.content["sources"]):
        for start in times - item["start_sample"] - before:
            stop = start + before + after + 1
            if start >= 0 and stop <= item["num_samples"]:
                traces = recording.get_traces(segment_index=segment, start_frame=start, end_frame=stop)
                windows.append(traces.astype(np.float32))
    return np.array(windows)


def without_baseline(windows: np.ndarray) -> np.ndarray:
    """Windows minus their first samples, where there is no spike yet."""
    return windows - windows[:, :8].mean(axis=1, keepdims=True)


def min_distance_x(positions: np.ndarray) -> float:
    """Distance between neighbouring columns of sites, or 20 µm where there is one column."""
    gaps = np.diff(np.unique(positions[:, 0].round(1)))
    return float(gaps.min()) if gaps.size else 20.0


def draw_probe(axes: Axes, positions: np.ndarray, centers: dict[str, int]) -> None:
    """Show all sites, and where the unit went."""
    axes.scatter(*positions.T, s=16, marker="s", color=SITE, linewidths=0)
    for color, center in centers.items():
        axes.scatter(*positions[center], s=70, marker="s", color=color, linewidths=0, zorder=3)
    start, stop = (positions[center] for center in centers.values())
    arrow = {"arrowstyle": "-|>", "color": "black", "shrinkA": 6, "shrinkB": 6, "connectionstyle": "arc3,rad=0.25"}
    axes.annotate("", xy=stop, xytext=start, arrowprops=arrow)
    axes.set_aspect("equal")
    axes.margins(0.25, 0.03)
    axes.set_title("probe", fontsize=10)
    axes.set_xticks([])
    axes.set_ylabel("µm")
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def draw_mean(axes: Axes, mean: np.ndarray, positions: np.ndarray, center: int, color: str, scale: float) -> None:
    """Draw a mean waveform at its sites around the main channel."""
    offset = positions - positions[center]
    width = 0.8 * min_distance_x(positions)
    time = np.linspace(-0.5, 0.5, mean.shape[0]) * width
    for channel in np.flatnonzero(np.abs(offset[:, 1]) <= REACH_UM):
        x, y = offset[channel]
        axes.plot(x + time, np.full(time.size, y), color=SITE, linewidth=0.8)
        axes.plot(x + time, y + scale * mean[:, channel], color=color, linewidth=1.6 if channel == center else 1.2)
    axes.set_axis_off()


def draw_single(axes: Axes, events: np.ndarray, milliseconds: np.ndarray, color: str, title: str) -> None:
    """Draw single events on one channel, and their mean."""
    axes.plot(milliseconds, events.T, color=color, linewidth=0.6, alpha=0.35)
    axes.plot(milliseconds, events.mean(axis=0), color="black", linewidth=1.4)
    axes.set_title(title, fontsize=10)
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)


def draw(run: hybridfactory.HybridRun, unit: int, path: Path) -> None:
    """Draw the figure for one donor."""
    row = run.units.set_index("true_unit").loc[unit]
    events = run.artificial_units[run.artificial_units["true_unit"] == unit]
    hybrid, source = run.recording, open_source(run)
    channels = list(hybrid.channel_ids)
    positions = hybrid.get_channel_locations()
    at_donor, at_injected = channels.index(row["donor_channel"]), channels.index(row["center_channel"])

    times, donor_times = events["timestep"].to_numpy(), events["donor_spike"].to_numpy()
    donor = without_baseline(read_windows(run, source, np.unique(donor_times)))
    in_hybrid = read_windows(run, hybrid, times)
    added = in_hybrid - read_windows(run, source, times)
    chosen = np.linspace(0, len(events) - 1, min(NUM_SINGLE, len(events))).astype(int)
    of_donor = without_baseline(read_windows(run, source, donor_times[chosen]))[:, :, at_donor]
    of_injected = without_baseline(in_hybrid[chosen])[:, :, at_injected]

    figure = plt.figure(figsize=(11, 5.6), facecolor="white", layout="constrained")
    grid = figure.add_gridspec(3, 4, width_ratios=[0.62, 1, 1, 1.15])
    draw_probe(figure.add_subplot(grid[:, 0]), positions, {DONOR: at_donor, INJECTED: at_injected})
    scale = 34 / np.abs(donor.mean(axis=0)).max()
    left, right = figure.add_subplot(grid[:, 1]), figure.add_subplot(grid[:, 2])
    draw_mean(left, donor.mean(axis=0), positions, at_donor, DONOR, scale)
    draw_mean(right, added.mean(axis=0), positions, at_injected, INJECTED, scale)
    right.sharex(left)
    right.sharey(left)
    left.set_title(f"donor, unit {unit}:\nmean in the source", fontsize=10, color=DONOR)
    right.set_title(f"injected, unit {row['new_unit']}:\nmean of hybrid − source", fontsize=10, color=INJECTED)

    before = run.manifest.content["parameters"]["samples_before"]
    milliseconds = (np.arange(donor.shape[1]) - before) / run.sampling_frequency * 1e3
    panels = [
        (of_donor, DONOR, f"{len(chosen)} spikes of the donor"),
        (of_injected, INJECTED, "their injected events, in the hybrid"),
        (added[chosen][:, :, at_injected], INJECTED, "hybrid − source: what was added"),
    ]
    first = None
    for line, (values, color, title) in enumerate(panels):
        axes = figure.add_subplot(grid[line, 3], sharex=first, sharey=first)
        first = first or axes
        draw_single(axes, values, milliseconds, color, title)
        axes.tick_params(labelbottom=line == 2, labelsize=8)
    figure.axes[4].set_ylabel("counts, main channel")
    figure.axes[5].set_xlabel("ms")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="output folder of a finished run")
    parser.add_argument("picture", type=Path, help="image file to write")
    parser.add_argument("--unit", type=int, help="label of the donor (default: the largest)")
    asked = parser.parse_args()
    run = hybridfactory.load(asked.run)
    injected = run.units[run.units["status"] == "injected"]
    largest = injected["true_unit"][injected["snr"].idxmax()]
    draw(run, int(largest if asked.unit is None else asked.unit), asked.picture)


if __name__ == "__main__":
    main()
