"""Can a classifier tell injected events from real ones? Simulated truth, three classifiers, area under the ROC curve.

    python benchmarks/realism.py             both recordings, six units each: a few minutes
    python benchmarks/realism.py --quick     one short recording, a smoke run

Two simulated recordings of 32 sites: in one every unit keeps its shape, in the other it shrinks and widens within
bursts and drifts by 8 µm. Both have coloured noise that is shared between neighbours, a slow potential six times as
large, 25 background units, and six test units of 6 to 30 × noise.

Each test unit's bursts are dealt into two halves. One half stays as it is: the real class. From the other half events
are built, and added on the same sites at times when the unit is silent, burst by burst: the injected class. No event
has its twin in the other class. Both are then seen as a sorter sees them, 300-6000 Hz and less the common median, on
the twelve sites nearest to the unit. 0.5 means that nobody can tell; "true waveform" injects the simulated waveforms
themselves and is the floor that remains from the finite number of events and from taking the largest of three.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from hybridfactory.events.alignment import NUM_PHASES, PAD, shift
from hybridfactory.events.derivative import FittedDerivative, fit_derivative
from hybridfactory.events.fit import FittedUnit, TooFewSpikes, fit_unit

FREQUENCY = 30_000
NOISE = 10.0
BEFORE = AFTER = 40
QUIET = 240  # samples between one burst and the next; the filter's memory
SEEN_BEFORE, SEEN_AFTER = 20, 40
POSITIONS = np.column_stack([np.tile([43.0, 11, 59, 27], 8), 20.0 * (1 + np.repeat(np.arange(16), 2))])


@dataclass(frozen=True, eq=False)
class World:
    """A simulated recording, and the same without noise and without background units."""

    traces: NDArray[np.int16]
    clean: NDArray[np.float32]
    trains: list[NDArray[np.int64]]


def simulate(seconds: int, changing: bool, seed: int) -> World:
    random = np.random.default_rng(seed)
    num_samples = seconds * FREQUENCY
    background = make_noise(num_samples, random)
    for _ in range(25):
        place = (random.uniform(0, 70), random.uniform(0, 340), random.uniform(25, 60))
        times = fire(random, random.uniform(1, 6), seconds, bursts=False)
        height, width = random.uniform(20, 70), random.uniform(0.7, 1.4)
        add_unit(background, place, width, height, times, np.zeros(times.size), 0)
    clean = np.zeros_like(background)
    trains = []
    for unit, height in enumerate((8, 10, 15, 25, 25, 40)):
        times = fire(random, 12, seconds, bursts=True)
        place = (random.uniform(10, 60), 60 + 46 * unit, random.uniform(15, 30))
        fatigue = burst_fatigue(times) if changing else np.zeros(times.size)
        drift = 8.0 if changing else 0.0
        add_unit(clean, place, random.uniform(0.8, 1.3), NOISE * height, times, fatigue, drift)
        trains.append(np.rint(times * FREQUENCY).astype(np.int64))
    return World(np.rint(background + clean).clip(-32768, 32767).astype(np.int16), clean, trains)


def make_noise(num_samples: int, random: np.random.Generator) -> NDArray[np.float32]:
    distance = np.linalg.norm(POSITIONS[:, None] - POSITIONS, axis=2)
    mixing = np.linalg.cholesky(0.6 * np.exp(-distance / 40) + 0.4 * np.eye(len(POSITIONS))).astype(np.float32)
    noise = random.standard_normal((num_samples, len(POSITIONS)), dtype=np.float32) @ mixing.T
    noise = signal.lfilter(*signal.butter(1, [200, 7000], "band", fs=FREQUENCY), noise, axis=0)
    slow = signal.lfilter(*signal.butter(2, 60, fs=FREQUENCY), random.standard_normal(num_samples))
    slope = 1 + 0.3 * np.linspace(0, 1, len(POSITIONS))
    return (noise * (NOISE / noise.std()) + slow[:, None] * (6 * NOISE / slow.std()) * slope).astype(np.float32)


def fire(random: np.random.Generator, rate_hz: float, seconds: int, *, bursts: bool) -> NDArray[np.float64]:
    """Spike times in seconds: a renewal process, with spikes in bursts 4 ms and more apart."""
    times, now = [], 0.05
    while now < seconds - 0.05:
        times.append(now)
        while bursts and random.random() < 0.35:
            now += 0.004 + random.exponential(0.004)
            times.append(now)
        now += 0.003 + random.exponential((1.6 if bursts else 1.0) / rate_hz)
    return np.array([time for time in times if time < seconds - 0.05])


def burst_fatigue(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How tired each spike is, from 0 to 1: more with every spike just before."""
    fatigue = np.zeros(times.size)
    for spike, interval in enumerate(np.diff(times), start=1):
        fatigue[spike] = min(1.0, (fatigue[spike - 1] + 0.4) * np.exp(-interval / 0.015)) if interval < 0.1 else 0
    return fatigue


