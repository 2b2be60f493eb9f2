"""Classifiers that tell what can be told, and no more."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hybridfactory.realism.classify import CLASSIFIERS, Separation, _area, combine, tell_apart


def spikes(count, seed, *, offset=0.0, spread=1.0):
    random = np.random.default_rng(seed)
    noise = random.standard_normal((count, 20, 4)).astype(np.float32) * np.float32(spread)
    return noise + np.float32(offset) * np.sin(np.arange(20) / 3)[None, :, None].astype(np.float32)


def judged(one, other):
    return tell_apart(one, other, np.arange(len(one)), np.arange(len(other)), seed=0)


def test_nobody_tells_alike_from_alike():
    found = judged(spikes(300, 1), spikes(300, 2))
    assert set(found.auc) == set(CLASSIFIERS)
    assert all(0.4 < area < 0.6 for area in found.auc.values())
    low, high = found.interval
    assert low < 0.55
    assert high - low == pytest.approx(2 * 1.96 * 0.024, rel=0.25)


def test_a_shifted_mean_is_seen_by_the_linear_classifier():
    found = judged(spikes(300, 1), spikes(300, 2, offset=0.3))
    assert found.best == "linear"
    assert found.largest > 0.85


def test_a_different_spread_is_seen_by_the_quadratic_one_only():
    found = judged(spikes(400, 1), spikes(400, 2, spread=1.3))
    assert found.auc["quadratic"] > 0.75
    assert abs(found.auc["linear"] - 0.5) < 0.08


def test_spikes_of_one_burst_are_never_in_training_and_test():
    """Two spikes of one burst are copies; a classifier that saw one would know the other."""
    random = np.random.default_rng(5)
    one, other = (np.repeat(random.standard_normal((150, 20, 4)).astype(np.float32), 2, axis=0) for _ in range(2))
    bursts = np.repeat(np.arange(150), 2)
    assert tell_apart(one, other, bursts, bursts, seed=0).auc["boosted"] < 0.6


def test_same_seed_same_result():
    one, other = spikes(100, 1), spikes(100, 2, offset=0.1)
    assert judged(one, other) == judged(one, other)


@pytest.mark.parametrize("ties", [False, True])
def test_area_is_that_of_scikit_learn_and_its_error_that_of_the_bootstrap(ties):
    random = np.random.default_rng(7)
    negative, positive = random.normal(0, 1, 120), random.normal(0.6, 1, 90)
    if ties:
        negative, positive = negative.round(), positive.round()
    labels = np.repeat([0, 1], [120, 90])
    area, variance = _area(negative, positive)
    assert area == pytest.approx(roc_auc_score(labels, np.concatenate([negative, positive])), abs=1e-12)
    again = [
        roc_auc_score(labels, np.concatenate([random.choice(negative, 120), random.choice(positive, 90)]))
        for _ in range(400)
    ]
    assert np.sqrt(variance) == pytest.approx(np.std(again), rel=0.15)


def test_two_exchanges_halve_the_variance():
    part = Separation(dict.fromkeys(CLASSIFIERS, 0.6), dict.fromkeys(CLASSIFIERS, 0.02))
    other = Separation(dict.fromkeys(CLASSIFIERS, 0.5), dict.fromkeys(CLASSIFIERS, 0.02))
    both = combine([part, other])
    assert both.largest == pytest.approx(0.55)
    assert both.standard_error["linear"] == pytest.approx(0.02 / np.sqrt(2))


def test_a_handful_of_spikes_is_no_crash():
    found = judged(spikes(30, 1), spikes(31, 2))
    assert all(0 <= area <= 1 for area in found.auc.values())
