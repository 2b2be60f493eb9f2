"""Where between two samples a spike's trough lies, and waveforms shifted by a part of a sample."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment_kernel import find_offsets, shift_windows
from hybridfactory.events.noise import NoiseModel

__all__ = [
    "MAX_OFFSET",
    "NUM_PHASES",
    "PAD",
    "OffsetEstimator",
    "align",
    "centered",
    "filtered",
    "phase_filters",
    "phase_of",
    "shift",
    "time_derivative",
]

NUM_PHASES = 8
"""Steps per sample. A step's rounding error, 1/16 sample at most, adds 1/768 to a variance of about 1/12."""

PAD = 8
"""Samples on either side that the interpolation kernel reaches."""

MAX_OFFSET = 2.0
"""A sorter's stated time is looked for this many samples around."""


def phase_of(offsets: NDArray[np.floating]) -> NDArray[np.int64]:
    """Offsets in samples, rounded to whole steps of 1 / `NUM_PHASES`."""
    return np.rint(np.asarray(offsets, dtype=np.float64) * NUM_PHASES).astype(np.int64)


def shift(waveforms: NDArray[np.float32], offset: float) -> NDArray[np.float32]:
    """Shift waveforms in time: the result at sample t is the waveform at t - `offset`; zero outside.

    Kaiser-windowed sinc interpolation, exact for band-limited signals to about -60 dB.

    Parameters
    ----------
    waveforms : numpy.ndarray, shape (..., num_samples, num_rows)
    offset : float
        Samples; positive is later.
    """
    if offset == 0:
        return waveforms
    return np.asarray(np.matmul(_shift_kernel(waveforms.shape[-2], offset), waveforms))


@lru_cache(maxsize=256)
def _shift_kernel(num_samples: int, offset: float) -> NDArray[np.float32]:
    """Matrix that shifts by `offset` samples; shape (num_samples, num_samples)."""
    steps = np.arange(1 - num_samples, num_samples)
    distance = steps - offset
    window = np.i0(6.0 * np.sqrt(np.maximum(1 - (distance / (PAD + 1)) ** 2, 0))) / np.i0(6.0)
    # A whole sample's neighbours are to count for nothing, and not for a sine's rounding errors.
    sinc = np.where(distance == np.rint(distance), distance == 0, np.sinc(distance))
    weights = np.where(np.abs(distance) <= PAD + 1, sinc * window, 0).astype(np.float32)
    # The same along every diagonal.
    grid = np.arange(num_samples)
    return np.asarray(weights[grid[:, None] - grid + num_samples - 1])


def phase_filters() -> NDArray[np.float32]:
    """Filters that delay waveforms by -1/2 to +1/2 sample, a phase each.

    Returns
    -------
    numpy.ndarray of float32, shape (NUM_PHASES + 1, num_taps)
        Weights of a sample's neighbours, the sample itself in the middle.
    """
    half = NUM_PHASES // 2
    return np.stack([_shift_taps(-phase) for phase in range(-half, half + 1)])