def add_unit(
    traces: NDArray[np.float32],
    place: tuple[float, float, float],
    width: float,
    height: float,
    times: NDArray[np.float64],
    fatigue: NDArray[np.float64],
    drift_um: float,
) -> None:
    for now, tired in zip(times, fatigue, strict=True):
        center = round(now * FREQUENCY)
        lateness = now * FREQUENCY - center
        y = place[1] + drift_um * np.sin(2 * np.pi * now / (len(traces) / FREQUENCY))
        event = waveform((place[0], y, place[2]), width * (1 + 0.15 * tired), lateness)
        traces[center - 60 : center + 91] += (height * (1 - 0.35 * tired) * event).astype(np.float32)


def waveform(place: tuple[float, float, float], width: float, lateness: float) -> NDArray[np.float64]:
    """A spike on all sites, its trough at sample 60: it shrinks, widens and comes later with distance."""
    distance = np.sqrt((POSITIONS[:, 0] - place[0]) ** 2 + (POSITIONS[:, 1] - place[1]) ** 2 + place[2] ** 2)
    t = ((np.arange(-60, 91) - lateness) / FREQUENCY * 1e3)[:, None] - 0.3 * (distance - place[2]) / 400
    w = width * (1 + 0.15 * (distance - place[2]) / 100)
    shape = -np.exp(-((t / (0.12 * w)) ** 2) / 2) + 0.35 * np.exp(-(((t - 0.45 * w) / (0.25 * w)) ** 2) / 2)
    shape += 0.12 * np.exp(-(((t + 0.25) / 0.08) ** 2) / 2)
    return shape * (place[2] / distance) ** 1.6


def windows(traces: NDArray[np.generic], samples: NDArray[np.int64], before: int, after: int) -> NDArray[np.generic]:
    return traces[samples[:, None] + np.arange(-before, after + 1)]


