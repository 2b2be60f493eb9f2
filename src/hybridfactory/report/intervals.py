"""Intervals between the spikes of a unit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["INTERVAL_EDGES_MS", "count_intervals"]

INTERVAL_EDGES_MS = np.arange(0.0, 51.0, 1.0)


def count_intervals(
    samples: NDArray[np.int64], sampling_frequency: float, file_starts: Sequence[int]
) -> tuple[NDArray[np.int64], int]:
    """Count intervals between neighbouring spikes of one file.

    Parameters
    ----------
    samples : numpy.ndarray of int64, shape (num_spikes,)
        Spike times on the timeline, ascending.
    sampling_frequency : float
        Hz.
    file_starts : sequence of int
        Timeline sample at which each file begins.

    Returns
    -------
    counts : numpy.ndarray of int64, shape (num_bins,)
        Intervals in each bin of `INTERVAL_EDGES_MS`.
    total : int
        All intervals, longer ones too.
    """
    file_of = np.searchsorted(np.asarray(file_starts), samples, side="right")
    intervals = np.diff(samples)[np.diff(file_of) == 0] / sampling_frequency * 1e3
    counts, _ = np.histogram(intervals, INTERVAL_EDGES_MS)
    return counts.astype(np.int64), int(intervals.size)
