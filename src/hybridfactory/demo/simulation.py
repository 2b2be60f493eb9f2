"""What the electrode of the demo gives: spikes and noise.

The waveforms come from SpikeInterface's generator; the firing, the changes of amplitude and the background
noise are made here, so that they resemble what an electrode in a brain gives.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter
from spikeinterface.core import BaseRecording, NumpySorting
from spikeinterface.generation import InjectTemplatesRecording, generate_templates

__all__ = [
    "NUM_CHANNELS",
    "NUM_UNITS",
    "SAMPLING_FREQUENCY",
    "Spikes",
    "as_rows",
    "fire",
    "isolation",
    "make_templates",
    "noise_chunks",
    "render",
    "site_positions",
]

SAMPLING_FREQUENCY = 30000
NUM_CHANNELS = 48
NUM_UNITS = 14
UV_PER_COUNT = 0.6 / 512 / 500 * 1e6  # Neuropixels 1.0 at a gain of 500
NOISE_UV = 10.0
NUM_PHASES = 4
MARGIN_SAMPLES = 300
REFRACTORY_S = 0.0025


@dataclass(frozen=True, eq=False)
class Spikes:
    """All spikes of the recording, by time."""

    samples: NDArray[np.int64]
    units: NDArray[np.int64]
    phases: NDArray[np.int64]
    amplitudes: NDArray[np.float32]


def site_positions() -> NDArray[np.float64]:
    """Sites of a Neuropixels 1.0 probe, from the tip: four columns, in pairs that are staggered."""
    site = np.arange(NUM_CHANNELS)
    return np.column_stack([np.array([27.0, 59.0, 11.0, 43.0])[site % 4], 20.0 * (site // 2)])


def make_templates(positions: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Waveforms in µV, units × samples × channels × phases of the sampling clock."""
    depth = np.linspace(20.0, positions[:, 1].max() - 20.0, NUM_UNITS) + rng.uniform(-8, 8, NUM_UNITS)
    locations = np.column_stack([rng.uniform(5, 65, NUM_UNITS), depth, rng.uniform(8, 20, NUM_UNITS)])
    templates: NDArray[np.float32] = generate_templates(
        positions,
        locations,
        sampling_frequency=float(SAMPLING_FREQUENCY),
        ms_before=1.0,
        ms_after=3.0,
        seed=int(rng.integers(2**31)),
        upsample_factor=NUM_PHASES,
        unit_params={"spatial_decay": (18.0, 30.0)},
    )
    # Large units beside small ones, in no order, as along a real probe.
    peaks_uv = rng.permutation(np.geomspace(60.0, 200.0, NUM_UNITS))
    ends = np.hanning(20)[:10, np.newaxis, np.newaxis]
    templates[:, :10] *= ends
    templates[:, -10:] *= ends[::-1]
    scale = peaks_uv / -templates.min(axis=(1, 2, 3))
    templates *= scale[:, np.newaxis, np.newaxis, np.newaxis]
    return templates


