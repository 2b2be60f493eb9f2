"""Fit the event model: mean and low rank, whitened by the background, singular values shrunk."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD, align, phase_of
from hybridfactory.events.average import Average
from hybridfactory.events.components import Components, find_components
from hybridfactory.events.footprint import deviations_from_noise, end_taper, footprint_weights
from hybridfactory.events.mean import denoise_mean
from hybridfactory.events.median import median_halves
from hybridfactory.events.noise import NoiseModel, estimate_noise
from hybridfactory.events.screening import (
    SNIPPETS_AT_ONCE,
    Deviations,
    Screen,
    deviations_from,
    finite_windows,
    ordinary_windows,
)
from hybridfactory.events.snippets import end_difference, remove_baseline
from hybridfactory.events.training import (
    MIN_TRAINING_SPIKES,
    Alignment,
    Timer,
    TooFewSpikes,
    TrainingWindows,
    align_training,
    without_infinities,
)

__all__ = ["Encoded", "FittedUnit", "fit_unit"]

Encoded = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]
"""Phases in steps of 1 / NUM_PHASES sample, coefficients, and which snippets are clean."""

ACTIVE_DEVIATIONS = 0.1
ACTIVE_REACH = 2

SMALLEST_SIGNAL = 1e-16
"""What stays below is taken for zero: its square leaves single precision."""


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
    average : Average
        Of those snippets and of the clean ones that were encoded since.
    end_share : float
        How large the mean still is where its window ends, against its peak.
    fades : numpy.ndarray of float32, shape (num_samples, num_rows)
        Factors that let events end without steps, in time and space.
    """

    columns: NDArray[np.int64]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    noise: NoiseModel
    is_training: NDArray[np.bool_]
    average: Average
    end_share: float
    fades: NDArray[np.float32]
    alignment: Alignment
    plain_mean: NDArray[np.float32]
    directions: NDArray[np.float32]
    gains: NDArray[np.float32]
    training_gains: NDArray[np.float32]
    screen: Screen

    @property
    def noise_deviation(self) -> NDArray[np.float32]:
        """Standard deviation of the background on every row of the footprint."""
        return self.noise.standard_deviation

    @property
    def num_bytes(self) -> int:
        """Memory that it holds, most of it for whitening."""
        arrays = (self.noise.whiteners, self.noise.roots, self.screen.own, self.directions, self.components)
        return sum(array.nbytes for array in arrays)

    def encode(self, snippets: NDArray[np.generic]) -> Encoded:
        """Find the share of the model in snippets that it did not learn from, and add the clean ones to the average.

        Parameters
        ----------
        snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_candidate_rows)
            As read, on the same rows as those the model was fitted to.

        Returns
        -------
        phases : numpy.ndarray of int64, shape (num_snippets,)
            Steps of 1 / NUM_PHASES sample, whole samples included.
        coefficients : numpy.ndarray of float32, shape (num_snippets, rank)
        is_clean : numpy.ndarray of bool, shape (num_snippets,)
        """
        is_finite = finite_windows(snippets)
        finite = without_infinities(snippets, is_finite)
        leveled = remove_baseline(finite, self.columns)
        offsets = self.alignment.offsets(leveled)
        aligned = align(leveled, offsets)[:, PAD:-PAD]
        deviations = deviations_from(self.plain_mean, aligned, self.noise)
        encoded = self.encode_aligned(deviations, offsets, np.zeros(len(offsets), dtype=np.bool_), is_finite)
        self.average.add(aligned, end_difference(finite)[:, self.columns], encoded[2])
        return encoded

    def encode_aligned(
        self,
        deviations: Deviations,
        offsets: NDArray[np.float64],
        is_training: NDArray[np.bool_],
        is_finite: NDArray[np.bool_],
    ) -> Encoded:
        """Find the share of the model in snippets that are aligned already; see `encode`.

        In those that the model learned from it is overstated by the fit, and scaled for it.
        """
        scores = deviations.whitened.reshape(len(offsets), -1) @ self.directions.T
        gains = np.where(is_training[:, None], self.training_gains, self.gains)
        return phase_of(offsets), scores * gains, self.screen.passes(deviations) & is_finite

    def averaged(
        self, coefficients: NDArray[np.float32], is_training: NDArray[np.bool_]
    ) -> "tuple[FittedUnit, NDArray[np.float32]]":
        """Exchange the mean for the average over all spikes encoded so far.

        Parameters
        ----------
        coefficients : numpy.ndarray of float32, shape (num_snippets, rank)
            Shares of the components in snippets, as deviations from the mean that the model learned with.
        is_training : numpy.ndarray of bool, shape (num_snippets,)
            Which of them it learned from.

        Returns
        -------
        The model with its new mean, and the coefficients as deviations from that
        """
        moved = self.noise.whiten_into_patterns(self.plain_mean - self.average.mean).reshape(-1) @ self.directions.T
        gains = np.where(is_training[:, None], self.training_gains, self.gains)
        waveform = self.average.waveform(self.noise)
        changed = replace(self, mean=waveform * self.fades, end_share=_end_share(waveform))
        return changed, coefficients + gains * moved


