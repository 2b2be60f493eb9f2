"""Metrics of one unit, against numbers that can be told without them."""

from pathlib import Path

import numpy as np
import pytest

from hybridfactory.donors.spike_metrics import amplitude_cutoff, isolation, range_of_drift, train_metrics
from hybridfactory.recording.flat import FlatFile, FlatRecording

RATE = 10_000.0


def recording(*spans: tuple[int, int]) -> FlatRecording:
    files = tuple(FlatFile(Path(f"{start}.bin"), start, length) for start, length in spans)
    return FlatRecording(files, np.dtype("int16"), 4, RATE)


def test_a_regular_train_has_no_violations_and_is_always_there() -> None:
    metrics = train_metrics(np.arange(50, 1_000_000, 1000), recording((0, 1_000_000)))
    assert metrics.firing_rate_hz == pytest.approx(10.0, rel=0.01)
    assert (metrics.isi_violations_ratio, metrics.num_isi_violations, metrics.presence_ratio) == (0.0, 0, 1.0)


def test_two_trains_in_one_label_violate_the_refractory_period() -> None:
    rng = np.random.default_rng(0)
    train = np.sort(rng.integers(0, 1_000_000, 2000))
    # Without any refractory period the ratio is a half.
    assert train_metrics(train, recording((0, 1_000_000))).isi_violations_ratio == pytest.approx(0.5, abs=0.1)


def test_a_gap_between_files_is_neither_absence_nor_an_interval() -> None:
    two_files = recording((0, 500_000), (5_000_000, 500_000))
    train = np.concatenate([np.arange(50, 500_000, 1000), np.arange(5_000_050, 5_500_000, 1000)])
    metrics = train_metrics(train, two_files)
    assert metrics.presence_ratio == 1.0
    assert metrics.firing_rate_hz == pytest.approx(10.0, rel=0.01)
    half = train_metrics(train[train < 500_000], two_files)
    assert half.presence_ratio == 0.5


def test_missing_small_spikes_are_noticed() -> None:
    rng = np.random.default_rng(1)
    whole = rng.normal(1, 0.1, 600)
    assert amplitude_cutoff(whole) < 0.02
    assert amplitude_cutoff(whole[whole > 0.97]) > 0.2
    assert np.isnan(amplitude_cutoff(whole[:100]))


def waves(rng: np.random.Generator, num_spikes: int, heights: np.ndarray) -> np.ndarray:
    shape = -np.exp(-((np.arange(30) - 10) ** 2) / 8)
    mean = shape[:, None] * heights
    return (mean + rng.normal(0, 1, (num_spikes, *mean.shape))).astype(np.float32)


def test_isolation_falls_as_a_neighbour_comes_nearer() -> None:
    rng = np.random.default_rng(2)
    own = np.array([20.0, 10.0, 4.0, 0.0])
    found = []
    for other in ([0.0, 4.0, 10.0, 20.0], [15.0, 12.0, 6.0, 0.0], own.tolist()):
        spikes = np.concatenate([waves(rng, 200, own), waves(rng, 200, np.array(other))])
        found.append(isolation(spikes, np.repeat([3, 8], 200), 3))
    assert found[0] > found[1] > found[2]
    assert found[0] > 0.8
    assert abs(found[2]) < 0.1
    assert isolation(spikes[:200], np.full(200, 3), 3) == 1.0


def test_drift_is_measured_along_the_probe() -> None:
    rng = np.random.default_rng(3)
    depths = np.array([0.0, 20.0, 40.0, 60.0])
    first, last = waves(rng, 200, np.array([0, 30.0, 30, 0])), waves(rng, 200, np.array([0, 0, 30.0, 30]))
    assert range_of_drift(np.concatenate([first, last]), depths) == pytest.approx(20, abs=2)
    assert range_of_drift(first, depths) < 1
    assert np.isnan(range_of_drift(first[:30], depths))
