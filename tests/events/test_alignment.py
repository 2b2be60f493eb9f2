"""Shifts by parts of a sample, and where between two samples a spike lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events.alignment import NUM_PHASES, PAD, align, phase_of, shift, time_derivative


def bump(center, num_samples=121, width=4.0):
    return np.exp(-((np.arange(num_samples) - center) ** 2) / (2 * width**2))[:, None].astype(np.float32)


@given(st.floats(-2, 2))
def test_shift_moves_a_bump_exactly(offset):
    assert shift(bump(60), offset) == pytest.approx(bump(60 + offset), abs=2e-3)


@given(st.integers(-3, 3))
def test_whole_samples_shift_without_loss(offset):
    noise = np.random.default_rng(1).standard_normal((2, 60, 3)).astype(np.float32)
    moved = shift(noise, offset)
    assert moved[:, 10:-10] == pytest.approx(np.roll(noise, offset, axis=1)[:, 10:-10], abs=1e-5)


def test_no_shift_is_none_at_all():
    noise = np.random.default_rng(1).standard_normal((2, 60, 3)).astype(np.float32)
    assert np.array_equal(shift(noise, 0.0), noise)


def test_zero_comes_in_from_outside():
    assert np.array_equal(shift(np.ones((5, 1), dtype=np.float32), 2)[:, 0].round(6), [0, 0, 1, 1, 1])


def test_derivative_is_the_slope():
    slope = time_derivative(bump(60))[PAD:-PAD]
    assert slope == pytest.approx(np.gradient(bump(60)[:, 0])[PAD:-PAD, None], abs=5e-3)


def test_phases_are_whole_steps():
    steps = np.arange(-20, 21)
    assert np.array_equal(phase_of(steps / NUM_PHASES), steps)
    assert phase_of(np.array([0.06, 0.07])).tolist() == [0, 1]


def test_align_takes_the_shift_back():
    offsets = np.array([-1.5, -0.25, 0, 0.125, 0.5])
    late = np.stack([bump(60 + offset) for offset in offsets])
    aligned = align(late, offsets)
    assert aligned[:, 20:-20] == pytest.approx(np.broadcast_to(bump(60), late.shape)[:, 20:-20], abs=3e-3)
