"""What is compiled or rearranged for speed, against the plain way to say it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events.alignment import MAX_OFFSET, NUM_PHASES, PAD, OffsetEstimator, align, phase_of, shift
from hybridfactory.events.alignment import time_derivative as slope_of
from hybridfactory.events.leading import leading_patterns
from hybridfactory.events.median import median_window
from hybridfactory.events.noise import estimate_noise
from hybridfactory.events.screening import deviations_from
from hybridfactory.events.snippets import remove_baseline


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 300), st.integers(0, 2**32))
def test_median_is_that_of_numpy(num_windows, num_samples, num_rows, seed):
    random = np.random.default_rng(seed)
    windows = random.integers(-3, 4, (num_windows, num_samples, num_rows)).astype(np.float32)
    windows *= random.choice([1, 0.37, 1e-30, 1e30], size=(num_samples, num_rows)).astype(np.float32)
    assert np.array_equal(median_window(windows), np.median(windows, axis=0))


@pytest.mark.parametrize("shape", [(300, 900), (900, 300), (2000, 2300), (1200, 1300)])
def test_leading_patterns_are_singular_vectors(shape):
    random = np.random.default_rng(5)
    matrix = random.standard_normal(shape).astype(np.float32)
    edge = np.sqrt(shape[0]) + np.sqrt(shape[1])
    for strength in (5, 2, 1.3):
        left, right = (random.standard_normal(size).astype(np.float32) for size in shape)
        matrix += strength * edge * np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))
    singular, patterns = leading_patterns(matrix, 6, np.random.default_rng(1))
    _, expected, vectors = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    assert singular[:3] == pytest.approx(expected[:3], rel=1e-4)
    assert singular[3:] == pytest.approx(expected[3:6], rel=0.02) and (np.diff(singular) <= 0).all()
    assert np.abs((patterns[:3] * vectors[:3]).sum(axis=1)) == pytest.approx(np.ones(3), abs=1e-3)
    assert patterns @ patterns.T == pytest.approx(np.eye(6), abs=1e-4)


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (3, 3)])
def test_leading_patterns_of_small_matrices(shape):
    matrix = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    singular, _ = leading_patterns(matrix, 2, np.random.default_rng(1))
    assert singular == pytest.approx(np.linalg.svd(matrix)[1][:2], rel=1e-4)
    assert np.isfinite(leading_patterns(np.zeros(shape, dtype=np.float32), 2, np.random.default_rng(1))[1]).all()


def test_aligning_is_shifting_each_snippet():
    random = np.random.default_rng(3)
    snippets = random.standard_normal((40, 97, 5)).astype(np.float32)
    offsets = random.uniform(-MAX_OFFSET, MAX_OFFSET, 40)
    expected = [
        shift(one, -phase / NUM_PHASES) for one, phase in zip(snippets, phase_of(offsets).tolist(), strict=True)
    ]
    assert align(snippets, offsets) == pytest.approx(np.array(expected), abs=1e-5)


def test_offsets_are_those_of_the_step_by_step_fit():
    """Shift the snippet, project it on waveform and slope, step, and again."""
    random = np.random.default_rng(4)
    noise = estimate_noise(random.standard_normal((300, 81, 4)).astype(np.float32))[0]
    template = np.zeros((97, 4), dtype=np.float32)
    template[40:60] = -np.hanning(20)[:, None] * [30, 60, 90, 20]
    snippets = random.standard_normal((50, 97, 6)).astype(np.float32)
    for snippet, offset in zip(snippets, random.uniform(-1.5, 1.5, 50), strict=True):
        snippet[:, 2:] += shift(template, offset)
    design = np.stack([template, -slope_of(template)])[:, PAD:-PAD]
    weights = noise.whiten(noise.whiten(design)).reshape(2, -1)
    projector = np.linalg.pinv(weights @ design.reshape(2, -1).T) @ weights
    expected = np.zeros(50)
    for _ in range(3):
        aligned = align(snippets[:, :, 2:], expected)[:, PAD:-PAD].reshape(50, -1)
        amplitude, lateness = projector @ aligned.T
        expected = np.clip(expected + np.clip(lateness / np.maximum(amplitude, 0.2), -1, 1), -2, 2)
    found = OffsetEstimator(noise, template, np.arange(2, 6)).estimate(snippets)
    assert found == pytest.approx(expected, abs=1e-4)


def test_what_is_in_patterns_over_time_has_the_same_lengths_and_products():
    random = np.random.default_rng(6)
    mixed = random.standard_normal((200, 30, 4)) @ random.standard_normal((4, 4))
    noise = estimate_noise(np.cumsum(mixed, axis=1).astype(np.float32))[0]
    snippets = random.standard_normal((130, 30, 4)).astype(np.float32)
    mean = random.standard_normal((30, 4)).astype(np.float32)
    deviations = deviations_from(mean, snippets, noise)
    plain = noise.whiten(snippets - mean)
    assert deviations.largest == pytest.approx(np.abs(snippets - mean).max(axis=(1, 2)))
    ours, theirs = deviations.whitened.reshape(130, -1), plain.reshape(130, -1)
    assert ours @ ours.T == pytest.approx(theirs @ theirs.T, rel=1e-3, abs=1e-3)
    assert noise.from_patterns(deviations.whitened) == pytest.approx(plain, rel=1e-3, abs=1e-3)


def test_deviations_move_along_with_the_mean():
    random = np.random.default_rng(8)
    noise = estimate_noise(np.cumsum(random.standard_normal((200, 30, 4)), axis=1).astype(np.float32))[0]
    snippets = random.standard_normal((130, 30, 4)).astype(np.float32)
    old, new = random.standard_normal((2, 30, 4)).astype(np.float32)
    moved, expected = deviations_from(old, snippets, noise), deviations_from(new, snippets, noise)
    moved.move(old, new, snippets, noise)
    assert np.array_equal(moved.largest, expected.largest)
    assert moved.whitened == pytest.approx(expected.whitened, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("dtype", ["<i2", ">f4", "<f2", "<u8"])
def test_baselines_of_some_columns(dtype):
    values = np.random.default_rng(7).integers(0, 99, (6, 60, 5)).astype(dtype)
    columns = np.array([3, 0, 3])
    assert np.array_equal(remove_baseline(values, columns), remove_baseline(values)[:, :, columns])
    assert remove_baseline(values, columns).flags.c_contiguous
