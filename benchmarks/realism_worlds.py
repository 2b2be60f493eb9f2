"""Recordings with donor units for realism.py: two simulations with known truth, and the locust tetrode."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.interpolate import RBFInterpolator

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MEAREC_TEMPLATES = DATA / "mearec_templates" / "templates_nn32.h5"
LOCUST = DATA / "locust_tetrode"

NOISE_COUNTS = 10.0
HEIGHTS = (8, 8, 15, 15, 25, 25)  # × noise
ONSET, TAIL = 64, 256  # samples: what a simulated spike reaches before and after its trough
DRIFT_UM = 8.0


@dataclass(frozen=True, eq=False)
class Unit:
    """A donor: its main row, spike times as a sorting states them, and its true events where they are known.

    Events reach from `ONSET` samples before the stated time to `TAIL` after it, on all rows. A sample of two
    overlapping events belongs to the later one, so that a burst that is moved as a whole stays what it was.
    """

    snr: float
    main: int
    spikes: NDArray[np.int64]
    events: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class World:
    """A recording, its sites and its donors."""

    name: str
    traces: NDArray[np.int16]
    frequency: float
    positions: NDArray[np.float64]
    units: list[Unit]


def true_unit(snr: float, clean: NDArray[np.float32], spikes: NDArray[np.int64]) -> Unit:
    """A donor whose noise-free traces are known."""
    events = cut_events(clean, spikes)
    return Unit(snr, int(np.abs(events.mean(axis=0)).max(axis=0).argmax()), spikes, events)


def add_unit(traces: NDArray[np.float32], unit: Unit) -> None:
    """Add a donor's true events to the traces."""
    for spike, event in zip(unit.spikes, unit.events, strict=True):
        traces[spike - ONSET : spike + TAIL + 1] += event


def cut_events(clean: NDArray[np.float32], spikes: NDArray[np.int64]) -> NDArray[np.float32]:
    """A unit's events out of its noise-free traces; each sample goes to one event only."""
    events = np.zeros((spikes.size, ONSET + 1 + TAIL, clean.shape[1]), dtype=np.float32)
    until = np.append(spikes[1:] - ONSET, len(clean))
    for event, spike, stop in zip(events, spikes, until, strict=True):
        last = min(int(spike) + TAIL + 1, int(stop))
        event[: last - spike + ONSET] = clean[spike - ONSET : last]
    return events


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


# ---------------------------------------------------------------------------------------------------------------
# Our own simulation


SITES = np.column_stack([np.tile([43.0, 11, 59, 27], 8), 20.0 * (1 + np.repeat(np.arange(16), 2))])


def simulate(name: str, seconds: int, *, changing: bool, seed: int) -> World:
    """32 sites, coloured noise shared between neighbours, a slow potential six times as large, 25 more units."""
    frequency = 30_000
    random = np.random.default_rng(seed)
    traces = _make_noise(seconds * frequency, frequency, random)
    for _ in range(25):
        place = (random.uniform(0, 70), random.uniform(0, 340), random.uniform(25, 60))
        times = fire(random, random.uniform(1, 6), seconds, bursts=False)
        height, width = random.uniform(20, 70), random.uniform(0.7, 1.4)
        _add_spikes(traces, frequency, place, width, height, times, np.zeros(times.size), 0)
    units = []
    for unit, height in enumerate(HEIGHTS):
        times = fire(random, 12, seconds, bursts=True)
        place = (random.uniform(10, 60), 60 + 46 * unit, random.uniform(15, 30))
        fatigue = _burst_fatigue(times) if changing else np.zeros(times.size)
        drift = DRIFT_UM if changing else 0.0
        clean = np.zeros_like(traces)
        _add_spikes(clean, frequency, place, random.uniform(0.8, 1.3), NOISE_COUNTS * height, times, fatigue, drift)
        spikes = np.rint(times * frequency).astype(np.int64)
        units.append(true_unit(height, clean, spikes))
        add_unit(traces, units[-1])
    return World(name, _as_counts(traces), frequency, SITES, units)


