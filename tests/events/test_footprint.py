"""Borders of an event in space and time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events.footprint import end_taper, footprint_weights


def test_rows_within_their_error_are_left_out():
    mean = np.outer(np.hanning(31), [100.0, 20, 4.9, 0.2]).astype(np.float32)
    weights = footprint_weights(mean, np.full(4, 1.0))
    assert weights[0] == weights[1] == 1
    assert weights[2] == weights[3] == 0


def test_rows_far_out_are_seen_along_the_course_of_the_strong_ones():
    random = np.random.default_rng(1)
    course = 60 * np.exp(-(((np.arange(81) - 40) / 3.0) ** 2))
    heights = np.array([1.0, 0.4, 0.1, 0.08, 0, 0, 0, 0])
    error = 0.4
    mean = np.outer(course, heights) + error * random.standard_normal((81, 8))
    # The fourth row's peak is twelve times the error of a sample, but its steps hardly stand out one by one.
    weights = footprint_weights(mean.astype(np.float32), np.full(8, error * np.sqrt(2)))
    assert (weights[:4] == 1).all()
    assert (weights[4:] == 0).all()


def test_slow_potentials_make_no_footprint():
    random = np.random.default_rng(2)
    course = 100 * np.exp(-(((np.arange(81) - 40) / 3.0) ** 2))
    slow = 5 * np.sin(np.pi * np.arange(81) / 80)[:, None]
    mean = np.outer(course, [1.0, 0.5, 0, 0, 0, 0]) + slow + 0.4 * random.standard_normal((81, 6))
    assert footprint_weights(mean.astype(np.float32), np.full(6, 0.6)).tolist() == [1, 1, 0, 0, 0, 0]


def test_small_share_of_a_large_peak_is_left_out():
    mean = np.outer(np.hanning(31), [1000.0, 2.9, 20]).astype(np.float32)
    assert footprint_weights(mean, np.full(3, 1e-6)).tolist() == [1, 0, 1]


@given(st.floats(0.3, 0.65), st.floats(1e-3, 1e-2))
def test_border_has_no_step(height, step):
    mean = np.outer(np.hanning(31), [100.0, height, height + step]).astype(np.float32)
    weights = footprint_weights(mean, np.full(3, 1e-6))
    assert 0 <= weights[1] <= weights[2] <= 1
    assert weights[2] - weights[1] <= 6 * step


def test_a_unit_is_never_without_rows():
    assert footprint_weights(np.array([[1.0, 2.0], [0, 0]]), np.full(2, 100.0)).tolist() == [0, 1]


@pytest.mark.parametrize("num_samples", [1, 2, 3, 5, 11, 81, 300])
def test_taper(num_samples):
    taper = end_taper(num_samples)
    assert taper.shape == (num_samples,)
    assert np.array_equal(taper, taper[::-1])
    assert taper[num_samples // 2] == 1
    if num_samples >= 4:
        assert taper[0] == taper[-1] == 0
        assert (np.diff(taper[: num_samples // 2]) >= 0).all()
