"""Wall time and peak memory of making a hybrid recording, against copying the file.

    python benchmarks/generate.py                        all cases: 16 GB of free disk, most of an hour
    python benchmarks/generate.py --quick                a smoke run, under a minute
    python benchmarks/generate.py --cases ten long --original
    python benchmarks/generate.py --cases huge --cold    larger than most machines' memory: 70 GB of free disk

In turn, in one run: `cp`; `hybridfactory generate` (a new process each time, so start-up, model fitting and ground
truth count); SpikeInterface's `generate_hybrid_recording` + `save` with two jobs, in the same environment; and with
--original, once a case, the tool of 2018 (hybridfactory 0.1.0b1) in an environment of its own. They don't do the
same work: SpikeInterface injects generated templates, one per unit times a random factor, and writes the connected
rows; hybridfactory learns from each donor's spikes how the unit varies, while it copies all rows in the background.
How lifelike the events are is measured by realism.py.

Before each timing the last target is removed, dirty pages are written out, and the source is read once, so that all
find it in the page cache (as far as it fits); with --cold it is taken out of there. The clock runs until the target
has been seen onto the disk by fsync. `cp` and SpikeInterface write through the page cache, hybridfactory around it.
"cpu" is the processor time of the process tree: where others use the machine, it says more than the clock. An untimed
run first compiles what is compiled once.

Memory is measured in one more run of each, which isn't timed: looking takes a seventh of a core. (The tool of 2018,
which takes long, is timed and looked at together.) It is the sum of proportional set sizes over the process tree,
from smaps_rollup every 50 ms: shared pages count once, the page cache only where it is mapped; "own" leaves mapped
files out, which the kernel can drop at any time.

Recordings are simulated: 10 s of coloured noise, repeated, and spikes added one by one, at least 30 per donor. Each
donor gives one unit or several, and their events follow its spikes.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.probes import eMouse, neuropixels3a
from memory_watch import MemoryWatch

FREQUENCY = 30_000
TILE_SAMPLES = 10 * FREQUENCY
BEFORE, AFTER = 20, 40
# Python keeps what it has compiled, as it does for everybody who doesn't forbid it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ORIGINAL = "hybridfactory==0.1.0b1 numpy==1.23.5 pandas==1.5.3 scipy==1.10.1 h5py==3.8.0"
ORIGINAL += " scikit-learn==1.3.2 matplotlib==3.7.5"


@dataclass(frozen=True)
class Case:
    """A recording, and what is injected into it."""

    rows: int
    seconds: int
    units: int
    rate_hz: float
    units_per_donor: int = 1

    def __str__(self) -> str:
        donors = f" of {self.donors} donors" if self.units_per_donor > 1 else ""
        return f"{self.rows} rows × {self.seconds} s, {self.units} units{donors} × {self.rate_hz:g} Hz"

    @property
    def donors(self) -> int:
        """Units that are in the recording."""
        return self.units // self.units_per_donor


CASES = {
    "small": [Case(34, 60, 5, 5.0)],
    "ten": [Case(385, 60, 10, 5.0)],
    "long": [Case(385, 300, 10, 5.0)],
    "many": [Case(385, 60, 200, 10.0, units_per_donor=20)],
    "donors": [Case(385, 60, 200, 10.0)],
    "growth": [Case(385, seconds, 10, 5.0) for seconds in (30, 60, 120, 240)],
    "huge": [Case(385, 1500, 10, 5.0)],
}
USUAL = [name for name in CASES if name != "huge"]
QUICK = Case(34, 6, 2, 12.0)
PROBES = {34: eMouse, 385: neuropixels3a}

PARAMS = """\
import numpy as np
from hybridfactory.probes import {probe}

data_directory = "{folder}/sorting"
raw_source_file = "{folder}/recording.bin"
data_type = np.int16
sample_rate = {frequency}
ground_truth_units = list(range(1, {donors} + 1))
units_per_donor = {units_per_donor}
start_time = 0
probe = {probe}()
random_seed = 1
output_type = "phy"
output_directory = "{folder}/out"
copy = True
"""


@dataclass(frozen=True)
class Run:
    """One run of one contestant; NaN for what wasn't measured in it."""

    case: str
    contestant: str
    seconds: float
    cpu_s: float
    events: int
    peak_mb: float
    own_mb: float
    error: str


