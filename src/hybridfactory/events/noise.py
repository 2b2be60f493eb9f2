"""The background on a unit's rows: how it varies together over space and time, and how to whiten it."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["NoiseModel", "estimate_noise"]

SHRINKAGE = 1e-2
NUM_SWEEPS = 2


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Covariance of the background as space ⊗ time (Kronecker), with its factors' square roots.

    A full covariance of 30 rows × 81 samples has three million entries and would need as many snippets; the
    product has four thousand and is well-conditioned from a few hundred.

    Parameters
    ----------
    standard_deviation : numpy.ndarray of float32, shape (num_rows,)
    space_whitener, space_root : numpy.ndarray of float32, shape (num_rows, num_rows)
        Symmetric inverse square root and square root of the covariance over rows.
    time_whitener, time_root : numpy.ndarray of float32, shape (num_samples, num_samples)
        The same over samples.
    """

    standard_deviation: NDArray[np.float32]
    space_whitener: NDArray[np.float32]
    space_root: NDArray[np.float32]
    time_whitener: NDArray[np.float32]
    time_root: NDArray[np.float32]

    def whiten(self, snippets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make the background white with unit variance; shape (..., num_samples, num_rows)."""
        return cast("NDArray[np.float32]", np.matmul(self.time_whitener, snippets @ self.space_whitener))

    def unwhiten(self, snippets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take back `whiten`; shape (..., num_samples, num_rows)."""
        return cast("NDArray[np.float32]", np.matmul(self.time_root, snippets @ self.space_root))


def estimate_noise(snippets: NDArray[np.float32], floor_variance: float = 0.0) -> NoiseModel:
    """Measure the background from snippets without spikes of the unit.

    The maximum-likelihood estimate for a matrix-normal distribution by alternating sweeps (P. Dutilleul, 1999),
    each factor drawn a little towards its diagonal so that it stays invertible.

    Parameters
    ----------
    snippets : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
        Baselines removed as they are for the spikes.
    floor_variance : float
        Variance that every sample has at least, such as that of rounding.
    """
    num_snippets, num_samples, num_rows = snippets.shape
    space = np.eye(num_rows)
    time = np.eye(num_samples)
    for _ in range(NUM_SWEEPS):
        _, time_whitener = _roots(time)
        halfway = np.matmul(time_whitener, snippets).reshape(-1, num_rows)
        space = _shrunk((halfway.T @ halfway).astype(np.float64) / (num_snippets * num_samples), floor_variance)
        _, space_whitener = _roots(space)
        halfway = np.swapaxes(snippets @ space_whitener, 1, 2).reshape(-1, num_samples)
        time = _shrunk((halfway.T @ halfway).astype(np.float64) / (num_snippets * num_rows), 0.0)
    space_root, space_whitener = _roots(space)
    time_root, time_whitener = _roots(time)
    variance = np.diag(space) * np.trace(time) / num_samples
    return NoiseModel(np.sqrt(variance).astype(np.float32), space_whitener, space_root, time_whitener, time_root)


def _shrunk(covariance: NDArray[np.float64], floor_variance: float) -> NDArray[np.float64]:
    """Draw a covariance towards its diagonal; rows that never vary get a floor."""
    diagonal = np.diag(covariance)
    floor = max(1e-6 * float(diagonal.max()), floor_variance) or 1.0
    shrunk = (1 - SHRINKAGE) * covariance
    np.fill_diagonal(shrunk, np.maximum(diagonal, floor))
    return shrunk


def _roots(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Symmetric square root and inverse square root."""
    values, vectors = np.linalg.eigh(covariance)
    floored: NDArray[np.float64] = np.maximum(values, 1e-9 * np.max(values))
    root = (vectors * np.sqrt(floored)) @ vectors.T
    whitener = (vectors / np.sqrt(floored)) @ vectors.T
    return root.astype(np.float32), whitener.astype(np.float32)