def modelled(fit: Callable[..., object], world: World, spikes: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """Events of one of our models, one for each spike, on all sites."""
    random = np.random.default_rng(seed)
    quiet = free_shifts(random, [np.zeros(1, dtype=np.int64)] * 400, spikes, len(world.traces), 60)
    snippets = windows(world.traces, spikes, BEFORE + PAD, AFTER + PAD)
    background = windows(world.traces, quiet, BEFORE + PAD, AFTER + PAD)
    with threadpool_limits(1):
        fitted = fit(snippets, background, samples_before=BEFORE, max_rank=6, random=random)
        if isinstance(fitted, TooFewSpikes) or not isinstance(fitted, FittedUnit | FittedDerivative):
            raise SystemExit("a test unit has too few clean spikes")
        phases, coefficients, is_clean = fitted.encode(snippets, fitted.is_training)
    clean = np.flatnonzero(is_clean)
    nearest = clean[np.abs(clean[:, None] - np.arange(spikes.size)).argmin(axis=0)]
    events = np.zeros((spikes.size, BEFORE + 1 + AFTER, len(POSITIONS)), dtype=np.float32)
    events[:, :, fitted.columns] = fitted.mean + np.tensordot(coefficients[nearest], fitted.components, axes=1)
    for phase in np.unique(phases[nearest]):
        which = phases[nearest] == phase
        events[which] = shift(events[which], phase / NUM_PHASES)
    return events


def mean_template(world: World, spikes: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """One mean waveform times a normally distributed factor."""
    snippets = windows(world.traces, spikes, BEFORE, AFTER).astype(np.float32)
    mean = (snippets - snippets[:, :8].mean(axis=1, keepdims=True)).mean(axis=0)
    return np.random.default_rng(seed).normal(1, 0.05, (spikes.size, 1, 1)).astype(np.float32) * mean


CONTESTANTS: dict[str, Callable[[World, NDArray[np.int64], int], NDArray[np.float32]]] = {
    "true waveform": lambda world, spikes, _: windows(world.clean, spikes, BEFORE, AFTER).astype(np.float32),
    "shrunk_svd": lambda world, spikes, seed: modelled(fit_unit, world, spikes, seed),
    "derivative_svd": lambda world, spikes, seed: modelled(fit_derivative, world, spikes, seed),
    "mean template": mean_template,
}


def free_shifts(
    random: np.random.Generator,
    bursts: list[NDArray[np.int64]],
    spikes: NDArray[np.int64],
    num_samples: int,
    guard: int,
) -> NDArray[np.int64]:
    """How far to move each burst so that it falls where the unit is silent, and nothing else was moved to."""
    taken = np.zeros(num_samples, dtype=bool)
    for spike in spikes:
        taken[max(0, spike - guard) : spike + guard] = True
    shifts = np.zeros(len(bursts), dtype=np.int64)
    for index, burst in enumerate(bursts):
        length = int(burst[-1] - burst[0])
        for start in random.integers(700, num_samples - 700 - length, size=10_000):
            if not taken[start : start + length + 1].any():
                break
        else:
            raise SystemExit("the recording is too full for the injected bursts")
        taken[max(0, start - guard) : start + length + guard] = True
        shifts[index] = start - burst[0]
    return shifts


def as_a_sorter_sees(traces: NDArray[np.int16]) -> NDArray[np.float32]:
    band = signal.butter(3, [300, 6000], "band", fs=FREQUENCY, output="sos")
    filtered = signal.sosfiltfilt(band, traces.astype(np.float32), axis=0).astype(np.float32)
    return filtered - np.median(filtered, axis=1, keepdims=True)


def auc(real: NDArray[np.float32], injected: NDArray[np.float32]) -> dict[str, float]:
    features = np.concatenate([real, injected]).reshape(len(real) + len(injected), -1)
    labels = np.repeat([0, 1], [len(real), len(injected)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    boosted = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, max_leaf_nodes=8)
    classifiers = {
        "linear": make_pipeline(PCA(60, random_state=0), StandardScaler(), LogisticRegression(C=0.1, max_iter=500)),
        "quadratic": make_pipeline(PCA(12, random_state=0), QuadraticDiscriminantAnalysis(reg_param=0.05)),
        "boosted": make_pipeline(PCA(15, random_state=0), boosted),
    }
    scores = {}
    for name, classifier in classifiers.items():
        chance = cross_val_predict(classifier, features, labels, cv=folds, method="predict_proba")[:, 1]
        scores[name] = float(roc_auc_score(labels, chance))
    return scores


def judge(world: World, filtered: NDArray[np.float32], unit: int, contestant: str) -> dict[str, float]:
    random = np.random.default_rng(unit)
    spikes = world.trains[unit]
    spikes = spikes[(spikes > 800) & (spikes < len(world.traces) - 800)]
    burst = np.concatenate([[0], np.cumsum(np.diff(spikes) > QUIET)])
    is_donor = (random.permutation(burst[-1] + 1) % 2 == 1)[burst]
    donors, donor_bursts = spikes[is_donor], np.unique(burst[is_donor])
    events = CONTESTANTS[contestant](world, donors, unit)
    members = [spikes[burst == index] for index in donor_bursts]
    shifts = free_shifts(random, members, spikes, len(world.traces), QUIET)
    placed = donors + shifts[np.searchsorted(donor_bursts, burst[is_donor])]
    hybrid = world.traces.astype(np.float32)
    for sample, event in zip(placed, events, strict=True):
        hybrid[sample - BEFORE : sample + AFTER + 1] += event
    seen = as_a_sorter_sees(np.rint(hybrid).clip(-32768, 32767).astype(np.int16))
    place = np.abs(windows(world.clean, donors, 0, 0)[:, 0]).mean(axis=0).argmax()
    near = np.argsort(np.linalg.norm(POSITIONS - POSITIONS[place], axis=1), kind="stable")[:12]
    real = windows(filtered, spikes[~is_donor], SEEN_BEFORE, SEEN_AFTER)[:, :, near]
    return auc(real, windows(seen, placed, SEEN_BEFORE, SEEN_AFTER)[:, :, near])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short recording, two units")
    arguments = parser.parse_args()
    seconds, units = (30, (3, 5)) if arguments.quick else (120, range(6))
    rows = []
    for name, changing, seed in (("constant shape", False, 1), ("bursts, widths, drift", True, 0)):
        if arguments.quick and not changing:
            continue
        print(f"{name}: simulating {seconds} s")
        world = simulate(seconds, changing, seed)
        filtered = as_a_sorter_sees(world.traces)
        for contestant in CONTESTANTS:
            began = time.perf_counter()
            scores = [judge(world, filtered, unit, contestant) for unit in units]
            largest = [max(score.values()) for score in scores]
            rows.append({"recording": name, "contestant": contestant, "units": scores})
            rows[-1] |= {"median": float(np.median(largest)), "worst": max(largest)}
            print(
                f"  {contestant:15} median {np.median(largest):.3f}  worst {max(largest):.3f}  "
                f"({time.perf_counter() - began:.0f} s)"
            )
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"realism-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(rows, indent=1))
    print(f"written to benchmarks/results/{path.name}")


if __name__ == "__main__":
    main()