def fit_unit(
    snippets: NDArray[np.generic],
    background: NDArray[np.generic],
    *,
    samples_before: int,
    fade_samples: int,
    max_rank: int | None,
    random: np.random.Generator,
) -> "tuple[FittedUnit, Encoded] | TooFewSpikes":
    """Fit the event model of one unit.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_rows)
        Windows around the unit's spikes as read from the untouched source.
    background : numpy.ndarray, shape (num_windows, num_samples + 2 * PAD, num_rows)
        Windows on the same rows away from the unit's spikes.
    samples_before : int
        Samples of an event's window before its trough.
    fade_samples : int
        Samples at the window's end over which what is still there fades out.
    max_rank : int or None
        Largest number of singular vectors, beside the mean; None: every one above the noise edge, up to 40.
    random : numpy.random.Generator
        For the start of the iterative decomposition only.

    Returns
    -------
    tuple of FittedUnit and what it `encode`s these snippets to, or TooFewSpikes

    Notes
    -----
    The residuals around the mean are whitened with the background's covariance, decomposed by a truncated SVD,
    and the singular values shrunk (see `shrinkage`): what is injected is the unit's own variability, and not
    its background a second time.
    """
    is_finite = finite_windows(snippets)
    seen = _see(snippets, background, is_finite, PAD + samples_before)
    if isinstance(seen, TooFewSpikes):
        return seen
    columns, noise = seen.columns, seen.noise
    windows = TrainingWindows(snippets, is_finite, columns)
    outcome = align_training(windows, seen.timer, seen.halves, seen.num_averaged, noise, random)
    if isinstance(outcome, TooFewSpikes):
        return outcome
    aligned, shifted = outcome
    rise_deviation = end_difference(background[finite_windows(background)]).std(axis=0)[columns]
    average = Average(len(aligned.template), rise_deviation)
    rises = end_difference(without_infinities(snippets, is_finite))[:, columns]
    average.add(shifted, rises, aligned.is_clean)
    plain_mean = average.mean
    residuals = aligned.deviations
    residuals.move(aligned.template, plain_mean, shifted, noise)
    del outcome, shifted  # as large as what comes next
    found, directions = _find_directions(
        residuals.whitened, np.flatnonzero(aligned.is_clean), plain_mean, seen, max_rank, random
    )
    waveform = average.waveform(noise)
    fades = end_taper(len(waveform), fade_samples)[:, None] * seen.weights
    fitted = FittedUnit(
        columns=columns,
        mean=waveform * fades,
        components=(noise.unwhiten(directions) * fades).astype(np.float32),
        noise=noise,
        is_training=aligned.is_clean,
        average=average,
        end_share=_end_share(waveform),
        fades=fades,
        alignment=aligned.alignment,
        plain_mean=plain_mean,
        directions=noise.in_patterns(directions).reshape(len(directions), plain_mean.size),
        gains=found.gains,
        training_gains=found.training_gains,
        screen=aligned.screen,
    )
    return fitted, fitted.encode_aligned(residuals, aligned.offsets, fitted.is_training, is_finite)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Where a unit is seen, and the background there.

    Parameters
    ----------
    columns : numpy.ndarray of int64, shape (num_columns,)
        Of the rows that were read, those of the footprint.
    weights : numpy.ndarray of float32, shape (num_columns,)
        Fades at the footprint's border.
    timer : Timer
    halves : numpy.ndarray, shape (2, num_samples + 2 * PAD, num_columns)
        Medians of the first and of the second half of the spikes.
    num_averaged : int
        Spikes behind them.
    noise : NoiseModel
    white : numpy.ndarray of float32, shape (num_samples, num_windows, num_columns)
        The background, whitened, in the noise's patterns over time.
    """

    columns: NDArray[np.int64]
    weights: NDArray[np.float32]
    timer: Timer
    halves: NDArray[np.float32]
    num_averaged: int
    noise: NoiseModel
    white: NDArray[np.float32]


def _see(
    snippets: NDArray[np.generic], background: NDArray[np.generic], is_finite: NDArray[np.bool_], center: int
) -> _Seen | TooFewSpikes:
    """Find the rows on which a unit is seen, and measure their background; the trough belongs on sample `center`."""
    if is_finite.sum() < MIN_TRAINING_SPIKES:
        return TooFewSpikes(int(is_finite.sum()))
    usable = np.flatnonzero(finite_windows(background))
    if len(usable) < MIN_TRAINING_SPIKES:
        return TooFewSpikes(len(usable), "windows without its spikes to measure the background in")
    halves, num_averaged = median_halves(snippets, np.flatnonzero(is_finite))
    # A recording cannot be quieter than its own rounding.
    floor = 1 / 12 if snippets.dtype.kind in "iu" else (1e-6 * float(np.abs(halves).max())) ** 2
    if not np.abs(halves).max() > SMALLEST_SIGNAL:
        return TooFewSpikes(0, "spikes with a signal on any of its channels")
    inner = halves[:, PAD:-PAD]
    # A part of the background tells well enough how to whiten on all these rows, most of which won't be needed.
    some = _ordinary(remove_baseline(background[usable[::3]]))
    weights = footprint_weights(inner.mean(axis=0), deviations_from_noise(inner, some[:, PAD:-PAD], floor))
    columns = np.flatnonzero(weights)
    quiet = _ordinary(remove_baseline(background[usable], columns))
    # Taken and not indexed: an index would lay the rows out last to first.
    halves = np.take(halves, columns, axis=2)
    noise, white = estimate_noise(quiet[:, PAD:-PAD], floor)
    timer = Timer.on_strongest_rows(halves, quiet, noise, center)
    return _Seen(columns, weights[columns], timer, halves, num_averaged, noise, white)


def _ordinary(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows without those in which somebody's large event is."""
    return windows[ordinary_windows(windows)]


