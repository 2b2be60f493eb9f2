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


def test_covariance_is_recovered(coloured):
    windows, space, time = coloured
    noise = estimate_noise(windows)
    assert noise.standard_deviation == pytest.approx(np.sqrt(np.diag(space)), rel=0.03)
    found = np.kron(noise.time_root @ noise.time_root, noise.space_root @ noise.space_root)
    assert np.linalg.norm(found - np.kron(time, space)) < 0.05 * np.linalg.norm(np.kron(time, space))


def test_whitened_background_is_white(coloured):
    noise = estimate_noise(coloured[0])
    white = noise.whiten(coloured[0]).reshape(3000, -1)
    covariance = np.cov(white.T)
    assert np.diag(covariance) == pytest.approx(1, abs=0.15)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.12


def test_unwhiten_takes_whiten_back(coloured):
    noise = estimate_noise(coloured[0])
    assert noise.unwhiten(noise.whiten(coloured[0][:50])) == pytest.approx(coloured[0][:50], abs=0.02)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_units_do_not_matter(coloured, scale):
    windows = coloured[0][:500]
    noise, scaled = estimate_noise(windows), estimate_noise(windows * np.float32(scale))
    assert np.abs(scaled.whiten(windows * np.float32(scale)) - noise.whiten(windows)).max() < 1e-2


def test_row_that_never_varies_stays_finite(coloured):
    windows = coloured[0].copy()
    windows[:, :, 2] = 0
    noise = estimate_noise(windows)
    assert all(np.isfinite(part).all() for part in (noise.space_whitener, noise.time_whitener))
    assert np.isfinite(noise.whiten(windows)).all()
