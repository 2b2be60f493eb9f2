"""Simulated recordings in which every event's true waveform is known, to the part of a sample."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.model import EventModel, RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.recording.flat import open_flat_recording

# Machines under load are slow; what takes long is seen by --durations.
hypothesis_settings.register_profile("patient", deadline=None, max_examples=40)
hypothesis_settings.load_profile("patient")

RATE_HZ = 30_000.0
NUM_ROWS = 16
REACH = 60
BEFORE = AFTER = 40
POSITIONS_UM = np.column_stack([np.where(np.arange(NUM_ROWS) % 2, 20.0, 0.0), 10.0 * np.arange(NUM_ROWS)])


def shape_in_time(t, width=4.0):
    """A trough and a slow upstroke, as a function of continuous time in samples."""
    return -np.exp(-(t**2) / (2 * width**2)) + 0.35 * np.exp(-((t - 4 * width) ** 2) / (8 * width**2))


def shape_in_space(y_um):
    return 1 / (1 + ((POSITIONS_UM[:, 0] - 10) ** 2 + (POSITIONS_UM[:, 1] - y_um) ** 2) / 25**2) ** 2


@dataclass(frozen=True)
class TrueUnit:
    """Stated spike times, each event's waveform (float32, event × sample × row) and what made it."""

    times: np.ndarray
    events: np.ndarray
    mean: np.ndarray
    coefficients: np.ndarray
    offsets: np.ndarray


@dataclass
class Bench:
    """A recording under construction: correlated noise, to which units are added."""

    folder: Path
    traces: np.ndarray
    random: np.random.Generator
    settings: ModelSettings = field(default=ModelSettings(BEFORE, AFTER, 6, "shrunk_svd", 7))
    saves: int = 0

    sites = Sites(np.arange(NUM_ROWS), POSITIONS_UM, np.zeros(NUM_ROWS, dtype=np.int64))

    def times(self, count, dead=80):
        """Spike times all over the recording, at least `dead` samples apart."""
        waits = self.random.exponential(1, count)
        room = len(self.traces) - 400 - dead * count
        return (200 + np.cumsum(dead + waits / waits.sum() * room * 0.999)).astype(np.int64)

    def unit(self, times, *, y_um=70.0, amplitude=200.0, variation=(0.12, 0.1, 0.25), jitter=0.5):
        """A unit that varies in amplitude and width from event to event, and drifts slowly up and down.

        `variation` scales the three, relative to the mean; `jitter` is how far stated times are off, in samples.
        """
        count = len(times)
        z = self.random.standard_normal((count, 3)).astype(np.float32)
        z[:, 2] = np.sqrt(2) * np.sin(6 * np.pi * np.arange(count) / count)
        offsets = self.random.uniform(-jitter, jitter, count)
        grid = np.arange(-REACH, REACH + 1)
        t = grid - offsets[:, None]
        in_space, drift = shape_in_space(y_um), shape_in_space(y_um + 5) - shape_in_space(y_um - 5)
        in_time, widening = shape_in_time(t), (shape_in_time(t, 4.1) - shape_in_time(t, 3.9)) * 20
        parts = z * np.array(variation)
        events = (in_time * (1 + parts[:, :1]) + widening * parts[:, 1:2])[:, :, None] * in_space
        events += (in_time * parts[:, 2:])[:, :, None] * drift
        mean = amplitude * shape_in_time(grid)[:, None] * in_space
        return TrueUnit(times, (amplitude * events).astype(np.float32), mean, z, offsets)

    def add(self, unit, which=slice(None)):
        for time, event in zip(unit.times[which], unit.events[which], strict=True):
            self.traces[time - REACH : time + REACH + 1] += event

    def save(self, dtype="<i2"):
        path = self.folder / f"{self.saves}.bin"
        self.saves += 1
        dtype = np.dtype(dtype)
        values = np.rint(self.traces) if dtype.kind in "iu" else self.traces
        values.astype(dtype).tofile(path)
        return open_flat_recording(
            [path], start_samples=[0], dtype=dtype, num_rows=NUM_ROWS, sampling_frequency=RATE_HZ
        )

    def learn(self, trains, dtype="<i2", settings=None):
        return learn_event_models(self.save(dtype), trains, self.sites, settings or self.settings)

    def learn_one(self, times, dtype="<i2", settings=None):
        model = self.learn({5: times}, dtype, settings)[5]
        assert isinstance(model, EventModel), model
        return model

    def refusal(self, times, dtype="<i2", settings=None):
        refused = self.learn({5: times}, dtype, settings)[5]
        assert isinstance(refused, RefusedUnit), f"not refused, SNR {refused.snr}"
        return refused.reason


def correlated_noise(num_samples, random):
    """Gaussian noise of standard deviation 10, correlated over 40 µm and over a few samples."""
    distance = np.linalg.norm(POSITIONS_UM[:, None] - POSITIONS_UM, axis=2)
    mixing = np.linalg.cholesky(np.exp(-distance / 40) + 1e-6 * np.eye(NUM_ROWS)).astype(np.float32)
    white = random.standard_normal((num_samples, NUM_ROWS), dtype=np.float32)
    coloured = lfilter([0.8], [1, -0.6], white, axis=0).astype(np.float32)
    return np.float32(10) * coloured @ mixing.T


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Small matrices gain nothing from more, and wait for each other on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def long_noise():
    return correlated_noise(450_000, np.random.default_rng(11))


@pytest.fixture
def bench(tmp_path, long_noise):
    """Fifteen seconds of noise."""
    return Bench(tmp_path, long_noise.copy(), np.random.default_rng(12))


@pytest.fixture
def short_bench(tmp_path, long_noise):
    """Four seconds of noise."""
    return Bench(tmp_path, long_noise[:120_000].copy(), np.random.default_rng(13))


@pytest.fixture(scope="session")
def varied_unit(tmp_path_factory, long_noise):
    """A unit of SNR 20 with known variability, on a slow drift and a converter's offset; truth and model."""
    bench = Bench(tmp_path_factory.mktemp("varied"), long_noise.copy(), np.random.default_rng(14))
    unit = bench.unit(bench.times(1500), amplitude=280)
    bench.add(unit)
    bench.traces += 2048 + 80 * np.sin(2 * np.pi * np.arange(len(bench.traces)) / RATE_HZ)[:, None]
    model = bench.learn_one(unit.times)
    windows = np.rint(bench.traces)[unit.times[:, None] + np.arange(-BEFORE, AFTER + 1)]
    return unit, model, windows.astype(np.float32)