def simulate(case: Case, folder: Path) -> None:
    """Write the recording, its sorting as phy has it, and the parameter file."""
    random = np.random.default_rng(0)
    probe = PROBES[case.rows]()
    rows, positions = probe.connected_rows, probe.channel_positions[probe.connected]
    templates = make_templates(case.donors, positions, random)
    samples, units = fire(case, random)
    amplitudes = random.normal(1, 0.1, samples.size)
    tile = make_noise(min(TILE_SAMPLES, case.seconds * FREQUENCY), case.rows, random)
    visible = [np.flatnonzero(np.abs(template).max(axis=0) > 1) for template in templates]
    with (folder / "recording.bin").open("wb") as stream:
        for start in range(0, case.seconds * FREQUENCY, len(tile)):
            block = tile[: case.seconds * FREQUENCY - start].copy()
            for index in range(*np.searchsorted(samples, [start, start + len(block)])):
                unit, at = units[index], samples[index] - start
                window = np.arange(at - BEFORE, at + AFTER + 1)[:, np.newaxis]
                wave = np.rint(amplitudes[index] * templates[unit][:, visible[unit]])
                block[window, rows[visible[unit]]] += wave.astype(np.int16)
            stream.write(block.data)
    sorting = folder / "sorting"
    sorting.mkdir()
    np.save(sorting / "spike_times.npy", samples.astype(np.uint64))
    np.save(sorting / "spike_clusters.npy", units.astype(np.int32))
    np.save(sorting / "spike_templates.npy", units.astype(np.int32))
    np.save(sorting / "amplitudes.npy", amplitudes)
    np.save(sorting / "templates.npy", templates)
    np.save(sorting / "channel_map.npy", rows.astype(np.int32))
    np.save(sorting / "channel_positions.npy", positions)
    given = {"donors": case.donors, "units_per_donor": case.units_per_donor}
    text = PARAMS.format(probe=PROBES[case.rows].__name__, folder=folder, frequency=FREQUENCY, **given)
    (folder / "params.py").write_text(text, encoding="utf-8")


