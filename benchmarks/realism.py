"""Can a classifier tell injected events from real ones? Several recordings, several ways to make events, one table.

    python benchmarks/realism.py                all recordings, all units
    python benchmarks/realism.py --original     with the tool of 2018, installed into an environment of its own
    python benchmarks/realism.py --quick        one short recording, a smoke run

Recordings: two of MEArec (where the template library and MEArec are), two of our own simulation, each with six
donor units of 8, 15 and 25 × noise, and the locust tetrode. In one of each pair every unit keeps its shape; in the
other it shrinks and widens within bursts and drifts over 16 µm.

Each donor's bursts are dealt into two halves. One half stays as it is: the real class. From the other half events
are made, and added on the same sites at times when the unit is silent, burst by burst: the injected class. No event
has its twin in the other class. Both are then seen as a sorter sees them, 300-6000 Hz and less the common median,
on the twelve sites nearest to the unit, and three classifiers try to tell them apart; the largest of their three
cross-validated areas under the ROC curve counts. 0.5 means that nobody can tell. "fresh true events" adds the
simulated waveforms of those very spikes, and is the floor that remains from the finite number of events and from
taking the largest of three; for the real recording, whose truth nobody knows, it is one half of the real spikes
against the other, and nothing is added.

The judge is the library's own (hybridfactory.realism), and so are the two event models. The mean template is
averaged and injected by SpikeInterface. The tool of 2018 makes its events with its own code (realism_original.py).
"""

import argparse
import json
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from generate import describe_machine, install_original
from hybridfactory.realism.classify import Separation, combine, tell_apart
from hybridfactory.realism.trial import Trial, deal
from hybridfactory.realism.view import View, spikes_in_view
from hybridfactory.recording.flat import FlatRecording, open_flat_recording
from realism_contestants import Contestant, Events, Task, fresh_true_events, mean_template, ours, tool_of_2018
from realism_worlds import Unit, World, worlds

FLOOR, THE_2018_TOOL = "fresh true events", "tool of 2018"
NUM_NEAR = 12
QUIET_S = 0.008
MARGIN_S = 0.025
FEW_SPIKES = 800
ALL = 2**62
LEVELS = {"SNR < 12": (0, 12), "12–20": (12, 20), "> 20": (20, np.inf)}


@dataclass(frozen=True)
class Score:
    """What the judge says about one unit of one contestant."""

    recording: str
    contestant: str
    unit: int
    snr: float
    num_real: int
    num_injected: int
    auc: dict[str, float]
    largest: float
    interval: tuple[float, float]
    reason: str
    seconds: float


def contestants(original: Path | None) -> dict[str, Contestant]:
    found = {FLOOR: fresh_true_events, "shrunk_svd": ours("shrunk_svd"), "shrunk_svd, auto": ours("shrunk_svd", None)}
    found["derivative_svd"] = ours("derivative_svd")
    found["mean template"] = mean_template
    if original:
        found[THE_2018_TOOL] = tool_of_2018(original)
    return found


def judge(world: World, recording: FlatRecording, unit: int, contestant: str, original: Path | None) -> Score:
    """Let the classifiers look at one unit; where spikes are few, the halves are exchanged and the two averaged."""
    began = time.perf_counter()
    donor = world.units[unit]
    parts, counts, reason = [], [], ""
    for swap in (False, True) if donor.spikes.size < FEW_SPIKES else (False,):
        trial = deal(
            recording,
            donor.spikes,
            quiet_samples=round(QUIET_S * world.frequency),
            margin_samples=round(MARGIN_S * world.frequency),
            max_donors=ALL,
            max_events=ALL,
            random=np.random.default_rng(unit),
            swap=swap,
        )
        task = Task(world, recording, donor, trial.donors, unit)
        is_real_floor = contestant == FLOOR and donor.events is None
        events = None if is_real_floor else contestants(original)[contestant](task)
        if isinstance(events, str):
            reason = events
            continue
        parts.append(_tell(world, trial, donor.main, events, unit))
        counts.append((trial.real.size, trial.donors.size if is_real_floor else trial.placed.size))
    result = combine(parts) if parts else Separation({}, {})
    num_real, num_injected = np.sum(counts, axis=0).tolist() if counts else (0, 0)
    largest, interval = (result.largest, result.interval) if parts else (float("nan"), (0.0, 1.0))
    facts = (world.name, contestant, unit, donor.snr, num_real, num_injected)
    return Score(*facts, result.auc, largest, interval, reason, time.perf_counter() - began)


def _tell(world: World, trial: Trial, main: int, events: Events | None, seed: int) -> Separation:
    """Add events (None: nothing), and hold them against the other half."""
    near = np.argsort(np.linalg.norm(world.positions - world.positions[main], axis=1), kind="stable")[:NUM_NEAR]
    view = View(world.frequency, np.arange(len(world.positions)), near)
    hybrid = world.traces
    placed, bursts = trial.donors, trial.donor_bursts
    if events:
        placed, bursts = trial.placed, trial.placed_bursts
        total = world.traces.astype(np.float32)
        for sample, waveform in zip(placed, events.waveforms[trial.has_place], strict=True):
            start = sample - events.before
            total[start : start + len(waveform)] += waveform
        limits = np.iinfo(world.traces.dtype)
        hybrid = np.rint(total).clip(limits.min, limits.max).astype(world.traces.dtype)
    real = spikes_in_view(view, lambda start, stop: world.traces[start:stop], trial.real)
    injected = spikes_in_view(view, lambda start, stop: hybrid[start:stop], placed)
    return tell_apart(real, injected, trial.real_bursts, bursts, seed=seed)


