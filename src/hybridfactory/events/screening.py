"""Which snippets are clean: they neither collide with another unit's spike nor are outliers of their own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import time_derivative
from hybridfactory.events.kernel import LARGEST_VALUE, largest_magnitudes, mean_squares
from hybridfactory.events.leading import leading_patterns
from hybridfactory.events.locate import spread_sample
from hybridfactory.events.noise import NoiseModel
from hybridfactory.events.shrinkage import EDGE_MARGIN, noise_edge

__all__ = [
    "Deviations",
    "Screen",
    "deviations_from",
    "finite_windows",
    "make_screen",
    "ordinary_windows",
    "robust_spread",
]


OUTLIER_DEVIATIONS = 3.0
MIN_COLLISION_DEVIATIONS = 8.0
ORDINARY_SHARE = 0.7
NUM_OWN_COMPONENTS = 6
MAX_ORDINARY = 300
SNIPPETS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Deviations:
    """What some snippets have that their unit's mean has not.

    Parameters
    ----------
    largest : numpy.ndarray of float32, shape (num_snippets,)
        Largest deflection of each, in counts.
    whitened : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
        In the noise's patterns over time.
    """

    largest: NDArray[np.float32]
    whitened: NDArray[np.float32]

    def move(
        self,
        old: NDArray[np.float32],
        new: NDArray[np.float32],
        snippets: NDArray[np.float32],
        noise: NoiseModel,
    ) -> None:
        """Go on from deviations from an old mean to those from a new one.

        Whitening is linear, and none of the snippets, shape (num_snippets, num_samples, num_rows), needs it again.
        """
        change = noise.whiten_into_patterns(old - new)
        for first in range(0, len(snippets), SNIPPETS_AT_ONCE):
            some = slice(first, first + SNIPPETS_AT_ONCE)
            self.largest[some] = _deflection(snippets[some] - new)
            self.whitened[some] += change


def deviations_from(mean: NDArray[np.float32], snippets: NDArray[np.float32], noise: NoiseModel) -> Deviations:
    """Subtract a mean, and whiten; a few snippets at a time, which stay near the processor."""
    largest = np.empty(len(snippets), dtype=np.float32)
    whitened = np.empty(snippets.shape, dtype=np.float32)
    for first in range(0, len(snippets), SNIPPETS_AT_ONCE):
        some = slice(first, first + SNIPPETS_AT_ONCE)
        residual = snippets[some] - mean
        largest[some] = _deflection(residual)
        whitened[some] = noise.whiten_into_patterns(residual)
    return Deviations(largest, whitened)


@dataclass(frozen=True, eq=False)
class Screen:
    """Tells a clean snippet from one that collides or is an outlier of its unit.

    What the unit itself does (amplitude, lateness, its leading components) is no reason for suspicion: bursts
    and drift must pass. It is projected out before the rest is judged.

    Parameters
    ----------
    own : numpy.ndarray of float32, shape (num_own, num_features)
        Orthonormal patterns of the unit itself, whitened, in the noise's patterns over time.
    max_deflection : float
        Counts; a larger deflection in the residual is another unit's larger spike.
    max_energy : float
        Of the rest, per feature.
    """

    own: NDArray[np.float32]
    max_deflection: float
    max_energy: float

    def passes(self, deviations: Deviations) -> NDArray[np.bool_]:
        """Whether each snippet is clean, by its deviations from the mean."""
        return (deviations.largest < self.max_deflection) & (_rest(deviations.whitened, self.own) <= self.max_energy)


def finite_windows(windows: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which windows hold no NaN, and nothing as large as `LARGEST_VALUE`; shape (num_windows,)."""
    if windows.dtype.kind in "iu":
        return np.ones(len(windows), dtype=np.bool_)
    usable = np.logical_and(windows > -LARGEST_VALUE, windows < LARGEST_VALUE)
    return np.asarray(usable.all(axis=(1, 2)))


def make_screen(
    whitened: NDArray[np.float32],
    noise: NoiseModel,
    template: NDArray[np.float32],
    random: np.random.Generator,
) -> Screen:
    """Thresholds from the population itself: robust location and spread of what is left of the residuals.

    Parameters
    ----------
    whitened : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
        Deviations from the mean, as `Deviations` has them.
    noise : NoiseModel
    template : numpy.ndarray of float32, shape (num_samples, num_rows)
    random : numpy.random.Generator
    """
    shape_changes = np.stack([template, time_derivative(template)])
    own = _orthonormal(noise.whiten_into_patterns(shape_changes).reshape(2, -1))
    rest = _rest(whitened, own)
    which = np.flatnonzero(rest <= np.quantile(rest, ORDINARY_SHARE))
    ordinary = whitened[which[spread_sample(which.size, MAX_ORDINARY)]].reshape(-1, template.size)
    rank = min(NUM_OWN_COMPONENTS, min(ordinary.shape) - 2)
    if rank > 0 and ordinary.any():
        singular, vectors = leading_patterns(ordinary, rank, random)
        # Noise that the few spikes happen to share is not theirs: it would be missing from their rest alone.
        edge = noise_edge(template.size / len(ordinary)) * EDGE_MARGIN * np.sqrt(len(ordinary) * np.median(rest))
        own = _orthonormal(np.concatenate([own, vectors[singular > edge]]))
        rest = _rest(whitened, own)
    center, spread = robust_spread(rest)
    peak = float(np.abs(template).max())
    floor = MIN_COLLISION_DEVIATIONS * float(noise.standard_deviation.max())
    return Screen(own, max(peak, floor), center + OUTLIER_DEVIATIONS * max(spread, 1e-3 * center))


def _orthonormal(patterns: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.linalg.qr(patterns.T)[0].T.astype(np.float32))


def _rest(whitened: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square per feature of what is left of each snippet without the unit's own patterns."""
    scores = whitened.reshape(len(whitened), -1) @ own.T
    explained = np.einsum("nk,nk->n", scores, scores, dtype=np.float64) / max(whitened[0].size, 1)
    return np.asarray(_energy(whitened) - explained)


def robust_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Median, and standard deviation of a normal distribution with the same median absolute deviation."""
    center = float(np.median(values))
    return center, 1.4826 * float(np.median(np.abs(values - center)))


def ordinary_windows(windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Windows without a large event of anybody on these rows."""
    energy = _energy(windows)
    center, spread = robust_spread(energy)
    return energy <= center + OUTLIER_DEVIATIONS * spread


def _energy(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of every window; shape (num_windows,)."""
    energy = np.empty(len(windows), dtype=np.float64)
    mean_squares(energy, np.ascontiguousarray(windows).reshape(len(windows), -1))
    return energy


def _deflection(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest absolute value of every window; shape (num_windows,)."""
    largest = np.empty(len(windows), dtype=np.float32)
    largest_magnitudes(largest, np.ascontiguousarray(windows).reshape(len(windows), -1))
    return largest
