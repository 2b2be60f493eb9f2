"""Fit the event model: mean and low rank, whitened by the background, singular values shrunk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from hybridfactory.events.alignment import PAD, OffsetEstimator, align, phase_of
from hybridfactory.events.footprint import end_taper, footprint_weights
from hybridfactory.events.noise import NoiseModel, estimate_noise
from hybridfactory.events.shrinkage import denoise_matrix, noise_edge, shrink_singular_values, squared_cosine
from hybridfactory.events.snippets import remove_baseline

__all__ = ["FittedUnit", "fit_unit"]

NUM_ROBUST_MEAN = 301
MAX_AUTO_RANK = 40
OUTLIER_DEVIATIONS = 6.0
MIN_COLLISION_DEVIATIONS = 8.0
NUM_ALIGNMENT_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Screen:
    """Thresholds that tell a clean snippet from one that collides or is an outlier."""

    max_deflection: float
    max_energy: float

    def passes(self, residual: NDArray[np.float32], whitened: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each snippet is clean; `residual` in counts, both (num_snippets, num_samples, num_rows)."""
        return (_deflection(residual) < self.max_deflection) & (_energy(whitened) < self.max_energy)


@dataclass(frozen=True, eq=False)
class FittedUnit:
    """A fitted model, and the means to find any spike's share of it.

    Parameters
    ----------
    columns : numpy.ndarray of int64, shape (num_rows,)
        Columns of the snippets that make the footprint.
    mean, components : numpy.ndarray of float32
        As `EventModel` has them.
    noise : NoiseModel
        Of the background on the footprint.
    is_training : numpy.ndarray of bool, shape (num_snippets,)
        Snippets that the model learned from.
    """

    columns: NDArray[np.int64]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    noise: NoiseModel
    is_training: NDArray[np.bool_]
    offset_estimator: OffsetEstimator
    offset_center: float
    offset_gain: float
    plain_mean: NDArray[np.float32]
    directions: NDArray[np.float32]
    gains: NDArray[np.float32]
    training_gains: NDArray[np.float32]
    screen: Screen

    @property
    def noise_deviation(self) -> NDArray[np.float32]:
        """Standard deviation of the background on every row of the footprint."""
        return self.noise.standard_deviation

    def encode(
        self, snippets: NDArray[np.generic], is_training: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
        """Find the share of the model in every snippet.

        Parameters
        ----------
        snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_candidate_rows)
            As read, on the same rows as those the model was fitted to.
        is_training : numpy.ndarray of bool, shape (num_snippets,)
            Snippets that the model learned from; their share is overstated by the fit and is scaled for it.

        Returns
        -------
        phases : numpy.ndarray of int64, shape (num_snippets,)
            Steps of 1 / NUM_PHASES sample, whole samples included.
        coefficients : numpy.ndarray of float32, shape (num_snippets, rank)
        is_clean : numpy.ndarray of bool, shape (num_snippets,)
        """
        values = remove_baseline(snippets[:, :, self.columns], margin=PAD)
        offsets = _damped(self.offset_estimator.estimate(values), self.offset_center, self.offset_gain)
        residual = align(values, offsets)[:, PAD:-PAD] - self.plain_mean
        whitened = self.noise.whiten(residual)
        scores = whitened.reshape(len(values), -1) @ self.directions.T
        gains = np.where(is_training[:, None], self.training_gains, self.gains)
        return phase_of(offsets), scores * gains, self.screen.passes(residual, whitened)


def fit_unit(
    snippets: NDArray[np.generic],
    background: NDArray[np.generic],
    *,
    max_rank: int | None,
    random: np.random.Generator,
) -> FittedUnit:
    """Fit the event model of one unit.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_rows)
        Windows around the unit's spikes as read from the untouched source.
    background : numpy.ndarray, shape (num_windows, num_samples + 2 * PAD, num_rows)
        Windows on the same rows away from the unit's spikes.
    max_rank : int or None
        Largest number of components; None: every component above the noise edge.
    random : numpy.random.Generator
        For the start of the iterative decomposition only.

    Returns
    -------
    FittedUnit
        With `is_training` marking the snippets that were clean; their number may be too small to be of use,
        which is for the caller to judge.

    Notes
    -----
    The residuals around the mean are whitened with the background's covariance, decomposed by a truncated SVD,
    and the singular values shrunk (see `shrinkage`): what is injected is the unit's own variability, and not
    its background a second time.
    """
    values = remove_baseline(snippets, margin=PAD)
    quiet = remove_baseline(background, margin=PAD)[:, PAD:-PAD]
    quiet = quiet[_is_ordinary(quiet)]
    rough_mean = np.median(values[:: -(-len(values) // NUM_ROBUST_MEAN)], axis=0)
    weights = footprint_weights(rough_mean[PAD:-PAD], quiet.std(axis=(0, 1)) / np.sqrt(len(values)))
    columns = np.flatnonzero(weights)
    values, quiet, rough_mean = values[:, :, columns], quiet[:, :, columns], rough_mean[:, columns]
    noise = estimate_noise(quiet)

    template = rough_mean
    clean = np.ones(len(values), dtype=bool)
    for _ in range(NUM_ALIGNMENT_ROUNDS):
        estimator = OffsetEstimator(noise, template)
        raw_offsets = estimator.estimate(values)
        center = float(np.median(raw_offsets[clean]))
        gain = _offset_gain(raw_offsets[clean], estimator.error_variance)
        offsets = _damped(raw_offsets, center, gain)
        aligned = align(values, offsets)
        residual = (aligned - template)[:, PAD:-PAD]
        screen = _screen(residual, noise, template[PAD:-PAD])
        clean = screen.passes(residual, noise.whiten(residual))
        template = aligned[clean].mean(axis=0) if clean.any() else template
    plain_mean = template[PAD:-PAD]
    whitened = noise.whiten(aligned[:, PAD:-PAD] - plain_mean)
    directions, gains, training_gains = _decompose(
        whitened[clean].reshape(int(clean.sum()), -1), max_rank=max_rank, random=random
    )
    deviation = float(whitened[clean].std()) / np.sqrt(clean.sum())
    mean = noise.unwhiten(denoise_matrix(noise.whiten(plain_mean), deviation))
    window = end_taper(plain_mean.shape[0])[:, None] * weights[columns]
    components = noise.unwhiten(directions.reshape(-1, *plain_mean.shape)) * window
    return FittedUnit(
        columns=columns,
        mean=mean * window,
        components=components.astype(np.float32),
        noise=noise,
        is_training=clean,
        offset_estimator=estimator,
        offset_center=center,
        offset_gain=gain,
        plain_mean=plain_mean,
        directions=directions,
        gains=gains,
        training_gains=training_gains,
        screen=screen,
    )


def _decompose(
    whitened: NDArray[np.float32], *, max_rank: int | None, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Components of the signal in white noise, and what scores along them are to be multiplied with.

    Returns
    -------
    directions : numpy.ndarray of float32, shape (rank, num_features)
    gains, training_gains : numpy.ndarray of float32, shape (rank,)
        For snippets outside and inside the decomposition, so that both vary as much as the signal does.
    """
    num_events, num_features = whitened.shape
    rank = min(max_rank or MAX_AUTO_RANK, num_events - 2, num_features - 2)
    nothing = np.zeros((0,), dtype=np.float32)
    if rank < 1:
        return np.zeros((0, num_features), dtype=np.float32), nothing, nothing
    start = random.standard_normal(min(whitened.shape)).astype(np.float32)
    _, singular, vectors = svds(whitened, k=rank, v0=start, solver="arpack")
    singular, vectors = singular[::-1].astype(np.float64), vectors[::-1]
    # The bulk says how white the noise really is: what is left after the leading components are gone.
    total = float(np.sum(whitened.astype(np.float64) ** 2))
    noise_variance = (total - float(np.sum(singular**2))) / ((num_events - rank) * (num_features - rank))
    noise_deviation = np.sqrt(max(noise_variance, np.finfo(np.float64).tiny))
    aspect = num_features / num_events
    observed = singular / (np.sqrt(num_events) * noise_deviation)
    kept = observed > noise_edge(aspect)
    observed, vectors = observed[kept], vectors[kept]
    signal = shrink_singular_values(observed, aspect)
    training_gains = signal / observed
    gains = signal / np.sqrt(1 + signal**2 * squared_cosine(signal, aspect))
    return vectors.astype(np.float32), gains.astype(np.float32), training_gains.astype(np.float32)


def _damped(offsets: NDArray[np.float64], center: float, gain: float) -> NDArray[np.float64]:
    """Draw noisy offsets towards their centre, so that they vary as much as the true ones."""
    return center + gain * (offsets - center)


def _offset_gain(offsets: NDArray[np.float64], error_variance: float) -> float:
    """Standard deviation of the true offsets over that of the estimated ones."""
    variance = float(np.var(offsets))
    return float(np.sqrt(max(1 - error_variance / variance, 0))) if variance > 0 else 0.0


def _screen(residual: NDArray[np.float32], noise: NoiseModel, template: NDArray[np.float32]) -> Screen:
    """Thresholds from the population itself: robust location and spread of the residuals' energies."""
    energy = _energy(noise.whiten(residual))
    center = float(np.median(energy))
    spread = 1.4826 * float(np.median(np.abs(energy - center)))
    peak = float(np.abs(template).max())
    floor = MIN_COLLISION_DEVIATIONS * float(noise.standard_deviation.max())
    return Screen(max(peak, floor), center + OUTLIER_DEVIATIONS * max(spread, 1e-3 * center))


def _is_ordinary(windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Windows without a large event of anybody on these rows."""
    energy = _energy(windows)
    center = float(np.median(energy))
    spread = 1.4826 * float(np.median(np.abs(energy - center)))
    return energy <= center + OUTLIER_DEVIATIONS * spread


def _energy(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of every window; shape (num_windows,)."""
    total = np.einsum("nij,nij->n", windows, windows, dtype=np.float64)
    return np.asarray(total / max(windows[0].size, 1))


def _deflection(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest absolute value of every window; shape (num_windows,)."""
    return np.asarray(np.maximum(windows.max(axis=(1, 2)), -windows.min(axis=(1, 2))))
