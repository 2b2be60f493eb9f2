"""Draw the figures of the documentation's site from the demo.

    python docs/figures.py build/figures

The demo is made, sorted and validated for it, with the commands that the pages name; it goes to the folder beside the
figures, and is used again as long as it is there. Needs the extras ``report`` and ``sort``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import hybridfactory
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.report.style import DONOR, INJECTED, INK, MUTED, drawing, new_figure

DEMO = Path("hybridfactory-demo")
HYBRID = DEMO / "hybrid"
SORTED = DEMO / "sorted"
DONOR_LABEL = 9
TERMINAL_WIDTH = 88
FONT_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}", re.DOTALL)

COMMANDS = {
    "demo": ["demo", str(DEMO)],
    "realism": ["realism", str(HYBRID)],
    "validate": ["validate", str(HYBRID), str(SORTED), "--name", "mountainsort5"],
}
"""Commands whose output is shown, as they are typed."""

COPIED = {
    "report.html": HYBRID / "report.html",
    "validation.html": HYBRID / "validation-demo" / "report.html",
    "probe.svg": HYBRID / "figures" / "probe.svg",
    "unit.svg": HYBRID / "figures" / "unit-109.svg",
    "recall.svg": HYBRID / "validation-demo" / "recall_curves.svg",
    "confusion.svg": HYBRID / "validation-demo" / "confusion-mountainsort5.svg",
}


def before_and_after(run: HybridRun) -> Figure:
    """Draw the source and the hybrid over each other, around one event."""
    events = run.artificial_units.query("true_unit == @DONOR_LABEL")
    files = run.manifest.content["sources"]
    sample = int(events["timestep"].iloc[len(events) // 2]) - files[0]["start_sample"]
    recording = run.recording
    rows = [int(row) for row in recording.channel_ids]
    center = rows.index(int(events["center_channel"].iloc[0]))
    shown = range(max(center - 6, 0), min(center + 7, len(rows)))
    before, after = 120, 240
    raw = np.memmap(files[0]["path"], run.manifest.content["recording"]["dtype"], "r")
    source = raw.reshape(-1, run.manifest.content["recording"]["num_rows"])[sample - before : sample + after]
    hybrid = recording.get_traces(0, sample - before, sample + after)
    time_ms = np.arange(-before, after) / run.sampling_frequency * 1000
    figure = new_figure(8.0, 4.6)
    axes = figure.subplots()
    step = np.ptp(hybrid[:, center]) / 4
    for place, column in enumerate(shown):
        old = source[:, rows[column]].astype(float)
        level = place * step - np.median(old)
        axes.plot(time_ms, hybrid[:, column] + level, color=INJECTED, linewidth=1.1, label="hybrid")
        axes.plot(time_ms, old + level, color=INK, linewidth=0.7, label="source")
    axes.set_yticks([place * step for place in range(len(shown))], [str(rows[column]) for column in shown])
    axes.set(xlabel="time from the event's trough (ms)", ylabel="row of the raw file")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[:2], labels[:2], loc="upper right", ncols=2, bbox_to_anchor=(1, 1.08))
    return figure


def event_model(run: HybridRun) -> Figure:
    """Draw a unit's mean and first two components on its main channel, and its shares in them over time."""
    script = np.load(run.manifest.paths.script)
    unit = int(np.flatnonzero(script["labels"] == 100 + DONOR_LABEL)[0])
    num_waveforms, num_columns = int(script["num_waveforms"][unit]), int(script["num_columns"][unit])
    before, after = script["window"]
    shape = (num_waveforms, before + 1 + after, num_columns)
    start = int(script["waveform_starts"][unit])
    waveforms = script["waveforms"][start : start + int(np.prod(shape))].reshape(shape)
    main = int(np.abs(waveforms[0]).max(axis=0).argmax())
    mine = np.flatnonzero(script["units"] == unit)
    weights = np.stack([script["weights"][script["weight_starts"][mine] + k] for k in range(num_waveforms)])
    shares = weights[1:] / weights[0]
    time_ms = np.arange(-before, after + 1) / run.sampling_frequency * 1000
    time_s = (script["samples"][mine] - run.manifest.content["sources"][0]["start_sample"]) / run.sampling_frequency
    figure = new_figure(9.0, 2.9)
    *panels, over_time = figure.subplots(1, num_waveforms, width_ratios=[1.0] * (num_waveforms - 1) + [1.6])
    for number, axes in enumerate(panels):
        spread = 2 * shares[number].std() * waveforms[1 + number, :, main]
        mean = waveforms[0, :, main]
        axes.fill_between(time_ms, mean - spread, mean + spread, color=INJECTED, alpha=0.35, linewidth=0)
        axes.plot(time_ms, mean, color=INK, linewidth=1.0)
        axes.set(title=f"mean ± 2 sd of component {number + 1}", xlabel="time (ms)", xlim=(-1.0, 2.5))
    panels[0].set_ylabel("counts")
    over_time.plot(time_s, shares[0] / shares[0].std(), ".", markersize=3, color=INJECTED)
    over_time.set(title="each event's share of component 1", xlabel="time in the recording (s)", ylabel="sd")
    return figure


