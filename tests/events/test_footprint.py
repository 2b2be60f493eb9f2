"""Borders of an event in space and time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events.footprint import deviations_from_noise, end_taper, footprint_weights

NOISE = 10.0
NUM_AVERAGED = 300


def seen(course, heights, slow=0.0, own=(), noisy=()):
    """Deviations of a unit's rows, from halves of its spikes and a background with slow potentials."""
    random = np.random.default_rng(1)
    shape = (400, len(course), len(heights))
    dome = np.sin(np.pi * np.arange(len(course)) / (len(course) - 1))[:, None]
    background = NOISE * random.standard_normal(shape) + slow * dome * random.standard_normal((400, 1, 1))
    error = NOISE / np.sqrt(NUM_AVERAGED / 2) * random.standard_normal((2, *shape[1:]))
    error += slow / np.sqrt(NUM_AVERAGED / 2) * dome * random.standard_normal((2, 1, 1))
    for row, factor in dict(noisy).items():
        error[:, :, row] *= factor
    halves = np.outer(course, heights) + error
    for row, other in dict(own).items():
        halves[:, :, row] += other
    return deviations_from_noise(halves.astype(np.float32), background.astype(np.float32), 0.0)


COURSE = 100 * np.exp(-(((np.arange(81) - 40) / 3.0) ** 2))


def test_rows_far_out_are_seen_along_the_course_of_the_strong_ones():
    deviations = seen(COURSE, [1.0, 0.5, 0.2, 0.015, 0, 0, 0, 0])
    # The fourth row's peak is 2.6 times the error of a sample: of 81 samples of pure noise the largest is as high.
    assert (deviations[:3] > 50).all()
    assert 3 < deviations[3] < 9
    assert (deviations[4:] < 3).all()


def test_slow_potentials_make_no_footprint():
    assert (seen(COURSE, [1.0, 0.5, 0, 0, 0, 0], slow=60.0)[2:] < 3).all()


def test_a_row_with_a_course_of_its_own_is_seen():
    """Where a trough turns into a peak, the first half is the second one's opposite.

    Near another unit a row's error is large, and a course that few rows have does not stand out of it.
    """
    slope = np.gradient(COURSE) / np.abs(np.gradient(COURSE)).max() * 8
    deviations = seen(COURSE, [1.0, 0.5, 0.2, 0, 0, 0, 0, 0], own={4: slope}, noisy={7: 6.0})
    assert deviations[4] > 10
    assert (deviations[[3, 5, 6]] < 3).all()


def test_rows_within_their_error_are_left_out():
    mean = np.outer(np.hanning(31), [100.0, 20, 10, 10]).astype(np.float32)
    assert footprint_weights(mean, np.array([90.0, 12, 3.1, 2.9])).tolist() == [1, 1, 1, 0]


def test_small_share_of_a_large_peak_is_left_out():
    mean = np.outer(np.hanning(31), [1000.0, 2.9, 20]).astype(np.float32)
    assert footprint_weights(mean, np.full(3, 1e6)).tolist() == [1, 0, 1]


@given(st.floats(0.3, 0.65), st.floats(1e-3, 1e-2))
def test_border_has_no_step(height, step):
    mean = np.outer(np.hanning(31), [100.0, height, height + step]).astype(np.float32)
    weights = footprint_weights(mean, np.full(3, 1e6))
    assert 0 <= weights[1] <= weights[2] <= 1
    assert weights[2] - weights[1] <= 6 * step


def test_a_unit_is_never_without_rows():
    assert footprint_weights(np.array([[1.0, 2.0], [0, 0]]), np.zeros(2)).tolist() == [0, 1]


@pytest.mark.parametrize("num_samples", [1, 2, 3, 5, 11, 81, 300])
def test_taper(num_samples):
    taper = end_taper(num_samples)
    assert taper.shape == (num_samples,)
    assert np.array_equal(taper, taper[::-1])
    assert taper[num_samples // 2] == 1
    if num_samples >= 4:
        assert taper[0] == taper[-1] == 0
        assert (np.diff(taper[: num_samples // 2]) >= 0).all()


def test_a_long_window_fades_out():
    taper = end_taper(146, 36)
    assert (taper[2:110] == 1).all()
    assert taper[-1] == 0
    assert (np.diff(taper[109:]) <= 0).all()
    assert np.abs(np.diff(taper[109:])).max() < 0.05
