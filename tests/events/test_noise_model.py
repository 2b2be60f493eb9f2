"""The background's covariance, and its roots."""

import numpy as np
import pytest

from hybridfactory.events.noise import estimate_noise


@pytest.fixture(scope="module")
def coloured():
    """3000 windows with a known space ⊗ time covariance."""
    random = np.random.default_rng(1)
    space = (
        25
        * np.exp(-np.abs(np.subtract.outer(np.arange(6), np.arange(6))) / 3)
        * np.outer(np.arange(1, 7), np.arange(1, 7))
    )
    time = np.exp(-np.abs(np.subtract.outer(np.arange(20), np.arange(20))) / 4)
    white = random.standard_normal((3000, 20, 6))
    windows = np.linalg.cholesky(time) @ white @ np.linalg.cholesky(space).T
    return windows.astype(np.float32), space, time


def covariance_of(noise):
    """Covariance over all samples and rows that a model stands for."""
    per_pattern = noise.roots.astype(np.float64) @ noise.roots
    patterns = noise.patterns.astype(np.float64)
    whole = np.einsum("tk,kij,sk->tisj", patterns, per_pattern, patterns)
    return whole.reshape(len(patterns) * noise.standard_deviation.size, -1)


def test_covariance_is_recovered(coloured):
    windows, space, time = coloured
    noise = estimate_noise(windows)[0]
    assert noise.standard_deviation == pytest.approx(np.sqrt(np.diag(space)), rel=0.03)
    found = covariance_of(noise)
    assert np.linalg.norm(found - np.kron(time, space)) < 0.05 * np.linalg.norm(np.kron(time, space))


def test_whitened_background_is_white(coloured):
    noise = estimate_noise(coloured[0])[0]
    white = noise.whiten(coloured[0]).reshape(3000, -1)
    covariance = np.cov(white.T)
    assert np.diag(covariance) == pytest.approx(1, abs=0.15)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.12


def test_some_of_the_rows_have_their_part_of_the_covariance(coloured):
    noise = estimate_noise(coloured[0][:400])[0]
    columns = np.array([4, 0, 2])
    whole = covariance_of(noise).reshape(20, 6, 20, 6)
    part = whole[:, columns][:, :, :, columns].reshape(60, 60)
    assert covariance_of(noise.on(columns)) == pytest.approx(part, abs=1e-4 * np.abs(part).max())
    assert noise.on(columns).standard_deviation == pytest.approx(noise.standard_deviation[columns])


def test_the_background_comes_back_white_by_pattern(coloured):
    noise, white = estimate_noise(coloured[0][:400])
    expected = np.swapaxes(noise.whiten_into_patterns(coloured[0][:400]), 0, 1)
    assert white == pytest.approx(expected, abs=1e-3)


def test_unwhiten_takes_whiten_back(coloured):
    noise = estimate_noise(coloured[0])[0]
    assert noise.unwhiten(noise.whiten(coloured[0][:50])) == pytest.approx(coloured[0][:50], abs=0.02)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_do_not_matter(coloured, scale):
    windows = coloured[0][:500]
    noise, scaled = (estimate_noise(each)[0] for each in (windows, windows * np.float32(scale)))
    assert np.abs(scaled.whiten(windows * np.float32(scale)) - noise.whiten(windows)).max() < 1e-2


def test_row_that_never_varies_stays_finite(coloured):
    windows = coloured[0].copy()
    windows[:, :, 2] = 0
    noise = estimate_noise(windows)[0]
    assert all(np.isfinite(part).all() for part in (noise.space_whitener, noise.whiteners, noise.roots))
    assert np.isfinite(noise.whiten(windows)).all()


def test_slow_potentials_that_all_rows_share_are_white_beside_fast_noise_that_they_do_not():
    random = np.random.default_rng(2)
    slow = 60 * random.standard_normal((1500, 1, 1)) * np.sin(np.pi * np.arange(40) / 39)[:, None]
    windows = (slow + 5 * random.standard_normal((1500, 40, 6))).astype(np.float32)
    white = estimate_noise(windows[:1000])[0].whiten(windows[1000:]).reshape(500, -1)
    shared = np.repeat(np.sin(np.pi * np.arange(40) / 39), 6)
    assert (white @ (shared / np.linalg.norm(shared))).std() == pytest.approx(1, abs=0.1)
    assert white.std() == pytest.approx(1, abs=0.05)
    # One product of space and time takes the slow potential for twice what it is, or less than half.
    directions = np.linalg.qr(random.standard_normal((240, 40)))[0]
    assert (white @ directions).std(axis=0) == pytest.approx(1, abs=0.2)


def test_patterns_that_a_removed_baseline_leaves_empty_are_not_heard():
    random = np.random.default_rng(3)
    windows = random.standard_normal((400, 24, 4)).astype(np.float32)
    windows -= windows.mean(axis=1, keepdims=True)
    noise = estimate_noise(windows, floor_variance=1 / 12)[0]
    assert np.flatnonzero(~noise.is_heard).size == 1
    level = np.ones((24, 4), dtype=np.float32)
    assert np.abs(noise.whiten(level)).max() < 1e-3
