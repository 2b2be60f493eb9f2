"""The spikes that a model learns from: shifted to their troughs, and the clean ones told from others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD, OffsetEstimator, align, centered
from hybridfactory.events.mean import denoise_mean
from hybridfactory.events.noise import NoiseModel
from hybridfactory.events.screening import (
    SNIPPETS_AT_ONCE,
    Deviations,
    Screen,
    deviations_from,
    make_screen,
    robust_spread,
)
from hybridfactory.events.snippets import remove_baseline

__all__ = [
    "MIN_TRAINING_SPIKES",
    "AlignedTraining",
    "Alignment",
    "Timer",
    "TooFewSpikes",
    "TrainingWindows",
    "align_training",
    "without_infinities",
]

MIN_TRAINING_SPIKES = 30
NUM_TIMING_ROWS = 8


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

    def aligned(self, offsets: NDArray[np.float64]) -> NDArray[np.float32]:
        """All of them shifted, baselines and padding removed, on the footprint."""
        num_samples = self.snippets.shape[1] - 2 * PAD
        aligned = np.empty((len(offsets), num_samples, self.columns.size), dtype=np.float32)
        for first in range(0, len(offsets), SNIPPETS_AT_ONCE):
            some = slice(first, first + SNIPPETS_AT_ONCE)
            finite = without_infinities(self.snippets[some], self.is_finite[some])
            aligned[some] = align(remove_baseline(finite, self.columns), offsets[some])[:, PAD:-PAD]
        return aligned


@dataclass(frozen=True, eq=False)
class AlignedTraining:
    """What is known of training snippets that are shifted to their troughs.

    Parameters
    ----------
    offsets : numpy.ndarray, shape (num_snippets,)
    is_clean : numpy.ndarray of bool, shape (num_snippets,)
    alignment : Alignment
    screen : Screen
    template : numpy.ndarray of float32, shape (num_samples, num_rows)
    deviations : Deviations
        From `template`.
    """

    offsets: NDArray[np.float64]
    is_clean: NDArray[np.bool_]
    alignment: Alignment
    screen: Screen
    template: NDArray[np.float32]
    deviations: Deviations


@dataclass(frozen=True, eq=False)
class Timer:
    """Estimates the offsets of spikes, and how they are to be damped.

    Parameters
    ----------
    columns : numpy.ndarray of int64, shape (num_timing_rows,)
        Of the footprint.
    noise : NoiseModel
        Of the background on these rows.
    quiet : numpy.ndarray of float32, shape (num_windows, num_samples + 2 * PAD, num_timing_rows)
        The background there.
    center : int
        Sample of the trough.
    """

    columns: NDArray[np.int64]
    noise: NoiseModel
    quiet: NDArray[np.float32]
    center: int

    @classmethod
    def on_strongest_rows(
        cls, halves: NDArray[np.float32], quiet: NDArray[np.float32], noise: NoiseModel, center: int
    ) -> "Timer":
        """Choose the rows that know the time nearly as well as all do, at a fraction of the cost.

        Parameters
        ----------
        halves : numpy.ndarray of float32, shape (num_means, num_samples + 2 * PAD, num_rows)
        quiet : numpy.ndarray of float32, shape (num_windows, num_samples + 2 * PAD, num_rows)
            Background on the footprint, baselines removed.
        noise : NoiseModel
            Of that background, without the padding.
        center : int
        """
        strength = np.abs(halves.mean(axis=0)).max(axis=0)
        columns = np.argsort(-strength, kind="stable")[:NUM_TIMING_ROWS]
        return cls(columns, noise.on(columns), np.take(quiet, columns, axis=2), center)

    def time(
        self,
        timed: NDArray[np.float32],
        halves: NDArray[np.float32],
        num_averaged: int,
        used: NDArray[np.int64],
    ) -> tuple[Alignment, NDArray[np.float64], NDArray[np.float32]]:
        """Find the offset of every snippet.

        Parameters
        ----------
        timed : numpy.ndarray of float32, shape (num_snippets, num_samples + 2 * PAD, num_timing_rows)
            Baselines removed.
        halves : numpy.ndarray of float32, shape (2, num_samples + 2 * PAD, num_timing_rows)
            Means over every other one of those `used`, `num_averaged` together.
        used : numpy.ndarray of int64

        Returns
        -------
        alignment : Alignment
        offsets : numpy.ndarray, shape (num_snippets,)
        template : numpy.ndarray of float32, shape (num_samples + 2 * PAD, num_timing_rows)
        """
        here = np.arange(timed.shape[2])
        template = centered(halves.mean(axis=0), self.center)
        estimator = OffsetEstimator(self.noise, _smooth(template, self.noise, num_averaged), self.columns)
        offsets = estimator.estimate(timed, here)
        # A template tested on the spikes it was averaged from knows their noise, and looks too sure of the time.
        judge = OffsetEstimator(self.noise, _smooth(halves[0], self.noise, num_averaged // 2), self.columns)
        gain = _offset_gain(judge.estimate(timed[used[1::2]], here), judge.estimate(halves[1] + self.quiet, here))
        alignment = Alignment(estimator, float(np.median(offsets[used])), gain)
        return alignment, alignment.damped(offsets), template


def align_training(
    windows: TrainingWindows,
    timer: Timer,
    halves: NDArray[np.float32],
    num_averaged: int,
    noise: NoiseModel,
    random: np.random.Generator,
) -> "tuple[AlignedTraining, NDArray[np.float32]] | TooFewSpikes":
    """Find each snippet's trough, and the clean ones, in turn: better means tell both better.

    Parameters
    ----------
    windows : TrainingWindows
    timer : Timer
    halves : numpy.ndarray of float32, shape (2, num_samples + 2 * PAD, num_rows)
        First means, of `num_averaged` spikes together: of the first and every other finite one, and of the rest.
    noise : NoiseModel
        Of the background, without the padding.

    Returns
    -------
    AlignedTraining and the shifted snippets, shape (num_snippets, num_samples, num_rows), or TooFewSpikes
    """
    # A few rows know which spikes collide nearly as well as all do, at a fraction of the cost.
    timed, used = windows.on(timer.columns), np.flatnonzero(windows.is_finite)
    _, offsets, template = timer.time(timed, halves[:, :, timer.columns], num_averaged, used)
    shifted = align(timed, offsets)
    _, is_clean, _ = _screen(template[PAD:-PAD], shifted[:, PAD:-PAD], timer.noise, windows.is_finite, random)
    used = np.flatnonzero(is_clean)
    if used.size < MIN_TRAINING_SPIKES:
        return TooFewSpikes(used.size)
    halves = np.stack([shifted[used[parity::2]].mean(axis=0) for parity in (0, 1)])
    alignment, offsets, _ = timer.time(timed, halves, used.size, used)
    aligned = windows.aligned(offsets)
    total = is_clean.astype(np.float32) @ aligned.reshape(len(aligned), -1)
    template = (total / np.float32(used.size)).reshape(aligned.shape[1:])
    screen, is_clean, deviations = _screen(template, aligned, noise, windows.is_finite, random)
    if is_clean.sum() < MIN_TRAINING_SPIKES:
        return TooFewSpikes(int(is_clean.sum()))
    return AlignedTraining(offsets, is_clean, alignment, screen, template, deviations), aligned


def _screen(
    template: NDArray[np.float32],
    aligned: NDArray[np.float32],
    noise: NoiseModel,
    is_finite: NDArray[np.bool_],
    random: np.random.Generator,
) -> tuple[Screen, NDArray[np.bool_], Deviations]:
    """Make the screen, and say which snippets are finite and pass it, and how they differ from the template."""
    deviations = deviations_from(template, aligned, noise)
    finite = deviations.whitened if is_finite.all() else deviations.whitened[is_finite]
    screen = make_screen(finite, noise, template, random)
    return screen, screen.passes(deviations) & is_finite, deviations


def _smooth(waveform: NDArray[np.float32], noise: NoiseModel, num_averaged: int) -> NDArray[np.float32]:
    """Free a padded mean from noise; beyond the window, where a spike is hardly anything, it goes on as it ends."""
    return np.pad(denoise_mean(waveform[PAD:-PAD], noise, num_averaged), ((PAD, PAD), (0, 0)), mode="edge")


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
