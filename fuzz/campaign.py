"""Feed many spoilt files to every reader, and report each that ends in anything but a result or one clear line.

``python fuzz/campaign.py --inputs 100000``; input k of a format is the same in every run with the same seed.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS / room) for room in ("fuzz", "sorting", "pipeline")]

from fuzz_targets import MAX_SECONDS, Target, make_targets  # noqa: E402
from matlab_files import opened_here  # noqa: E402
from mutations import mutate  # noqa: E402

from hybridfactory.sorting import mat_process  # noqa: E402

MAX_BYTES = 1 << 30
SHARES = {"npy": 6, "mat": 3, "run": 1}
"""How often a format's turn comes, by the first word of its name; others: 10. Readings of a run take long."""

FORK = multiprocessing.get_context("fork")


def spoilt(target: Target, seed: int, index: int) -> bytes:
    """Input `index` of a target; the first are its seeds."""
    if index < len(target.seeds):
        return target.seeds[index]
    digest = hashlib.sha256(target.name.encode()).digest()
    rng = np.random.default_rng([seed, int.from_bytes(digest[:4], "little"), index])
    return mutate(target.seeds[int(rng.integers(len(target.seeds)))], rng)


def work(target: Target, seed: int, at: "Synchronized[int]", stop: int, log: Path) -> None:
    """Try inputs from `at` on; a fault becomes a line of the log."""
    mat_process.MatProcess = opened_here  # type: ignore[assignment,misc]
    target.check(target.seeds[0])
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MAX_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    counts: Counter[str] = Counter()
    first = at.value
    for index in range(first, stop):
        at.value = index
        try:
            counts["refused" if target.check(spoilt(target, seed, index)) else "read"] += 1
        except Exception as error:  # noqa: BLE001 - every exception is a find
            counts["faults"] += 1
            frames = traceback.extract_tb(error.__traceback__)
            place = next(
                (f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames) if "hybridfactory" in f.filename), ""
            )
            note(log, target, index, f"{type(error).__name__}: {str(error)[:200]}", place)
        if (index + 1) % 100 == 0 or index + 1 == stop:
            # Counts of a worker that breaks down are lost from here on.
            note(log, target, -1, json.dumps(counts), "")
            counts.clear()
    at.value = stop


def note(log: Path, target: Target, index: int, what: str, place: str) -> None:
    """Add a line to the log."""
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([target.name, index, what, place]) + "\n")


def run_target(target: Target, seed: int, count: int, log: Path) -> None:
    """Try `count` inputs in processes that may break down: what brought one down is tried as users would read it."""
    at = FORK.Value("q", 0)
    while at.value < count:
        worker = FORK.Process(target=work, args=(target, seed, at, count, log))
        worker.start()
        before, since = at.value, time.monotonic()
        while worker.is_alive():
            worker.join(1)
            if at.value != before:
                before, since = at.value, time.monotonic()
            if time.monotonic() - since > 3 * MAX_SECONDS:
                worker.kill()
                worker.join()
        if at.value < count:
            retry(target, seed, at.value, worker.exitcode, log)
            at.value += 1


def retry(target: Target, seed: int, index: int, code: int | None, log: Path) -> None:
    """Read what ended a worker in the way in which users read it."""
    try:
        message = target.check(spoilt(target, seed, index))
        note(log, target, index, f"reader ended with {code}; users read: {message}", "harmless" if message else "")
    except Exception as error:  # noqa: BLE001 - every exception is a find
        note(log, target, index, f"reader ended with {code}; users get {type(error).__name__}: {error}", "")


def main() -> None:
    """Run all targets, side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=max(len(os.sched_getaffinity(0)) - 1, 1))
    parser.add_argument("--only", default="", help="targets whose name holds this")
    parser.add_argument("--log", type=Path, default=Path("fuzz-finds.jsonl"))
    options = parser.parse_args()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    options.log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        targets = [t for name, t in make_targets(Path(folder)).items() if options.only in name]
        shares = {t.name: SHARES.get(t.name.split()[0], 10) for t in targets}
        waiting = sorted(targets, key=lambda t: shares[t.name])
        running: list[multiprocessing.Process] = []
        while waiting or running:
            running = [process for process in running if process.is_alive()]
            while waiting and len(running) < options.workers:
                target = waiting.pop(0)
                count = -(-options.inputs * shares[target.name] // sum(shares.values()))
                running.append(FORK.Process(target=run_target, args=(target, options.seed, count, options.log)))
                running[-1].start()
            time.sleep(0.2)
    sys.exit(report(options.log))


def report(log: Path) -> int:
    """Print the sums, and each kind of fault once; 1 if there are faults."""
    sums: Counter[str] = Counter()
    faults: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(encoding="utf-8").splitlines():
        name, index, what, place = json.loads(line)
        if index < 0:
            sums.update(json.loads(what))
        elif place == "harmless":
            sums["refused, as the reading process broke down"] += 1
        else:
            faults[f"{place} {what[:90]}", name] += 1
    lines = [f"{sum(sums.values())} inputs: {', '.join(f'{count} {what}' for what, count in sums.items())}"]
    lines += [f"{count} × {name}: {what}" for (what, name), count in faults.most_common()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    main()