def _make_noise(num_samples: int, frequency: int, random: np.random.Generator) -> NDArray[np.float32]:
    distance = np.linalg.norm(SITES[:, None] - SITES, axis=2)
    mixing = np.linalg.cholesky(0.6 * np.exp(-distance / 40) + 0.4 * np.eye(len(SITES))).astype(np.float32)
    noise = random.standard_normal((num_samples, len(SITES)), dtype=np.float32) @ mixing.T
    noise = signal.lfilter(*signal.butter(1, [200, 7000], "band", fs=frequency), noise, axis=0)
    slow = signal.lfilter(*signal.butter(2, 60, fs=frequency), random.standard_normal(num_samples))
    slope = 1 + 0.3 * np.linspace(0, 1, len(SITES))
    return (noise * (NOISE_COUNTS / noise.std()) + slow[:, None] * (6 * NOISE_COUNTS / slow.std()) * slope).astype(
        np.float32
    )


def _burst_fatigue(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How tired each spike is, from 0 to 1: more with every spike just before."""
    fatigue = np.zeros(times.size)
    for spike, interval in enumerate(np.diff(times), start=1):
        fatigue[spike] = min(1.0, (fatigue[spike - 1] + 0.4) * np.exp(-interval / 0.015)) if interval < 0.1 else 0
    return fatigue


def _add_spikes(
    traces: NDArray[np.float32],
    frequency: int,
    place: tuple[float, float, float],
    width: float,
    height: float,
    times: NDArray[np.float64],
    fatigue: NDArray[np.float64],
    drift_um: float,
) -> None:
    for now, tired in zip(times, fatigue, strict=True):
        center = round(now * frequency)
        y = place[1] + drift_um * np.sin(2 * np.pi * now / (len(traces) / frequency))
        t_ms = (np.arange(-60, 91) + center) / frequency * 1e3 - now * 1e3
        event = _waveform((place[0], y, place[2]), width * (1 + 0.15 * tired), t_ms)
        traces[center - 60 : center + 91] += (height * (1 - 0.35 * tired) * event).astype(np.float32)


def _waveform(place: tuple[float, float, float], width: float, t_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """A spike on all sites: it shrinks, widens and comes later with distance."""
    distance = np.sqrt((SITES[:, 0] - place[0]) ** 2 + (SITES[:, 1] - place[1]) ** 2 + place[2] ** 2)
    t = t_ms[:, None] - 0.3 * (distance - place[2]) / 400
    w = width * (1 + 0.15 * (distance - place[2]) / 100)
    shape = -np.exp(-((t / (0.12 * w)) ** 2) / 2) + 0.35 * np.exp(-(((t - 0.45 * w) / (0.25 * w)) ** 2) / 2)
    shape += 0.12 * np.exp(-(((t + 0.25) / 0.08) ** 2) / 2)
    return shape * (place[2] / distance) ** 1.6


def _as_counts(traces: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.rint(traces).clip(-32768, 32767).astype(np.int16)


# ---------------------------------------------------------------------------------------------------------------
# MEArec


MEAREC_FREQUENCY = 32_000
UV_PER_COUNT = 0.195
NOISE_UV = 10.0


def simulate_mearec(name: str, seconds: int, pool: Executor, *, changing: bool, seed: int) -> World:
    """MEArec's biophysical templates and noise on a 32-site probe.

    The test units are rendered by MEArec one by one without noise, so that their true events are known, and then
    added up with its noise and 20 background units. Amplitudes vary by 5 %; where units change, they shrink and
    widen within bursts and drift. The library holds each neuron in one place only: the drift moves its template over
    the sites, by a thin-plate spline between them, and MEArec makes the steps.
    """
    library = _load_library()
    sites = _sites_of(library)
    random = np.random.default_rng(seed)
    chosen, others = _choose_templates(library, sites, random)
    trains = [fire(random, random.uniform(1, 6), seconds, bursts=False) for _ in others]
    background = pool.submit(_render, library, others, trains, seconds, seed, noise_uV=NOISE_UV)
    jobs = []
    for template, height in zip(chosen, HEIGHTS, strict=True):
        times = fire(random, 12, seconds, bursts=True)
        jobs.append(pool.submit(_mearec_unit, template, height, times, seconds, seed + 1 + len(jobs), changing))
    units = [job.result() for job in jobs]
    traces = background.result() / np.float32(UV_PER_COUNT)
    for unit in units:
        add_unit(traces, unit)
    return World(name, _as_counts(traces), MEAREC_FREQUENCY, sites, units)


def _mearec_unit(
    template: int, height: float, times: NDArray[np.float64], seconds: int, seed: int, changing: bool
) -> Unit:
    library = _load_library()
    neuron = _scaled(library, template, height * NOISE_UV, _sites_of(library) if changing else None)
    only = np.zeros(1, dtype=np.int64)
    clean = _render(neuron, only, [times], seconds, seed, bursting=changing, drifting=changing)
    return true_unit(height, clean / np.float32(UV_PER_COUNT), (times * MEAREC_FREQUENCY).astype(np.int64))


def _load_library() -> Any:
    import MEArec  # noqa: PLC0415

    return MEArec.load_templates(str(MEAREC_TEMPLATES), return_h5_objects=False, verbose=False)


def _sites_of(library: Any) -> NDArray[np.float64]:
    import MEAutility  # noqa: PLC0415

    return np.asarray(MEAutility.return_mea(info=library.info["electrodes"]).positions[:, 1:], dtype=np.float64)


def _choose_templates(
    library: Any, sites: NDArray[np.float64], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Test units spread along the probe, away from its ends, and background units that are smaller."""
    height = -library.templates.min(axis=(1, 2))
    depth = sites[library.templates.min(axis=2).argmin(axis=1), 1]
    inner = np.flatnonzero((height > 60) & (depth > sites[:, 1].min() + 40) & (depth < sites[:, 1].max() - 40))
    strata = np.array_split(inner[np.argsort(depth[inner], kind="stable")], len(HEIGHTS))
    chosen = random.permutation([random.choice(stratum) for stratum in strata])
    small = np.setdiff1d(np.flatnonzero(height < 90), chosen)
    return chosen, np.sort(random.choice(small, 20, replace=False))


def _scaled(library: Any, template: int, peak_uV: float, sites: NDArray[np.float64] | None) -> Any:
    """A library of one neuron with a given peak; with `sites`, of its drift along them."""
    import MEArec  # noqa: PLC0415

    wave = library.templates[template] * (peak_uV / -library.templates[template].min())
    place = np.array(library.locations[template], dtype=np.float64)
    info = {"params": dict(library.info["params"]), "electrodes": library.info["electrodes"]}
    if sites is None:
        content = {"templates": wave[None], "locations": place[None]}
    else:
        steps = np.linspace(-DRIFT_UM - 1, DRIFT_UM + 1, 37)
        field = RBFInterpolator(sites, wave)
        moved = np.stack([field(sites - [0, step]) for step in steps]).astype(np.float32)
        places = place + np.column_stack([np.zeros((steps.size, 2)), steps])
        content = {"templates": moved[None], "locations": places[None]}
        info["params"]["drifting"] = True
    content |= {"rotations": library.rotations[template][None], "celltypes": library.celltypes[[template]]}
    return MEArec.TemplateGenerator(temp_dict=content, info=info)


def _render(
    library: Any,
    templates: NDArray[np.int64],
    trains: list[NDArray[np.float64]],
    seconds: int,
    seed: int,
    *,
    noise_uV: float = 0.0,
    bursting: bool = False,
    drifting: bool = False,
) -> NDArray[np.float32]:
    """One run of MEArec, in µV; every random number of it is seeded."""
    import MEArec  # noqa: PLC0415
    import neo  # noqa: PLC0415
    import quantities as pq  # noqa: PLC0415

    trains = [neo.SpikeTrain(times * pq.s, t_stop=seconds * pq.s, cell_type="E") for times in trains]
    params = MEArec.get_default_recordings_params()
    params["seeds"] = {"templates": seed, "convolution": seed, "noise": seed, "spiketrains": seed}
    params["spiketrains"]["duration"] = seconds
    # Everything in one chunk: a spike over the border of two would be jittered twice.
    params["recordings"] |= {"noise_level": noise_uV, "noise_color": True, "noise_mode": "distance-correlated"}
    params["recordings"] |= {"filter": False, "chunk_duration": seconds, "modulation": "template"}
    params["recordings"] |= {"bursting": bursting, "shape_mod": bursting, "n_bursting": 1 if bursting else None}
    params["recordings"] |= {"drifting": drifting, "slow_drift_waveform": "sine"}
    params["recordings"] |= {"slow_drift_amplitude": 2 * DRIFT_UM, "slow_drift_velocity": 240 * DRIFT_UM / seconds}
    with (
        redirect_stdout(StringIO()),
        TemporaryDirectory() as folder,
        np.errstate(divide="ignore"),  # of signal over no noise
    ):
        recording = MEArec.gen_recordings(
            params=params,
            tempgen=library,
            spgen=MEArec.SpikeTrainGenerator(spiketrains=trains, params=params["spiketrains"]),
            template_ids=templates,
            tmp_mode="memmap",
            tmp_folder=folder,
            n_jobs=1,
            verbose=False,
        )
        return np.array(recording.recordings, dtype=np.float32)


# ---------------------------------------------------------------------------------------------------------------
# Locust tetrode


def read_locust(name: str) -> World:
    """A real recording, 15 kHz, 12 bits around 2048. Units with fewer than 80 spikes are left out."""
    info = json.loads((LOCUST / "info.json").read_text())
    traces = np.fromfile(LOCUST / "locust_trial_01.raw", dtype=info["dtype"]).reshape(info["shape"])
    folder = LOCUST / "phy_trial_01"
    positions = np.load(folder / "channel_positions.npy").astype(np.float64)
    samples, labels = np.load(folder / "spike_times.npy").ravel(), np.load(folder / "spike_clusters.npy").ravel()
    band = signal.butter(3, [300, 6000], "band", fs=info["sample_rate"], output="sos")
    filtered = signal.sosfiltfilt(band, traces.astype(np.float32), axis=0)
    noise = np.median(np.abs(filtered), axis=0) / 0.6745
    units = []
    for label in np.unique(labels):
        spikes = np.sort(samples[labels == label]).astype(np.int64)
        if spikes.size >= 80:
            inside = spikes[(spikes > 50) & (spikes < len(traces) - 50)]
            height = np.abs(filtered[inside[:, None] + np.arange(-15, 16)].mean(axis=0)).max(axis=0)
            units.append(Unit(float((height / noise).max()), int(height.argmax()), spikes, None))
    return World(name, traces, info["sample_rate"], positions, units)


def worlds(pool: Executor, *, quick: bool) -> Iterator[tuple[str, Callable[[str], World]]]:
    """Names of the recordings that can be had here, and functions that make them."""
    seconds = 30 if quick else 120
    if MEAREC_TEMPLATES.exists() and find_spec("MEArec"):
        yield "MEArec, constant shape", partial(simulate_mearec, seconds=seconds, pool=pool, changing=False, seed=1)
        yield "MEArec, bursts and drift", partial(simulate_mearec, seconds=seconds, pool=pool, changing=True, seed=2)
    yield "own, constant shape", partial(simulate, seconds=seconds, changing=False, seed=1)
    yield "own, bursts, widths, drift", partial(simulate, seconds=seconds, changing=True, seed=0)
    if LOCUST.exists():
        yield "locust tetrode (real)", read_locust