def save(world: World, folder: Path) -> None:
    """Write a recording for the workers, and as the file that contestants read."""
    folder.mkdir()
    world.traces.tofile(folder / "recording.bin")
    facts = {"name": world.name, "frequency": world.frequency, "positions": world.positions}
    np.savez(folder / "world.npz", count=len(world.units), **facts)
    for number, unit in enumerate(world.units):
        known = {"events": unit.events} if unit.events is not None else {}
        np.savez(folder / f"unit{number}.npz", snr=unit.snr, main=unit.main, spikes=unit.spikes, **known)


@lru_cache(maxsize=1)
def load(folder: Path) -> tuple[World, FlatRecording]:
    facts = np.load(folder / "world.npz")
    traces = np.fromfile(folder / "recording.bin", dtype=np.int16).reshape(-1, len(facts["positions"]))
    units = []
    for number in range(int(facts["count"])):
        stored = np.load(folder / f"unit{number}.npz")
        events = stored.get("events")
        units.append(Unit(float(stored["snr"]), int(stored["main"]), stored["spikes"], events))
    recording = open_flat_recording(
        [folder / "recording.bin"],
        start_samples=[0],
        dtype=traces.dtype,
        num_rows=traces.shape[1],
        sampling_frequency=float(facts["frequency"]),
    )
    return World(str(facts["name"]), traces, float(facts["frequency"]), facts["positions"], units), recording


def work(folder: Path, unit: int, contestant: str, original: Path | None) -> Score:
    return judge(*load(folder), unit, contestant, original)


def run_world(pool: Executor, world: World, folder: Path, names: list[str], original: Path | None) -> list[Score]:
    save(world, folder)
    jobs = [
        pool.submit(work, folder, unit, contestant, original)
        for unit in range(len(world.units))
        for contestant in names
    ]
    scores = []
    for job in jobs:
        score = job.result()
        what = score.reason or f"{score.largest:.3f} ({score.interval[0]:.2f}–{score.interval[1]:.2f})"
        say(f"  unit {score.unit} (SNR {score.snr:.0f}) {score.contestant}: {what}, {score.seconds:.1f} s")
        scores.append(score)
    return scores


def summarize(scores: list[Score]) -> list[dict[str, Any]]:
    """One row for each recording and contestant: median and worst over units, and the median at each SNR."""
    rows = []
    for recording, contestant in dict.fromkeys((score.recording, score.contestant) for score in scores):
        mine = [score for score in scores if (score.recording, score.contestant) == (recording, contestant)]
        mine = [score for score in mine if not score.reason]
        values = np.array([score.largest for score in mine])
        snr = np.array([score.snr for score in mine])
        row: dict[str, Any] = {"recording": recording, "contestant": contestant, "units": len(mine)}
        if mine:
            row |= {"median": float(np.median(values)), "worst": float(values.max())}
            for level, (low, high) in LEVELS.items():
                if (here := (snr >= low) & (snr < high)).any():
                    row[level] = float(np.median(values[here]))
        rows.append(row)
    return rows


def print_table(rows: list[dict[str, Any]]) -> None:
    columns = ["median", "worst", *LEVELS]
    recording = ""
    for row in rows:
        if row["recording"] != recording:
            recording = row["recording"]
            print(f"\n{recording:28}" + "".join(f"{column:>10}" for column in columns))
        cells = [f"{row[column]:.3f}" if column in row else "–" for column in columns]
        print(f"  {row['contestant']:26}" + "".join(f"{cell:>10}" for cell in cells))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short recording, two units")
    parser.add_argument("--original", action="store_true", help="the tool of 2018 too")
    parser.add_argument("--only", metavar="WORDS", default="", help="recordings whose name holds these words")
    asked = parser.parse_args()
    began = time.perf_counter()
    scores: list[Score] = []
    with TemporaryDirectory() as name, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        original = install_original(Path(name) / "original") if asked.original else None
        python = original.with_name("python") if original else None
        for number, (title, make) in enumerate(worlds(pool, quick=asked.quick)):
            if asked.only not in title or (asked.quick and not asked.only and title != "own, bursts, widths, drift"):
                continue
            say(f"{title}: making it")
            world = make(title)
            if asked.quick:
                world = replace(world, units=[world.units[index] for index in (2, 4)])
            scores += run_world(pool, world, Path(name) / str(number), list(contestants(python)), python)
    rows = summarize(scores)
    print_table(rows)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"realism-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    machine = describe_machine() | {"scikit-learn": version("scikit-learn")}
    content = {"machine": machine, "seconds": time.perf_counter() - began, "table": rows}
    content["scores"] = [vars(score) for score in scores]
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"\n{time.perf_counter() - began:.0f} s; written to benchmarks/results/{path.name}")


if __name__ == "__main__":
    main()
