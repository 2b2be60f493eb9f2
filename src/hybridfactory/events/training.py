"""The spikes that a model learns from: shifted to their troughs, and the clean ones told from others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD, OffsetEstimator, align, centered
from hybridfactory.events.mean import denoise_mean
from hybridfactory.events.noise import NoiseModel, estimate_noise
from hybridfactory.events.screening import SNIPPETS_AT_ONCE, Screen, deviations_from, make_screen, robust_spread
from hybridfactory.events.snippets import remove_baseline

__all__ = [
    "MIN_TRAINING_SPIKES",
    "AlignedTraining",
    "Alignment",
    "TooFewSpikes",
    "TrainingWindows",
    "align_training",
    "without_infinities",
]

MIN_TRAINING_SPIKES = 30
NUM_TIMING_ROWS = 8
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
class Alignment:
    """How the offset of a spike is estimated.

    Parameters
    ----------
    estimator : OffsetEstimator
    center : float
        Median of all estimates, in samples.
    gain : float
        Estimates are drawn towards `center`, so that they vary as much as the true offsets do.
    """

    estimator: OffsetEstimator
    center: float
    gain: float

    def offsets(self, snippets: NDArray[np.float32]) -> NDArray[np.float64]:
        """Offset of every snippet (padded, baselines removed), in samples; shape (num_snippets,)."""
        return self.damped(self.estimator.estimate(snippets))

    def damped(self, estimates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take from estimates what their noise adds to their spread."""
        return self.center + self.gain * (estimates - self.center)


def without_infinities(snippets: NDArray[np.generic], is_finite: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Put zeros in the place of windows that hold no numbers."""
    return snippets if is_finite.all() else np.where(is_finite[:, None, None], snippets, 0)


@dataclass(frozen=True, eq=False)
class TrainingWindows:
    """Training snippets as read, of which no more than needed exists as floating-point numbers at a time.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples + 2 * PAD, num_candidate_rows)
    is_finite : numpy.ndarray of bool, shape (num_snippets,)
    columns : numpy.ndarray of int64
        The footprint.
    """

    snippets: NDArray[np.generic]
    is_finite: NDArray[np.bool_]
    columns: NDArray[np.int64]

    def on(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Snippets without baselines on a few rows of the footprint."""
        return remove_baseline(without_infinities(self.snippets, self.is_finite), self.columns[columns])

    def align_into(self, aligned: NDArray[np.float32], offsets: NDArray[np.float64]) -> None:
        """Shift all of them, baselines removed, on the footprint."""
        for first in range(0, len(offsets), SNIPPETS_AT_ONCE):
            some = slice(first, first + SNIPPETS_AT_ONCE)
            finite = without_infinities(self.snippets[some], self.is_finite[some])
            aligned[some] = align(remove_baseline(finite, self.columns), offsets[some])


@dataclass(frozen=True, eq=False)
class AlignedTraining:
    """What is known of training snippets that are shifted to their troughs: by how much, and which are clean."""

    offsets: NDArray[np.float64]
    is_clean: NDArray[np.bool_]
    alignment: Alignment
    screen: Screen


def align_training(
    windows: TrainingWindows,
    quiet: NDArray[np.float32],
    halves: NDArray[np.float32],
    num_averaged: int,
    noise: NoiseModel,
    samples_before: int,
    floor: float,
    random: np.random.Generator,
) -> "tuple[AlignedTraining, NDArray[np.float32]] | TooFewSpikes":
    """Find each snippet's trough, and the clean ones, in turn: better means tell both better.

    Parameters
    ----------
    windows : TrainingWindows
    quiet : numpy.ndarray of float32, shape (num_windows, num_samples + 2 * PAD, num_rows)
        Background on the footprint, baselines removed.
    halves : numpy.ndarray of float32, shape (2, num_samples + 2 * PAD, num_rows)
        First means, of `num_averaged` spikes together.
    noise : NoiseModel
        Of the background, without the padding.
    floor : float
        Variance of rounding.

    Returns
    -------
    AlignedTraining and the shifted snippets, shape (num_snippets, num_samples, num_rows), or TooFewSpikes
    """
    # The strongest rows know the time nearly as well as all do, at a fraction of the cost.
    strength = np.abs(halves.mean(axis=0)).max(axis=0)
    columns = np.argsort(-strength, kind="stable")[:NUM_TIMING_ROWS]
    timing_noise = estimate_noise(np.take(quiet[:, PAD:-PAD], columns, axis=2), floor)
    padded_noise = estimate_noise(np.take(quiet, columns, axis=2), floor)
    timed, here = windows.on(columns), np.arange(columns.size)
    aligned = np.empty((len(timed), *quiet.shape[1:]), dtype=np.float32)
    clean = is_finite = windows.is_finite
    for _ in range(NUM_ALIGNMENT_ROUNDS):
        template = centered(halves.mean(axis=0), PAD + samples_before)
        smooth = denoise_mean(template[:, columns], padded_noise, num_averaged)
        estimator = OffsetEstimator(timing_noise, smooth, columns)
        raw_offsets = estimator.estimate(timed, here)
        # A template tested on the spikes it was averaged from knows their noise, and looks too sure of the time.
        smooth = denoise_mean(halves[0][:, columns], padded_noise, num_averaged // 2)
        judge = OffsetEstimator(timing_noise, smooth, columns)
        alignment = Alignment(
            estimator,
            center=float(np.median(raw_offsets[clean])),
            gain=_offset_gain(
                judge.estimate(timed[np.flatnonzero(clean)[1::2]], here), judge.estimate(halves[1] + quiet)
            ),
        )
        offsets = alignment.damped(raw_offsets)
        windows.align_into(aligned, offsets)
        screen, passed = _screen(aligned[:, PAD:-PAD], is_finite, template[PAD:-PAD], noise, random)
        clean = passed & is_finite
        if clean.sum() < MIN_TRAINING_SPIKES:
            return TooFewSpikes(int(clean.sum()))
        used = np.flatnonzero(clean)
        halves = np.stack([aligned[used[parity::2]].mean(axis=0) for parity in (0, 1)])
        num_averaged = used.size
    return AlignedTraining(offsets, clean, alignment, screen), aligned[:, PAD:-PAD]


def _screen(
    aligned: NDArray[np.float32],
    is_finite: NDArray[np.bool_],
    template: NDArray[np.float32],
    noise: NoiseModel,
    random: np.random.Generator,
) -> tuple[Screen, NDArray[np.bool_]]:
    """Make the screen, and say which snippets pass it."""
    deviations = deviations_from(template, aligned, noise)
    finite = deviations.whitened if is_finite.all() else deviations.whitened[is_finite]
    screen = make_screen(finite, noise, template, random)
    return screen, screen.passes(deviations)


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
