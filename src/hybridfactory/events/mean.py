"""A unit's mean waveform, freed from what is left in it of the background."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.noise import NoiseModel
from hybridfactory.events.shrinkage import noise_edge

__all__ = ["denoise_mean"]

PATTERNS_PER_BLOCK = 8
SAMPLES_PER_BLOCK = 6


def denoise_mean(mean: NDArray[np.float32], noise: NoiseModel, num_averaged: int) -> NDArray[np.float32]:
    """Best guess of a unit's waveform, given the mean over some of its snippets.

    A spike is few patterns over space, each smooth and short; the background left in a mean is everything. In
    units of a background that is a product of space and time, the mean is a matrix of low rank in white noise: its
    singular values above the noise's edge are kept (M. Gavish and D. L. Donoho, 2017). Each one's course in time is
    then shrunk, first by blocks of neighbouring patterns over time, then by blocks of neighbouring samples, by how
    much of a block's energy the background explains (the positive part of James and Stein's estimator), with the
    background's own variance for each pattern.

    Parameters
    ----------
    mean : numpy.ndarray of float32, shape (num_samples, num_rows)
    noise : NoiseModel
        Of the background on the same samples and rows.
    num_averaged : int
        Snippets that the mean is over.
    """
    shares = (noise.patterns.T @ mean @ noise.space_whitener) / noise.pattern_deviation[:, None]
    shares[~noise.is_heard] = 0
    left, singular, right = np.linalg.svd(shares.astype(np.float64), full_matrices=False)
    flat, tall = sorted(shares.shape)
    rank = max(int((singular * np.sqrt(num_averaged / tall) > noise_edge(flat / tall)).sum()), 1)
    courses = left[:, :rank] * singular[:rank]
    variance = _noise_variance(noise, right[:rank]) / num_averaged
    # A recording without noise has means without error; dividing by it must not be asked for.
    variance = np.maximum(variance, 1e-12 * np.maximum((courses**2).max(), np.finfo(np.float32).tiny))
    gains = _block_gains(courses**2 / variance, PATTERNS_PER_BLOCK)
    # The patterns are orthonormal: a course in time has what is left of their noise, mixed.
    in_time = noise.patterns @ (gains * courses)
    left_over = noise.patterns**2 @ (gains**2 * variance)
    in_time *= _block_gains(in_time**2 / np.maximum(left_over, 1e-3 * variance.min()), SAMPLES_PER_BLOCK)
    kept = noise.patterns.T @ in_time
    whole = (noise.patterns * noise.pattern_deviation) @ (kept @ right[:rank]) @ noise.space_root
    return np.asarray(whole, dtype=np.float32)


def _noise_variance(noise: NoiseModel, right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of the background along each pattern over time and each of some patterns over rows.

    Parameters
    ----------
    noise : NoiseModel
    right : numpy.ndarray, shape (rank, num_rows)
        Patterns over rows, in the units of the product.

    Returns
    -------
    numpy.ndarray, shape (num_samples, rank)
    """
    weights = noise.space_whitener @ right.T
    deviations = np.matmul(noise.roots, weights) / noise.pattern_deviation[:, None, None]
    return np.asarray((deviations**2).sum(axis=1), dtype=np.float64)


def _block_gains(energy: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Share of signal in blocks of some entries; energies in units of the noise, shape (num_entries, rank)."""
    starts = np.arange(0, len(energy), length)
    sizes = np.diff(np.append(starts, len(energy)))[:, None]
    excess = np.add.reduceat(energy, starts, axis=0)
    gains = 1 - np.minimum(sizes / np.maximum(excess, sizes), 1)
    return np.asarray(np.repeat(gains, sizes[:, 0], axis=0))