def isolation(templates: NDArray[np.float32], main_channels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Deflection of each unit above the largest that another unit makes on the same channel, in µV."""
    troughs = -templates[:, :, main_channels, 0].min(axis=1)  # other unit × unit
    own = np.diag(troughs).copy()
    np.fill_diagonal(troughs, 0)
    margin: NDArray[np.float32] = own - troughs.max(axis=0)
    return margin


def fire(duration_s: float, rng: np.random.Generator) -> Spikes:
    """Spike trains with a refractory period, slow changes of rate, and smaller spikes in quick succession."""
    times, units, amplitudes = [], [], []
    for unit in range(NUM_UNITS):
        rate, irregularity = rng.uniform(7, 20), rng.uniform(0.7, 1.5)
        shape = 1 / irregularity**2
        # Intervals in units of the mean, then the slow change of rate, which stretches time.
        count = int(3 * rate * duration_s) + 50
        steps = np.cumsum(rng.gamma(shape, 1 / shape, count))
        grid = np.linspace(0, duration_s, 500)
        swing = 1 + 0.5 * np.sin(2 * np.pi * (grid / rng.uniform(8, 20) + rng.random()))
        train = np.interp(steps, np.cumsum(swing) * rate * (grid[1] - grid[0]), grid, right=np.inf)
        train = _keep_refractory(train[np.isfinite(train)])
        intervals = np.diff(train, prepend=-1.0)
        drift = 1 + 0.05 * np.sin(2 * np.pi * (train / duration_s + rng.random()))
        amplitude = drift * (1 - 0.25 * np.exp(-intervals / 0.03)) * rng.normal(1, 0.06, train.size)
        times.append(train)
        units.append(np.full(train.size, unit))
        amplitudes.append(amplitude)
    samples = np.rint(np.concatenate(times) * SAMPLING_FREQUENCY).astype(np.int64)
    label, size = np.concatenate(units), np.concatenate(amplitudes).astype(np.float32)
    last = round(duration_s * SAMPLING_FREQUENCY) - MARGIN_SAMPLES
    keep = np.flatnonzero((samples >= MARGIN_SAMPLES) & (samples < last))
    order = keep[np.lexsort((label[keep], samples[keep]))]
    phases = rng.integers(0, NUM_PHASES, order.size)
    return Spikes(samples[order], label[order], phases, size[order])


def _keep_refractory(train: NDArray[np.float64]) -> NDArray[np.float64]:
    kept: list[float] = []
    for time in train:
        if not kept or time - kept[-1] >= REFRACTORY_S:
            kept.append(time)
    return np.array(kept)


def render(
    spikes: Spikes, templates: NDArray[np.float32], main_channels: NDArray[np.int64], num_samples: int
) -> tuple[BaseRecording, NDArray[np.int64]]:
    """Return the recording without noise, and the sample of each spike's trough on its main channel."""
    sorting = NumpySorting.from_samples_and_labels(
        [spikes.samples], [spikes.units], SAMPLING_FREQUENCY, unit_ids=np.arange(NUM_UNITS)
    )
    clean = InjectTemplatesRecording(
        sorting,
        templates,
        nbefore=0,
        amplitude_factor=spikes.amplitudes,
        num_samples=num_samples,
        upsample_vector=spikes.phases,
    )
    on_main = templates[np.arange(NUM_UNITS), :, main_channels]  # unit × sample × phase
    return clean, spikes.samples + on_main.argmin(axis=1)[spikes.units, spikes.phases]


def noise_chunks(
    num_samples: int, positions: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Noise in µV, second by second: distant neurons (coloured, shared by neighbours) and the amplifiers."""
    distance = np.linalg.norm(positions[:, np.newaxis] - positions, axis=2)
    mixing = np.linalg.cholesky(np.exp(-distance / 60.0)).T.astype(np.float32)
    numerator, denominator = butter(1, (300.0, 3000.0), "bandpass", fs=SAMPLING_FREQUENCY)
    # The filter's output for white noise of unit size, so that the level is the one asked for.
    impulse = lfilter(numerator, denominator, np.eye(1, 3000)[0])
    distant = np.float32(NOISE_UV * np.sqrt(0.7 / np.sum(impulse**2)))
    own = np.float32(NOISE_UV * np.sqrt(0.3))
    state = np.zeros((len(denominator) - 1, NUM_CHANNELS), dtype=np.float32)
    for start in range(0, num_samples, SAMPLING_FREQUENCY):
        shape = (min(SAMPLING_FREQUENCY, num_samples - start), NUM_CHANNELS)
        white = rng.standard_normal(shape, dtype=np.float32) @ mixing
        coloured, state = lfilter(
            numerator.astype(np.float32), denominator.astype(np.float32), white, axis=0, zi=state
        )
        yield start, distant * coloured + own * rng.standard_normal(shape, dtype=np.float32)


def as_rows(traces_uv: NDArray[np.float32], start: int) -> NDArray[np.int16]:
    """Turn µV from a sample on into raw counts, with the row of the sync line behind the channels."""
    # The sync line goes up and down once a second, as SpikeGLX's own pulser does.
    clock = np.arange(start, start + len(traces_uv)) // (SAMPLING_FREQUENCY // 2)
    return np.column_stack([np.rint(traces_uv / UV_PER_COUNT), 64 * (clock % 2)]).astype("<i2")