def event_times(run: HybridRun) -> Figure:
    """Draw two seconds of a donor and its injected unit, and how far their spikes lie apart."""
    events = run.artificial_units.query("true_unit == @DONOR_LABEL")
    start = run.manifest.content["sources"][0]["start_sample"]
    injected_s = (events["timestep"].to_numpy() - start) / run.sampling_frequency
    donor_s = (events["donor_spike"].to_numpy() - start) / run.sampling_frequency
    first = 4.0
    figure = new_figure(9.0, 2.4)
    raster, apart = figure.subplots(1, 2, width_ratios=[2.2, 1.0])
    for place, (times, color) in enumerate([(injected_s, INJECTED), (donor_s, DONOR)]):
        inside = times[(times >= first) & (times < first + 2.0)]
        raster.eventplot(inside, lineoffsets=place, linelengths=0.7, colors=color, linewidths=1.1)
    raster.set_yticks([0, 1], ["injected", "donor"])
    raster.set(xlabel="time (s)", title="two seconds of a donor and of the unit injected from it")
    apart.hist(1000 * (injected_s - donor_s), bins=40, range=(-15.0, 15.0), color=INJECTED)
    apart.set(xlabel="event minus its donor spike (ms)", ylabel="events", title="time_jitter = 100 samples")
    return figure


def realism(run: HybridRun) -> Figure:
    """Draw the realism scores of the run's units, with their intervals."""
    units = run.manifest.content["realism"]["units"]
    figure = new_figure(6.0, 2.4)
    axes = figure.subplots()
    for place, unit in enumerate(units):
        axes.plot(unit["interval"], [place, place], color=INJECTED, linewidth=1.5)
        axes.plot(unit["auc"], place, "o", color=INJECTED, markersize=5)
    for border, words in ((0.5, "nobody can tell"), (0.65, "poor"), (1.0, "everybody can")):
        axes.axvline(border, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.text(border, len(units) - 0.3, words, ha="center", va="bottom", color=MUTED)
    axes.set_yticks(range(len(units)), [f"unit {unit['donor_label']}" for unit in units])
    axes.set(xlabel="area under the ROC curve, with 95 % interval", xlim=(0.45, 1.03), ylim=(-0.6, len(units) - 0.4))
    return figure


FIGURES: dict[str, Callable[[HybridRun], Figure]] = {
    "before-and-after.svg": before_and_after,
    "event-model.svg": event_model,
    "event-times.svg": event_times,
    "realism.svg": realism,
}


def names() -> set[str]:
    """Names of all files that are made."""
    return {*FIGURES, *COPIED, *(f"terminal-{name}.svg" for name in COMMANDS)}


def show_command(name: str, folder: Path) -> None:
    """Run a command in a folder, and draw a terminal in which it was typed."""
    # Imported here: a terminal's output alone needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(TERMINAL_WIDTH), "TERM": "xterm-256color"}
    command = ["hybridfactory", *COMMANDS[name]]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    with (folder / "terminal.log").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=TERMINAL_WIDTH, force_terminal=True, file=nowhere)
        console.print(Text(f"$ {' '.join(command)}", style="bold"))
        console.print(Text.from_ansi(done.stdout.rstrip()))
    svg = FONT_FROM_ELSEWHERE.sub("", console.export_svg(title="")).replace("Fira Code", "DejaVu Sans Mono")
    (folder / f"terminal-{name}.svg").write_text(svg, encoding="utf-8")


def make_demo(folder: Path) -> None:
    """Make the demo as the tutorial does, and keep what its commands print."""
    from hybridfactory.pipeline.sort import sort  # noqa: PLC0415

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    show_command("demo", folder)
    show_command("realism", folder)
    sort(folder / HYBRID, folder / SORTED)
    show_command("validate", folder)
    hybridfactory.plot(folder / HYBRID, report=True)


def main() -> None:
    """Read the command line, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, help="folder to draw into")
    target = parser.parse_args().figures
    folder = target.parent / "demo"
    if not (folder / HYBRID / "report.html").is_file():
        make_demo(folder)
    target.mkdir(parents=True, exist_ok=True)
    run = hybridfactory.load(folder / HYBRID)
    with drawing(), mpl.rc_context({"svg.fonttype": "path", "figure.facecolor": "white"}):
        for name, draw in FIGURES.items():
            draw(run).savefig(target / name)
    for name, path in COPIED.items():
        shutil.copyfile(folder / path, target / name)
    for name in COMMANDS:
        shutil.copyfile(folder / f"terminal-{name}.svg", target / f"terminal-{name}.svg")


if __name__ == "__main__":
    main()