def make_templates(num_units: int, positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Units along the probe: a trough with a slow tail, without which the tool of 2018 finds no place for them."""
    t = np.arange(-BEFORE, AFTER + 1)[:, np.newaxis] / FREQUENCY * 1e3
    order = np.argsort(positions[:, 1], kind="stable")
    templates = []
    for center in positions[order[(np.linspace(0.1, 0.9, num_units) * len(order)).astype(int)]]:
        distance = np.linalg.norm(positions - center, axis=1)
        height = random.uniform(80, 250) * np.exp(-distance / random.uniform(30, 40))
        lag = distance / 600  # the spike travels
        tail = np.exp(-np.maximum(t - lag, 0) / 1.0) * (t > lag)
        templates.append(height * -(np.exp(-(((t - lag) / 0.12) ** 2)) + 0.25 * tail))
    return np.array(templates, dtype=np.float32)


def fire(case: Case, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Poisson trains with a dead time of 3 ms; no spike lies over the edge of a tile."""
    times, units = [], []
    for unit in range(case.donors):
        intervals = 0.003 + random.exponential(1 / case.rate_hz - 0.003, int(case.seconds * case.rate_hz * 2) + 60)
        samples = np.rint(np.cumsum(intervals) * FREQUENCY).astype(np.int64)
        inside = (samples % TILE_SAMPLES > 100) & (samples % TILE_SAMPLES < TILE_SAMPLES - 100)
        samples = samples[inside & (samples < case.seconds * FREQUENCY - 100)]
        if samples.size < 30:
            raise SystemExit(f"{case}: unit {unit} has only {samples.size} spikes")
        times.append(samples)
        units.append(np.full(samples.size, unit))
    order = np.argsort(np.concatenate(times), kind="stable")
    return np.concatenate(times)[order], np.concatenate(units)[order]


def make_noise(num_samples: int, num_rows: int, random: np.random.Generator) -> np.ndarray:
    """Noise of 10 counts that resembles the sample before and the row beside; samples × rows, int16."""
    tile = np.zeros((num_samples, num_rows), dtype=np.int16)
    for start in range(0, num_samples, FREQUENCY):
        white = random.standard_normal((FREQUENCY + 1, num_rows), dtype=np.float32)
        in_time = white[1:] + 0.8 * white[:-1]
        both = in_time[:, 1:] + 0.5 * in_time[:, :-1]
        # The last row carries no neurons on either probe.
        tile[start : start + FREQUENCY, :-1] = np.rint(both * np.float32(7))
    return tile


def contestants(case: Case, folder: Path, original: Path | None) -> Iterator[tuple[str, list[str], Path]]:
    """Name, command, and the file that the command leaves."""
    out, params = folder / "out", str(folder / "params.py")
    yield "cp", ["cp", str(folder / "recording.bin"), str(out / "copy.bin")], out / "copy.bin"
    ours = [sys.executable, "-m", "hybridfactory", "generate", params, "--silent"]
    yield "hybridfactory", ours, out / "recording.GT.bin"
    theirs = [sys.executable, str(Path(__file__).resolve()), "--spikeinterface", str(folder)]
    yield "SpikeInterface", [*theirs, *map(str, astuple(case)[:4])], out / "si" / "traces_cached_seg0.raw"
    if original and case.units_per_donor == 1:  # it knew no other
        yield "2018", ["timeout", "1h", str(original), "generate", params, "--silent"], out / "recording.GT.bin"


def run_spikeinterface(folder: Path, case: Case) -> None:
    """Inject as many generated units, at the same rate."""
    import spikeinterface.core as si  # noqa: PLC0415
    from spikeinterface.generation import generate_hybrid_recording  # noqa: PLC0415

    probe = PROBES[case.rows]()
    contacts = probe.to_probeinterface()
    contacts.set_device_channel_indices(np.arange(probe.connected_rows.size))
    raw = si.read_binary(folder / "recording.bin", FREQUENCY, "int16", case.rows)
    recording = raw.select_channels(probe.connected_rows)
    attached = recording.set_probe(contacts)  # in place since 0.105, a new recording before
    firing = {"num_units": case.units, "firing_rates": case.rate_hz, "refractory_period_ms": 4.0, "seed": 1}
    host = recording if attached is None else attached
    hybrid, truth = generate_hybrid_recording(host, generate_sorting_kwargs=firing, seed=1)
    hybrid.save(folder=folder / "out" / "si", n_jobs=2, chunk_duration="1s", progress_bar=False, verbose=False)
    np.save(folder / "out" / "firings_true.npy", np.zeros((3, truth.count_total_num_spikes())))  # only how many


def install_original(folder: Path) -> Path | None:
    """Set up the tool of 2018 with the latest libraries that it runs with; None if that cannot be done here."""
    python = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    say("2018: installing hybridfactory 0.1.0b1" if python else "2018: left out, since there is no python3.11 here")
    if python is None:
        return None
    command = folder / "bin" / "hybridfactory"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        for step in ([python, "-m", "venv", str(folder)], [*pip, *ORIGINAL.split()], [str(command), "--help"]):
            subprocess.run(step, check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        say(f"2018: left out, since it cannot be installed here: {last_line(error.stderr)}")
        return None
    return command


def measure(
    case: Case,
    folder: Path,
    contestant: str,
    command: list[str],
    target: Path,
    *,
    timed: bool,
    watched: bool,
    cold: bool,
) -> Run:
    """Run a contestant from the same starting point as all others."""
    source = folder / "recording.bin"
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    os.sync()
    with source.open("rb") as stream:
        if cold:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while not cold and stream.read(16 << 20):
            pass
    with tempfile.TemporaryFile() as messages:
        began, used = time.perf_counter(), os.times()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages, cwd=folder, env=ENVIRONMENT)
        watch = MemoryWatch(process.pid)
        if watched:
            watch.start()
        process.wait()
        if target.exists():
            with target.open("rb") as stream:
                os.fsync(stream.fileno())
        seconds = time.perf_counter() - began
        watch.stop()
        messages.seek(0)
        error = (last_line(messages.read()) or f"exit code {process.returncode}") if process.returncode else ""
    error = error or ("wrote too little" if target.stat().st_size < 0.9 * source.stat().st_size else "")
    spent = os.times()
    cpu_s = spent.children_user + spent.children_system - used.children_user - used.children_system
    truth = folder / "out" / "firings_true.npy"
    events = np.load(truth).shape[1] if truth.exists() else 0
    error = error or ("injected nothing" if not events and contestant != "cp" else "")
    times = (seconds, cpu_s) if timed else (np.nan, np.nan)
    memory = (watch.peak / 1e6, watch.own / 1e6) if watched else (np.nan, np.nan)
    return Run(str(case), contestant, *times, events, *memory, error)


def run_case(case: Case, folder: Path, repeats: int, original: Path | None, *, cold: bool = False) -> list[Run]:
    num_bytes = 2 * case.rows * case.seconds * FREQUENCY
    if shutil.disk_usage(folder).free < 2.2 * num_bytes:
        say(f"{case}: left out, since it needs {2.2e-9 * num_bytes:.0f} GB of free disk")
        return []
    runs = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        say(f"{case}: simulating {num_bytes / 1e9:.1f} GB")
        simulate(case, Path(name))
        for repeat in range(repeats + 1):
            turns = list(contestants(case, Path(name), original if repeat == 0 else None))
            timed = repeat < repeats
            # Whoever comes first changes, so that no one always follows the same neighbour.
            for contestant, command, target in turns[repeat % 3 :] + turns[: repeat % 3]:
                how = {"timed": timed, "watched": not timed or contestant == "2018", "cold": cold}
                run = measure(case, Path(name), contestant, command, target, **how)
                outcome = run.error or (f"{run.seconds:.2f} s" if timed else f"peak {run.peak_mb:.0f} MB")
                say(f"{case}: {f'{repeat + 1}/{repeats}' if timed else 'memory'} {contestant}: {outcome}")
                if run.error and contestant != "2018":
                    raise SystemExit(f"{contestant} failed: {run.error}")
                runs.append(run)
    return runs


def summarize(runs: list[Run]) -> dict[str, dict[str, dict[str, float]]]:
    """Case → contestant → medians of times, ratio to `cp`, and largest memory."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for case, contestant in dict.fromkeys((run.case, run.contestant) for run in runs if not run.error):
        mine = [run for run in runs if (run.case, run.contestant, run.error) == (case, contestant, "")]
        seconds = [run.seconds for run in mine if not np.isnan(run.seconds)]
        low, median, high = np.quantile(seconds, [0, 0.5, 1]).tolist()
        rows = table.setdefault(case, {})
        row = rows[contestant] = {"runs": len(seconds), "median_s": median, "min_s": low, "max_s": high}
        row["times_cp"] = median / rows["cp"]["median_s"]  # in the first turn, cp comes first
        row |= {"cpu_s": float(np.nanmedian([run.cpu_s for run in mine])), "events": mine[0].events}
        row |= {key: float(np.nanmax([getattr(run, key) for run in mine])) for key in ("peak_mb", "own_mb")}
    return table


def fit_growth(table: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Straight line through each contestant's medians over the growth series."""
    series = [case for case in CASES["growth"] if str(case) in table]
    lines: dict[str, dict[str, float]] = {}
    for contestant in table[str(series[0])] if len(series) == len(CASES["growth"]) else ():
        medians = [table[str(case)][contestant]["median_s"] for case in series if contestant in table[str(case)]]
        if len(medians) == len(series):
            slope, offset = np.polyfit([case.seconds / 60 for case in series], medians, 1).tolist()
            copying = lines["cp"]["s_per_min"] if lines else slope
            lines[contestant] = {"s_per_min": slope, "s_at_0": offset, "times_cp": slope / copying}
    return lines


def known(run: Run) -> dict[str, Any]:
    """What was measured in a run."""
    return {key: value for key, value in asdict(run).items() if value == value}  # noqa: PLR0124


def print_rows(title: str, rows: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}\n{'':<15}" + "".join(f"{key:>10}" for key in next(iter(rows.values()))))
    for name, values in rows.items():
        print(f"{name:<15}" + "".join(f"{value:>10.{0 if value == int(value) else 2}f}" for value in values.values()))


def describe_machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    state = {"cpus": len(os.sched_getaffinity(0)), "memory_gb": round(memory / 1e9, 1), "load": os.getloadavg()[0]}
    state |= {"kernel": platform.release(), "python": platform.python_version()}
    return state | {name: version(name) for name in ("hybridfactory", "spikeinterface", "numpy", "numba")}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or [""])[-1]