def filtered(
    waveforms: NDArray[np.float32], which: NDArray[np.int64], filters: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Filter each waveform in time with one of some filters, with zeros outside.

    Parameters
    ----------
    waveforms : numpy.ndarray of float32, shape (num_waveforms, num_samples, num_rows)
    which : numpy.ndarray of int64, shape (num_waveforms,)
    filters : numpy.ndarray of float32, shape (num_filters, num_taps)
    """
    target = np.empty_like(waveforms, order="C")
    shift_windows(target, np.ascontiguousarray(waveforms), which, filters)
    return target


def time_derivative(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope per sample (central differences of the interpolated waveform)."""
    return (shift(waveform, -0.25) - shift(waveform, 0.25)) * 2


def centered(waveform: NDArray[np.float32], center: int) -> NDArray[np.float32]:
    """Shift a waveform so that the trough of its largest row lies on sample `center`, to a part of a sample.

    The trough is looked for within `MAX_OFFSET` samples of there; an upright waveform's peak counts as one.

    Parameters
    ----------
    waveform : numpy.ndarray of float32, shape (num_samples, num_rows)
    center : int
    """
    reach = int(MAX_OFFSET)
    height = np.abs(waveform[center - reach : center + reach + 1])
    trace = height[:, height.max(axis=0).argmax()].astype(np.float64)
    top = int(trace.argmax())
    if not 0 < top < trace.size - 1:
        return shift(waveform, float(reach - top))
    left, peak, right = trace[top - 1 : top + 2]
    curvature = left - 2 * peak + right
    vertex = (left - right) / (2 * curvature) if curvature < 0 else 0.0
    return shift(waveform, reach - top - vertex)


@dataclass(frozen=True, eq=False)
class OffsetEstimator:
    """Maximum-likelihood time of a known waveform with free amplitude in known noise.

    A linear fit of waveform and slope, repeated around the last estimate.

    Parameters
    ----------
    noise : NoiseModel
    template : numpy.ndarray of float32, shape (num_samples + 2 * PAD, num_timing_rows)
        The unit's mean waveform, centred on its trough, padded; the rows it is timed on.
    columns : numpy.ndarray of int64, shape (num_timing_rows,)
        Columns of the snippets that those rows are.
    """

    noise: NoiseModel
    template: NDArray[np.float32]
    columns: NDArray[np.int64]

    @cached_property
    def _projectors(self) -> NDArray[np.float32]:
        """Patterns that tell amplitude and lateness, at every offset; see `find_offsets`."""
        design = np.stack([self.template, -time_derivative(self.template)])[:, PAD:-PAD]
        # Whitening is symmetric: applied twice to the few design waveforms, it need not touch the snippets.
        weights = self.noise.whiten(self.noise.whiten(design)).reshape(2, -1)
        solver = np.linalg.pinv((weights @ design.reshape(2, -1).T).astype(np.float64))
        projector = (solver @ weights).astype(np.float32).reshape(design.shape)
        # Shifting is linear too: the two projections are shifted the other way, once for all snippets.
        num_steps = int(MAX_OFFSET * NUM_PHASES)
        num_samples = self.template.shape[0]
        return np.stack(
            [
                np.matmul(_shift_kernel(num_samples, -phase / NUM_PHASES)[PAD:-PAD].T, projector)
                for phase in range(-num_steps, num_steps + 1)
            ]
        )

    def estimate(
        self, snippets: NDArray[np.float32], columns: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Offset of every snippet from the template, in samples; shape (num_snippets,).

        Parameters
        ----------
        snippets : numpy.ndarray of float32, shape (num_snippets, num_samples + 2 * PAD, num_rows)
        columns : numpy.ndarray of int64, optional
            Where the timing rows are in these snippets, if elsewhere than in all others.
        """
        offsets = np.zeros(len(snippets))
        find_offsets(
            offsets, snippets, self.columns if columns is None else columns, self._projectors, NUM_PHASES, MAX_OFFSET
        )
        return offsets


def align(snippets: NDArray[np.float32], offsets: NDArray[np.float64]) -> NDArray[np.float32]:
    """Shift every snippet so that its trough lies on its centre sample (to 1 / `NUM_PHASES`)."""
    phases = phase_of(offsets)
    lowest = int(phases.min(initial=0))
    taps = np.stack([_shift_taps(phase) for phase in range(lowest, int(phases.max(initial=0)) + 1)])
    return filtered(snippets, phases - lowest, taps)


@lru_cache(maxsize=256)
def _shift_taps(phase: int) -> NDArray[np.float32]:
    """Weights with which a shift by `phase` steps to earlier times adds up a sample's neighbours.

    The sample in question is in the middle; there are as many on both sides as the largest shift can reach.
    """
    middle = PAD + 1 + int(MAX_OFFSET)
    return np.asarray(_shift_kernel(2 * middle + 1, -phase / NUM_PHASES)[middle])
