"""Wall time and peak memory of comparing a sorting with the truth, where both are large.

    python benchmarks/validate.py              a million true events, ten million found spikes, nine million native
    python benchmarks/validate.py --quick      a hundredth of that, as a smoke run

An hour of a long probe: 100 injected units and 900 native ones, their trains Poisson. The sorter finds the native
units and the injected ones with a lag of 5 samples and a jitter of up to 3; a tenth of the injected units it splits,
a tenth it merges with a native unit, and from all of them it loses a tenth of the events. Everything that needs no
recording is computed, as `hybridfactory.validate` does it: lag, matching, greedy merge, merges, confusion matrix,
nearest other spikes, reasons, curves with their bands, origin of false positives, baseline.

The spikes are made in the parent and handed over as files; the comparison runs in a process of its own, so that
neither the memory of making them nor compiled code left from it counts. Seconds are the whole life of that process,
with imports and what numba compiles; "cpu" is its processor time, which says more where others use the machine. Peak
memory is the most that it ever had resident. Linux only.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hybridfactory.sorting import FoundSorting, FoundSpikes
from hybridfactory.validation.hybrid import Hybrid
from hybridfactory.validation.natives import OriginalSorting
from hybridfactory.validation.score import Settings, score_sorting
from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.surroundings import survey
from hybridfactory.validation.tested import lay_on_timeline
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Natives, Truth

FREQUENCY = 30_000
NUM_INJECTED, NUM_NATIVE = 100, 900
SECONDS = 3600
EVENTS, NATIVE_SPIKES = 1_000_000, 9_100_000
LAG, JITTER = 5, 3
LIMIT_S, LIMIT_GB = 30, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the spikes and of the time")
    parser.add_argument("--repeats", type=int, default=1, help="runs, each in a new process")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file too")
    parser.add_argument("--compare", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compare:
        compare(options.compare)
        return
    scale = 100 if options.quick else 1
    with tempfile.TemporaryDirectory() as scratch:
        make_spikes(Path(scratch), scale)
        runs = [run_once(scratch) for _ in range(options.repeats)]
    for run in runs:
        print(
            f"{run['events']:,} true events, {run['found']:,} found and {run['native']:,} native spikes: "
            f"{run['seconds']:.1f} s ({run['cpu']:.1f} s cpu), {run['peak_gb']:.2f} GB at most"
        )
    best = min(run["seconds"] for run in runs)
    peak = max(run["peak_gb"] for run in runs)
    is_met = best < LIMIT_S and peak < LIMIT_GB
    print(f"{'within' if is_met else 'NOT within'} {LIMIT_S} s and {LIMIT_GB} GB")
    if options.output:
        where = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.platform(),
            "versions": {name: version(name) for name in ("numpy", "numba", "pandas", "spikeinterface")},
        }
        options.output.write_text(json.dumps({**where, "runs": runs}, indent=1) + "\n", encoding="utf-8")


def run_once(scratch: str) -> dict[str, float]:
    begin = time.perf_counter()
    run = json.loads(subprocess.check_output([sys.executable, __file__, "--compare", scratch], text=True))
    return {**run, "seconds": time.perf_counter() - begin}


def make_spikes(folder: Path, scale: int) -> None:
    rng = np.random.default_rng(0)
    length = SECONDS * FREQUENCY // scale
    places = {}
    for name, count, units in (("true", EVENTS, NUM_INJECTED), ("native", NATIVE_SPIKES, NUM_NATIVE)):
        places[name] = np.sort(rng.integers(1000, length - 1000, count // scale))
        np.save(folder / f"{name}_places.npy", places[name])
        labels = rng.integers(0, units, count // scale).astype(np.int32)
        np.save(folder / f"{name}_units.npy", labels)
        places[f"{name}_units"] = labels
    found = places["true_units"].copy()
    halves = rng.random(found.size) < 0.4
    is_split = found < NUM_INJECTED // 10
    found[is_split & halves] += NUM_INJECTED + NUM_NATIVE
    is_merged = (found >= NUM_INJECTED // 10) & (found < NUM_INJECTED // 5)
    found[is_merged] += NUM_INJECTED
    kept = rng.random(found.size) < 0.9
    times = np.concatenate([places["true"][kept] + rng.integers(-JITTER, JITTER + 1, kept.sum()), places["native"]])
    labels = np.concatenate([found[kept], places["native_units"] + NUM_INJECTED]).astype(np.int32)
    order = np.argsort(times, kind="stable")
    np.save(folder / "found_places.npy", times[order] + LAG)
    np.save(folder / "found_units.npy", labels[order])
    positions = np.stack([rng.uniform(0, 60, NUM_INJECTED + NUM_NATIVE), rng.uniform(0, 3840, 1000)], axis=1)
    np.save(folder / "positions.npy", positions)
    np.save(folder / "length.npy", length)


def compare(folder: Path) -> None:
    names = ("true", "native", "found")
    places, units = ({name: np.load(folder / f"{name}_{part}.npy") for name in names} for part in ("places", "units"))
    positions = np.load(folder / "positions.npy")
    count = places["true"].size
    truth = Truth(
        timeline=Timeline(np.zeros(1, np.int64), np.array([int(np.load(folder / "length.npy"))]), float(FREQUENCY)),
        spikes=Spikes(places["true"], units["true"], NUM_INJECTED),
        labels=1000 + np.arange(NUM_INJECTED),
        donor_labels=np.arange(NUM_INJECTED),
        center_rows=np.arange(NUM_INJECTED),
        positions_um=positions[:NUM_INJECTED],
        amplitudes=np.random.default_rng(1).gamma(20, 5, count).astype(np.float32),
        noise=np.full(NUM_INJECTED, 10.0),
        shifts_um=np.zeros(count, np.float32),
        donor_places=None,
    )
    natives = Natives(
        Spikes(places["native"], units["native"], NUM_NATIVE), np.arange(NUM_NATIVE), positions[NUM_INJECTED:]
    )
    ids, units_found = np.unique(units["found"], return_inverse=True)
    spikes = FoundSpikes(places["found"], units_found.astype(np.int32))
    found = FoundSorting(ids, (spikes,), float(FREQUENCY), "made", "phy")
    hybrid = Hybrid(folder, "benchmark", truth, original=OriginalSorting(natives, None, folder))
    tested = lay_on_timeline(found, "made", truth)
    result = score_sorting(hybrid, survey(truth, natives), tested, Settings())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "events": count,
                "found": places["found"].size,
                "native": places["native"].size,
                "cpu": used.ru_utime + used.ru_stime,
                "peak_gb": used.ru_maxrss * 1024 / 1e9,
                "lag_ms": result.lag_ms,
                "median_accuracy": result.median_accuracy,
                "merges": len(result.merges),
                "split_units": int((result.units["num_pieces"] > 1).sum()),
            }
        )
    )


if __name__ == "__main__":
    main()