def main() -> None:
    if sys.argv[1:2] == ["--spikeinterface"]:  # this script as one of its own contestants
        rows, seconds, units, rate_hz = sys.argv[3:]
        run_spikeinterface(Path(sys.argv[2]), Case(int(rows), int(seconds), int(units), float(rate_hz)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small case, once")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=USUAL)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--original", action="store_true", help="the tool of 2018 too: minutes to an hour a case")
    parser.add_argument("--cold", action="store_true", help="sources are not in the page cache")
    parser.add_argument("--folder", type=Path, help="where to work (default: the folder for temporary files)")
    asked = parser.parse_args()
    cases = [QUICK] if asked.quick else list(dict.fromkeys(case for name in asked.cases for case in CASES[name]))
    machine = describe_machine()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        original = install_original(Path(name) / "original") if asked.original else None
        say("warming up, not counted")
        run_case(QUICK, Path(name), 1, None)
        for case in cases:
            runs += run_case(case, Path(name), 1 if asked.quick else asked.repeats, original, cold=asked.cold)
    table = summarize(runs)
    lines = fit_growth(table)
    for title, rows in [*table.items(), *([("growth with length", lines)] if lines else [])]:
        print_rows(title, rows)
    path = Path(__file__).parent / "results" / f"generate-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(exist_ok=True)
    content = {
        "machine": machine,
        "cold": asked.cold,
        "table": table,
        "growth": lines,
        "runs": [known(run) for run in runs],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"\nwritten to benchmarks/results/{path.name}")


if __name__ == "__main__":
    main()
