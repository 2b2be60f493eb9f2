"""Fit the event model: mean and low rank, whitened by the background, singular values shrunk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.sparse.linalg import svds

from hybridfactory.events.alignment import PAD, OffsetEstimator, align, centered, phase_of
from hybridfactory.events.footprint import end_taper, footprint_weights
from hybridfactory.events.noise import NoiseModel, estimate_noise
from hybridfactory.events.screening import Screen, finite_windows, make_screen, ordinary_windows, robust_spread
from hybridfactory.events.shrinkage import (
    EDGE_MARGIN,
    denoise_matrix,
    noise_edge,
    shrink_singular_values,
    squared_cosine,
)
from hybridfactory.events.snippets import baseline_ramp, end_difference, remove_baseline

__all__ = ["MIN_TRAINING_SPIKES", "FittedUnit", "TooFewSpikes", "fit_unit"]

MIN_TRAINING_SPIKES = 30
NUM_TIMING_ROWS = 8
NUM_ROBUST_MEAN = 301
MAX_AUTO_RANK = 40
MIN_NOISE_DEVIATION = 0.5
ACTIVE_DEVIATIONS = 0.1
ACTIVE_REACH = 2
MIN_LASTING_ERRORS = 4.0
NUM_ALIGNMENT_ROUNDS = 2


@dataclass(frozen=True)
class TooFewSpikes:
    """What comes of a fit to a unit with too few clean spikes.

    Parameters
    ----------
    count : int
        Windows that there are.
    what : str
        Which windows are too few.
    """

    count: int
    what: str = "clean spikes among those looked at"


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
    end_share : float
        How large the mean still is where its window ends, against its peak.
    """

    columns: NDArray[np.int64]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    noise: NoiseModel
    is_training: NDArray[np.bool_]
    end_share: float
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
        is_finite = finite_windows(snippets)
        values = remove_baseline(np.where(is_finite[:, None, None], snippets[:, :, self.columns], 0))
        offsets = _damped(self.offset_estimator.estimate(values), self.offset_center, self.offset_gain)
        residual = align(values, offsets)[:, PAD:-PAD] - self.plain_mean
        whitened = self.noise.whiten(residual)
        scores = whitened.reshape(len(values), -1) @ self.directions.T
        gains = np.where(is_training[:, None], self.training_gains, self.gains)
        return phase_of(offsets), scores * gains, self.screen.passes(residual, whitened) & is_finite