def _find_directions(
    whitened: NDArray[np.float32],
    used: NDArray[np.int64],
    plain_mean: NDArray[np.float32],
    seen: _Seen,
    max_rank: int | None,
    random: np.random.Generator,
) -> tuple[Components, NDArray[np.float32]]:
    """Decompose whitened deviations from the mean; what was found, and the directions over the whole window."""
    noise, white = seen.noise, seen.white
    whitened_mean = noise.whiten(denoise_mean(plain_mean, noise, used.size))
    active = _active_features(whitened_mean).reshape(-1)

    def whole(directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Directions over the whole window."""
        features = np.zeros((len(directions), active.size), dtype=np.float32)
        features[:, active] = directions
        return features.reshape(len(directions), *plain_mean.shape)

    def deviation_along(directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviation of the background."""
        by_pattern = np.moveaxis(noise.in_patterns(whole(directions)), 0, 2)
        return np.asarray(np.matmul(white, by_pattern).sum(axis=0).std(axis=0))

    found = find_components(
        _features(noise, whitened, used, active),
        deviation_along,
        float(np.linalg.norm(white) / np.sqrt(white.size)),
        whitened_mean.reshape(-1)[active],
        max_rank=max_rank,
        random=random,
    )
    return found, whole(found.directions)


def _end_share(waveform: NDArray[np.float32]) -> float:
    """How large a waveform still is on its last sample, against its peak."""
    return float(np.abs(waveform[-1]).max() / np.abs(waveform).max())


def _features(
    noise: NoiseModel, whitened: NDArray[np.float32], used: NDArray[np.int64], active: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Back from patterns over time to samples, and of these the active ones; shape (num_used, num_active)."""
    features = np.empty((used.size, np.count_nonzero(active)), dtype=np.float32)
    for first in range(0, used.size, SNIPPETS_AT_ONCE):
        some = used[first : first + SNIPPETS_AT_ONCE]
        features[first : first + some.size] = noise.from_patterns(whitened[some]).reshape(some.size, -1)[:, active]
    return features


def _active_features(whitened_mean: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where in the window the unit is clearly seen: only there can its changes of shape be.

    The fewer features noise can hide in, the weaker a component may be and still be found.

    Parameters
    ----------
    whitened_mean : numpy.ndarray of float32, shape (num_samples, num_rows)
    """
    seen = np.abs(whitened_mean) > ACTIVE_DEVIATIONS
    near = seen.copy()
    for step in range(1, ACTIVE_REACH + 1):
        near[step:] |= seen[:-step]
        near[:-step] |= seen[step:]
    return near
