"""Dealing a unit's spikes: no event meets its twin, and all go where the unit is silent."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.realism.trial import deal
from hybridfactory.recording.flat import FlatFile, FlatRecording

QUIET, MARGIN = 240, 700


def recording(num_samples: int = 3_000_000, gap: int = 0) -> FlatRecording:
    half = num_samples // 2
    files = (FlatFile(Path("a"), 0, half), FlatFile(Path("b"), half + gap, half))
    return FlatRecording(files, np.dtype("<i2"), 4, 30_000.0)


def bursting(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.cumsum(np.where(random.random(count) < 0.4, random.integers(60, 200, count), 4000)).astype(np.int64)


def dealt(train: np.ndarray, *, host: FlatRecording | None = None, most: int = 10**6, **options: object):
    random = np.random.default_rng(3)
    return deal(
        host or recording(),
        train,
        quiet_samples=QUIET,
        margin_samples=MARGIN,
        max_donors=most,
        max_events=most,
        random=random,
        **options,
    )


def test_bursts_are_never_divided_and_both_halves_are_all():
    train = bursting(600)
    trial = dealt(train)
    inside = train[recording().holds_window(train, MARGIN, MARGIN)]
    assert np.array_equal(np.sort(np.concatenate([trial.real, trial.donors])), inside)
    assert not np.intersect1d(trial.real_bursts, trial.donor_bursts).size
    assert 0.3 < trial.real.size / inside.size < 0.7


def test_exchange_swaps_the_halves():
    train = bursting(300)
    one, other = dealt(train), dealt(train, swap=True)
    assert np.array_equal(one.real, other.donors)
    assert np.array_equal(one.donors, other.real)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(40, 400))
def test_events_fall_into_silence_and_keep_their_intervals(seed, count):
    train = bursting(count, seed)
    trial = dealt(train, host=recording(gap=5000))
    placed = np.sort(trial.placed)
    nearest = np.abs(placed[:, None] - train).min(axis=1) if placed.size else np.zeros(0)
    assert (nearest >= QUIET).all()
    assert recording(gap=5000).holds_window(trial.placed, MARGIN, MARGIN).all()
    for burst in np.unique(trial.placed_bursts):
        members = trial.placed[trial.placed_bursts == burst]
        donors = trial.donors[(trial.donor_bursts == burst) & trial.has_place]
        assert np.array_equal(np.diff(members), np.diff(donors))
        others = trial.placed[trial.placed_bursts != burst]
        assert not others.size or np.abs(others[:, None] - members).min() >= QUIET


def test_where_the_unit_never_rests_nothing_is_placed():
    trial = dealt(np.arange(0, 3_000_000, 300))
    assert not trial.has_place.any()


def test_events_stay_near_their_donors_in_time():
    train = bursting(400)
    trial = dealt(train)
    assert trial.has_place.all()
    assert np.median(np.abs(trial.shifts)) < 3 * recording().num_samples / train.size


@pytest.mark.parametrize("most", [50, 120])
def test_many_spikes_are_thinned_over_the_whole_recording(most):
    train = bursting(1000)
    trial = dealt(train, most=most)
    for samples in (trial.real, trial.donors):
        assert 0.5 * most <= samples.size <= 1.6 * most
        assert samples.max() - samples.min() > 0.9 * (train.max() - train.min())


def test_a_unit_without_spikes():
    trial = dealt(np.zeros(0, dtype=np.int64))
    assert trial.real.size == trial.donors.size == trial.placed.size == 0
