"""The mean over a unit's spikes, while it grows."""

import numpy as np
import pytest

from hybridfactory.events.average import Average
from hybridfactory.events.noise import estimate_noise
from hybridfactory.events.snippets import baseline_ramp

SHAPE = (30, 4)


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_it_is_the_mean_of_the_clean_ones_however_they_come(random):
    snippets = random.standard_normal((150, *SHAPE)).astype(np.float32)
    clean = random.random(150) < 0.8
    rises = np.zeros((150, SHAPE[1]))
    at_once, in_parts = Average(SHAPE[0], np.ones(SHAPE[1])), Average(SHAPE[0], np.ones(SHAPE[1]))
    at_once.add(snippets, rises, clean)
    for first in range(0, 150, 64):
        some = slice(first, first + 64)
        in_parts.add(snippets[some], rises[some], clean[some])
    assert at_once.count == in_parts.count == clean.sum()
    np.testing.assert_array_equal(at_once.mean, in_parts.mean)
    np.testing.assert_allclose(at_once.mean, snippets[clean].mean(axis=0), atol=1e-6)


def test_what_the_unit_ends_higher_with_goes_back_where_it_is_more_than_chance(random):
    noise = estimate_noise(random.standard_normal((200, *SHAPE)).astype(np.float32))[0]
    shape = np.zeros(SHAPE, dtype=np.float32)
    shape[10:16] = -40
    average = Average(SHAPE[0], np.full(SHAPE[1], 10.0))
    # 400 spikes: a standard error of 0.5.
    rises = np.tile([0.0, 1.0, 5.0, -5.0], (400, 1))
    average.add(np.repeat(shape[None], 400, axis=0), rises, np.ones(400, dtype=bool))
    difference = average.waveform(noise) - shape
    ramp = baseline_ramp(SHAPE[0] + 16)[8:-8]
    np.testing.assert_allclose(difference[:, :2], 0, atol=0.1)
    np.testing.assert_allclose(difference[:, 2], 5 * ramp, atol=0.1)
    np.testing.assert_allclose(difference[:, 3], -5 * ramp, atol=0.1)


def test_every_clean_spike_tells_of_the_mean_and_not_only_those_that_train(bench, monkeypatch):
    unit = bench.unit(bench.times(2400, dead=150), amplitude=60, jitter=0.0)
    bench.add(unit)
    trained_on_all = bench.learn_one(unit.times)
    monkeypatch.setattr("hybridfactory.events.find_donors.MAX_TRAINING_SPIKES", 300)
    alone, model = bench.learn_one(unit.times[::8]), bench.learn_one(unit.times)
    assert max(alone.num_training_spikes, model.num_training_spikes) <= 300
    rows = np.intersect1d(np.intersect1d(trained_on_all.rows, alone.rows), model.rows)
    best, few, averaged = (each.mean[:, np.isin(each.rows, rows)] for each in (trained_on_all, alone, model))
    assert np.std(averaged - best) < 0.7 * np.std(few - best)
    # Shares are deviations from the new mean.
    shares = model.coefficients[model.is_clean]
    assert np.abs(shares.mean(axis=0)).max() < 0.05 * shares.std(axis=0).max()
