"""The background on a unit's rows: how it varies together over space and time, and how to whiten it."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["NoiseModel", "estimate_noise", "product_whiteners"]

SHRINKAGE = 1e-2
NOT_HEARD = 1e-3


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Covariance of the background: independent patterns over time, each with its own covariance over space.

    A full covariance of 30 rows × 81 samples has three million entries and would need as many snippets. One product
    of space ⊗ time (Kronecker) has four thousand, but knows a single pattern over space, where slow potentials are
    common to all rows and fast noise is not. What is kept here has a covariance over space for each of the
    patterns over time: slow ones have theirs, fast ones another.

    Parameters
    ----------
    standard_deviation : numpy.ndarray of float32, shape (num_rows,)
    patterns : numpy.ndarray of float32, shape (num_samples, num_samples)
        Orthonormal patterns over time, one per column, the strongest last.
    pattern_deviation : numpy.ndarray of float32, shape (num_samples,)
        Standard deviation along each, where a product of space and time describes the background.
    space_whitener, space_root : numpy.ndarray of float32, shape (num_rows, num_rows)
        The same product's inverse square root and square root of the covariance over rows.
    is_heard : numpy.ndarray of bool, shape (num_samples,)
        False for patterns along which the background does not vary: where baselines were taken off, two are left
        with nothing but rounding errors.
    whiteners, roots : numpy.ndarray of float32, shape (num_samples, num_rows, num_rows)
        For each pattern the symmetric inverse square root and square root of the covariance over rows; zero for
        one that is not heard.
    """

    standard_deviation: NDArray[np.float32]
    patterns: NDArray[np.float32]
    pattern_deviation: NDArray[np.float32]
    space_whitener: NDArray[np.float32]
    space_root: NDArray[np.float32]
    is_heard: NDArray[np.bool_]
    whiteners: NDArray[np.float32]
    roots: NDArray[np.float32]

    def whiten(self, snippets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make the background white with unit variance; a symmetric operation; shape (..., num_samples, num_rows)."""
        return self._apply(snippets, self.whiteners)

    def unwhiten(self, snippets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take back `whiten`; shape (..., num_samples, num_rows)."""
        return self._apply(snippets, self.roots)

    def whiten_into_patterns(self, snippets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Whiten, and leave it in the patterns over time; shape (..., num_samples, num_rows).

        That is one step less than `whiten`, and lengths and products of what comes out are the same.
        """
        return self.in_patterns(snippets, self.whiteners)

    def in_patterns(
        self, snippets: NDArray[np.float32], factors: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Share of each pattern over time in snippets, multiplied by its matrix over rows if there are any."""
        flat = snippets.reshape(-1, *snippets.shape[-2:])
        shares = np.matmul(self.patterns.T, flat)
        if factors is not None:
            changed = np.empty_like(shares)
            # Seen as patterns × snippets × rows, where each pattern's matrix multiplies one matrix.
            np.matmul(np.swapaxes(shares, 0, 1), factors, out=np.swapaxes(changed, 0, 1))
            shares = changed
        return cast("NDArray[np.float32]", shares.reshape(snippets.shape))

    def from_patterns(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples that shares of patterns over time make up; shape (..., num_samples, num_rows)."""
        return cast("NDArray[np.float32]", np.matmul(self.patterns, shares))

    def on(self, columns: NDArray[np.int64]) -> "NoiseModel":
        """The same background on some of the rows."""
        covariances = self.roots[:, columns].astype(np.float64) @ self.roots[:, :, columns]
        covariances[~self.is_heard] = np.eye(columns.size)
        roots, whiteners = _roots_of(covariances)
        roots[~self.is_heard], whiteners[~self.is_heard] = 0, 0
        space_root, space_whitener = _roots_of(
            self.space_root[columns].astype(np.float64) @ self.space_root[:, columns]
        )
        return replace(
            self,
            standard_deviation=self.standard_deviation[columns],
            space_whitener=space_whitener,
            space_root=space_root,
            whiteners=whiteners,
            roots=roots,
        )

    def _apply(self, snippets: NDArray[np.float32], factors: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.from_patterns(self.in_patterns(snippets, factors))


def estimate_noise(
    snippets: NDArray[np.float32], floor_variance: float = 0.0
) -> tuple[NoiseModel, NDArray[np.float32]]:
    """Measure the background from snippets without spikes of the unit.

    The patterns over time are the eigenvectors of the covariance over samples in the maximum-likelihood estimate of
    one product of space and time (P. Dutilleul, 1999). The covariance over rows is then measured for each pattern by
    itself, and drawn towards what all patterns have in common, the more so the fewer snippets there are.

    Parameters
    ----------
    snippets : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
        Baselines removed as they are for the spikes.
    floor_variance : float
        Variance that every sample has at least, such as that of rounding.

    Returns
    -------
    noise : NoiseModel
    white : numpy.ndarray of float32, shape (num_samples, num_snippets, num_rows)
        The snippets, whitened, in the noise's patterns over time, which come first.
    """
    num_snippets, num_samples, num_rows = snippets.shape
    # With samples first, every step is one product of large matrices.
    by_sample = np.ascontiguousarray(np.swapaxes(snippets, 0, 1))
    space, time = _product_covariance(by_sample, floor_variance)
    space_root, space_whitener = _roots_of(space)
    strengths, patterns = np.linalg.eigh(time)
    shares = (patterns.T.astype(np.float32) @ by_sample.reshape(num_samples, -1)).reshape(by_sample.shape)
    covariances = np.matmul(np.swapaxes(shares, 1, 2), shares).astype(np.float64) / num_snippets
    # In proportion to what a product of space and time would have them be.
    sizes = np.trace(covariances, axis1=1, axis2=2)[:, None, None] / np.trace(space)
    against_product = sizes[:, 0, 0] / strengths
    is_heard = against_product >= NOT_HEARD * np.median(against_product)
    weight = num_rows / (num_rows + num_snippets)
    covariances = _shrunk((1 - weight) * covariances + weight * sizes * space, floor_variance)
    roots, whiteners = _roots_of(covariances)
    roots[~is_heard], whiteners[~is_heard] = 0, 0
    variance = np.einsum("kii->i", covariances) / num_samples
    noise = NoiseModel(
        standard_deviation=np.sqrt(variance).astype(np.float32),
        patterns=patterns.astype(np.float32),
        pattern_deviation=np.sqrt(strengths).astype(np.float32),
        space_whitener=space_whitener,
        space_root=space_root,
        is_heard=is_heard,
        whiteners=whiteners,
        roots=roots,
    )
    return noise, np.matmul(shares, whiteners)


def product_whiteners(
    snippets: NDArray[np.float32], floor_variance: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Symmetric matrices over rows and over samples that whiten together, if the background is a product.

    Parameters
    ----------
    snippets : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
    floor_variance : float
        Variance that every sample has at least.

    Returns
    -------
    space : numpy.ndarray of float32, shape (num_rows, num_rows)
    time : numpy.ndarray of float32, shape (num_samples, num_samples)
    """
    space, time = _product_covariance(np.ascontiguousarray(np.swapaxes(snippets, 0, 1)), floor_variance)
    return _roots_of(space)[1], _roots_of(time)[1]


def _product_covariance(
    by_sample: NDArray[np.float32], floor_variance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariances over rows and over samples whose product fits the snippets, samples first, best; two sweeps."""
    # The first sweep only makes a start, and a part of the snippets will do.
    _, time = _sweep(by_sample[:, ::4], None, floor_variance)
    return _sweep(by_sample, _whitener(time), floor_variance)


def _sweep(
    by_sample: NDArray[np.float32], whitener: NDArray[np.float32] | None, floor_variance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Covariance over rows, given what whitens samples, and the covariance over samples that this leaves."""
    num_samples, num_snippets, num_rows = by_sample.shape
    flat = np.ascontiguousarray(by_sample).reshape(num_samples, -1)
    white_in_time = (flat if whitener is None else whitener @ flat).reshape(-1, num_rows)
    covariance = (white_in_time.T @ white_in_time).astype(np.float64)
    space = _shrunk(covariance / (num_snippets * num_samples), floor_variance)
    white_in_space = (flat.reshape(-1, num_rows) @ _whitener(space).T).reshape(num_samples, -1)
    covariance = (white_in_space @ white_in_space.T).astype(np.float64)
    return space, _shrunk(covariance / (num_snippets * num_rows), 0.0)


def _shrunk(covariances: NDArray[np.float64], floor_variance: float) -> NDArray[np.float64]:
    """Draw covariances towards their diagonals; rows that never vary get a floor; shape (..., n, n)."""
    diagonal = np.diagonal(covariances, axis1=-2, axis2=-1)
    floor = np.maximum(1e-6 * diagonal.max(axis=-1, keepdims=True), floor_variance)
    shrunk = (1 - SHRINKAGE) * covariances
    index = np.arange(diagonal.shape[-1])
    shrunk[..., index, index] = np.maximum(diagonal, np.where(floor > 0, floor, 1.0))
    return shrunk


def _whitener(covariance: NDArray[np.float64]) -> NDArray[np.float32]:
    """Triangular matrix that whitens what it multiplies: sums of squares are those of a symmetric one, for less."""
    return np.asarray(np.linalg.inv(np.linalg.cholesky(covariance)), dtype=np.float32)


def _roots_of(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Symmetric square root and inverse square root of covariances; shape (..., n, n)."""
    values, vectors = np.linalg.eigh(covariance)
    floored: NDArray[np.float64] = np.maximum(values, 1e-9 * values.max(axis=-1, keepdims=True))[..., None, :]
    transposed = np.swapaxes(vectors, -1, -2)
    root = (vectors * np.sqrt(floored)) @ transposed
    whitener = (vectors / np.sqrt(floored)) @ transposed
    return root.astype(np.float32), whitener.astype(np.float32)