def fit_unit(
    snippets: NDArray[np.generic],
    background: NDArray[np.generic],
    *,
    samples_before: int,
    max_rank: int | None,
    random: np.random.Generator,
) -> "FittedUnit | TooFewSpikes":
    """Fit the event model of one unit.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_rows)
        Windows around the unit's spikes as read from the untouched source.
    background : numpy.ndarray, shape (num_windows, num_samples + 2 * PAD, num_rows)
        Windows on the same rows away from the unit's spikes.
    samples_before : int
        Samples of an event's window before its trough.
    max_rank : int or None
        Largest number of components; None: every component above the noise edge.
    random : numpy.random.Generator
        For the start of the iterative decomposition only.

    Returns
    -------
    FittedUnit or TooFewSpikes

    Notes
    -----
    The residuals around the mean are whitened with the background's covariance, decomposed by a truncated SVD,
    and the singular values shrunk (see `shrinkage`): what is injected is the unit's own variability, and not
    its background a second time.
    """
    is_finite = finite_windows(snippets)
    if is_finite.sum() < MIN_TRAINING_SPIKES:
        return TooFewSpikes(int(is_finite.sum()))
    values = remove_baseline(np.where(is_finite[:, None, None], snippets, 0))
    quiet = remove_baseline(background[finite_windows(background)])
    if len(quiet) < MIN_TRAINING_SPIKES:
        return TooFewSpikes(len(quiet), "windows without its spikes to measure the background in")
    quiet = quiet[ordinary_windows(quiet)]
    some = values[is_finite]
    stride = 2 * -(-len(some) // (2 * NUM_ROBUST_MEAN))
    halves = np.stack([np.median(some[parity::stride], axis=0) for parity in (0, 1)])
    rough_mean = halves.mean(axis=0)
    if not rough_mean.any():
        return TooFewSpikes(0, "spikes with a signal on any of its channels")
    # A recording cannot be quieter than its own rounding.
    floor = 1 / 12 if snippets.dtype.kind in "iu" else (1e-6 * float(np.abs(values).max())) ** 2
    deviation = np.sqrt(quiet[:, PAD:-PAD].var(axis=(0, 1)) + floor)
    weights = footprint_weights(rough_mean[PAD:-PAD], deviation / np.sqrt(len(some)))
    columns = np.flatnonzero(weights)
    values, quiet, halves = values[:, :, columns], quiet[:, :, columns], halves[:, :, columns]
    noise = estimate_noise(quiet[:, PAD:-PAD], floor)

    # The strongest rows know the time nearly as well as all do, at a fraction of the cost.
    timing_columns = np.argsort(-np.abs(rough_mean[:, columns]).max(axis=0), kind="stable")[:NUM_TIMING_ROWS]
    timing_noise = estimate_noise(quiet[:, PAD:-PAD, timing_columns], floor)
    padded_noise = estimate_noise(quiet[:, :, timing_columns], floor)
    clean = is_finite
    for round_number in range(NUM_ALIGNMENT_ROUNDS):
        template = centered(halves.mean(axis=0), PAD + samples_before)
        num_averaged = int(clean.sum()) if round_number else len(some[::stride]) * 2
        smooth = _denoised(template[:, timing_columns], padded_noise, num_averaged)
        estimator = OffsetEstimator(timing_noise, smooth, timing_columns)
        raw_offsets = estimator.estimate(values)
        center = float(np.median(raw_offsets[clean]))
        # A template tested on the spikes it was averaged from knows their noise, and looks too sure of the time.
        smooth = _denoised(halves[0][:, timing_columns], padded_noise, num_averaged // 2)
        judge = OffsetEstimator(timing_noise, smooth, timing_columns)
        gain = _offset_gain(judge.estimate(values[clean][1::2]), judge.estimate(halves[1] + quiet))
        offsets = _damped(raw_offsets, center, gain)
        aligned = align(values, offsets)
        residual = (aligned - template)[:, PAD:-PAD]
        whitened = noise.whiten(residual)
        screen = make_screen(residual[is_finite], whitened[is_finite], noise, template[PAD:-PAD], random)
        clean = screen.passes(residual, whitened) & is_finite
        if clean.sum() < MIN_TRAINING_SPIKES:
            return TooFewSpikes(int(clean.sum()))
        halves = np.stack([aligned[clean][parity::2].mean(axis=0) for parity in (0, 1)])
    plain_mean = aligned[clean][:, PAD:-PAD].mean(axis=0)
    whitened = noise.whiten(aligned[clean][:, PAD:-PAD] - plain_mean)
    mean = _denoised(plain_mean, noise, len(whitened))
    active = _active_features(noise.whiten(mean)).reshape(-1)
    lasting = _lasting_change(snippets[clean][:, :, columns], background[finite_windows(background)][:, :, columns])
    found, gains, training_gains = _decompose(
        whitened.reshape(len(whitened), -1)[:, active],
        noise.whiten(quiet[:, PAD:-PAD]).reshape(len(quiet), -1)[:, active],
        noise.whiten(mean).reshape(-1)[active],
        max_rank=max_rank,
        random=random,
    )
    directions = np.zeros((len(found), active.size), dtype=np.float32)
    directions[:, active] = found
    whole_mean = mean + baseline_ramp(snippets.shape[1])[PAD:-PAD, None] * lasting
    window = end_taper(plain_mean.shape[0])[:, None] * weights[columns]
    components = noise.unwhiten(directions.reshape(-1, *plain_mean.shape)) * window
    return FittedUnit(
        columns=columns,
        mean=whole_mean * window,
        end_share=float(np.abs(whole_mean[-1]).max() / np.abs(whole_mean).max()),
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
    whitened: NDArray[np.float32],
    quiet: NDArray[np.float32],
    mean: NDArray[np.float32],
    *,
    max_rank: int | None,
    random: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Components of the signal in noise, and what scores along them are to be multiplied with.

    The first is the mean itself: changes of amplitude, whose pattern is known and need not be found among all
    others, show in a few dozen spikes. The rest come from the singular value decomposition.

    Parameters
    ----------
    whitened : numpy.ndarray of float32, shape (num_events, num_features)
        Deviations from the mean.
    quiet : numpy.ndarray of float32, shape (num_windows, num_features)
        Background, whitened alike: it tells the noise that is really left.
    mean : numpy.ndarray of float32, shape (num_features,)
        Of the events, whitened.

    Returns
    -------
    directions : numpy.ndarray of float32, shape (rank, num_features)
    gains, training_gains : numpy.ndarray of float32, shape (rank,)
        For snippets outside and inside the decomposition, so that both vary as much as the signal does.
    """
    num_events, num_features = whitened.shape
    length = float(np.linalg.norm(mean))
    pattern = mean[None] / (length if length > 0 else 1.0)
    scores = whitened @ pattern.T
    noise_deviation = max(float(quiet.std()) if quiet.size else 0.0, MIN_NOISE_DEVIATION)
    amplitude = _shrunk(
        np.sqrt((scores.astype(np.float64) ** 2).mean(axis=0)), float((quiet @ pattern.T).std()), 1 / num_events
    )
    rank = min(max_rank or MAX_AUTO_RANK, num_events - 2, num_features - 2) - amplitude.kept.size
    if rank < 1:
        return pattern[amplitude.kept], amplitude.gains, amplitude.training_gains
    rest = whitened - scores @ pattern
    start = random.standard_normal(min(rest.shape)).astype(np.float32)
    _, singular, vectors = svds(rest, k=rank, v0=start, solver="arpack")
    others = _shrunk(singular[::-1] / np.sqrt(num_events), noise_deviation, num_features / num_events)
    return (
        np.concatenate([pattern[amplitude.kept], vectors[::-1][others.kept]]).astype(np.float32),
        np.concatenate([amplitude.gains, others.gains]),
        np.concatenate([amplitude.training_gains, others.training_gains]),
    )


@dataclass(frozen=True, eq=False)
class _Shrunk:
    """Components above the noise, and what scores along them are to be multiplied with."""

    kept: NDArray[np.int64]
    gains: NDArray[np.float32]
    training_gains: NDArray[np.float32]


def _shrunk(deviations: NDArray[np.float64], noise_deviation: float, aspect: float) -> _Shrunk:
    """Shrink the standard deviations of scores, with noise in them and in `aspect` features per event."""
    observed = np.asarray(deviations, dtype=np.float64) / max(noise_deviation, MIN_NOISE_DEVIATION)
    kept = np.flatnonzero(observed > noise_edge(aspect) * EDGE_MARGIN)
    signal = shrink_singular_values(observed[kept], aspect)
    gains = signal / np.sqrt(1 + signal**2 * squared_cosine(signal, aspect))
    return _Shrunk(kept, gains.astype(np.float32), (signal / observed[kept]).astype(np.float32))


def _damped(offsets: NDArray[np.float64], center: float, gain: float) -> NDArray[np.float64]:
    """Draw noisy offsets towards their centre, so that they vary as much as the true ones."""
    return center + gain * (offsets - center)


def _offset_gain(offsets: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """Standard deviation of the true offsets over that of the estimated ones.

    Parameters
    ----------
    offsets : numpy.ndarray, shape (num_snippets,)
        Estimated.
    errors : numpy.ndarray, shape (num_windows,)
        Estimates for the template in the background, whose true offset is zero.
    """
    variance = robust_spread(offsets)[1] ** 2
    return float(np.sqrt(max(1 - robust_spread(errors)[1] ** 2 / variance, 0))) if variance > 0 else 0.0


def _lasting_change(snippets: NDArray[np.generic], background: NDArray[np.generic]) -> NDArray[np.float32]:
    """How much higher the mean ends than it begins, on rows where that is more than slow potentials can do.

    Removing baselines takes a slow after-potential that outlasts the window for a trend, and would make the trough
    deeper by part of it. What the mean over all spikes shows of it goes back.

    Parameters
    ----------
    snippets, background : numpy.ndarray, shape (num_windows, num_samples, num_rows)
        As read.
    """
    change = end_difference(snippets).mean(axis=0)
    error = end_difference(background).std(axis=0) / np.sqrt(len(snippets))
    return np.where(np.abs(change) > MIN_LASTING_ERRORS * error, change, 0).astype(np.float32)


def _active_features(whitened_mean: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where in the window the unit is clearly seen: only there can its changes of shape be.

    The fewer features noise can hide in, the weaker a component may be and still be found.

    Parameters
    ----------
    whitened_mean : numpy.ndarray of float32, shape (num_samples, num_rows)
    """
    return np.asarray(maximum_filter1d(np.abs(whitened_mean), 2 * ACTIVE_REACH + 1, axis=0) > ACTIVE_DEVIATIONS)


def _denoised(mean: NDArray[np.float32], noise: NoiseModel, num_averaged: int) -> NDArray[np.float32]:
    """Take out of a mean over some snippets what is left in it of their background."""
    return noise.unwhiten(denoise_matrix(noise.whiten(mean), 1 / np.sqrt(num_averaged)))
