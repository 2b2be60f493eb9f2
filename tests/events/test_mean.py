"""A mean waveform without what its average left of the background."""

import numpy as np
import pytest

from hybridfactory.events.mean import denoise_mean
from hybridfactory.events.noise import estimate_noise

NUM_AVERAGED = 100


@pytest.fixture(scope="module")
def scene():
    """True waveform, the background's model, and a mean over some snippets."""
    random = np.random.default_rng(3)
    time = np.arange(81)
    course = -40 * np.exp(-(((time - 40) / 4) ** 2)) + 12 * np.exp(-(((time - 55) / 9) ** 2))
    truth = np.outer(course, np.exp(-np.arange(16) / 4)).astype(np.float32)
    mixing = np.linalg.cholesky(np.exp(-np.abs(np.subtract.outer(np.arange(16), np.arange(16))) / 3))
    background = (10 * random.standard_normal((600, 81, 16)) @ mixing.T).astype(np.float32)
    noise = estimate_noise(background[NUM_AVERAGED:])[0]
    return truth, noise, truth + background[:NUM_AVERAGED].mean(axis=0)


def test_nearer_to_the_truth_than_what_was_seen(scene):
    truth, noise, seen = scene
    denoised = denoise_mean(seen, noise, NUM_AVERAGED)
    assert denoised.dtype == np.float32
    # Of a matrix of rank one, the background is left in 97 of 81 × 16 dimensions at most: a root of 0.27.
    assert np.linalg.norm(denoised - truth) < 0.4 * np.linalg.norm(seen - truth)


def test_what_is_clear_stays(scene):
    truth, noise, _ = scene
    assert denoise_mean(truth * 30, noise, NUM_AVERAGED) == pytest.approx(truth * 30, abs=0.5)


def test_scales_with_its_input(scene):
    seen = scene[2]
    random = np.random.default_rng(4)
    background = random.standard_normal((500, 81, 16)).astype(np.float32)
    small, large = (estimate_noise(each)[0] for each in (background, background * 1000))
    of_small = denoise_mean(seen, small, NUM_AVERAGED)
    assert denoise_mean(seen * 1000, large, NUM_AVERAGED) == pytest.approx(of_small * 1000, rel=1e-3, abs=1e-2)


def test_where_the_unit_is_silent_little_is_left(scene):
    truth, noise, seen = scene
    silent = (denoise_mean(seen, noise, NUM_AVERAGED) - truth)[:18]
    assert np.linalg.norm(silent) < 0.4 * np.linalg.norm((seen - truth)[:18])
