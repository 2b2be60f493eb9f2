"""Where on the probe a unit is largest, and when, against the times that the sorting states."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.screening import finite_windows
from hybridfactory.events.snippets import SnippetRequest, iter_snippets, remove_baseline
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = ["UnitLocation", "locate_units", "spread_sample"]

MAX_SPIKES = 100


@dataclass(frozen=True)
class UnitLocation:
    """Main channel and timing of a unit.

    Parameters
    ----------
    column : int
        Index into the rows that were searched.
    lag : int
        Samples from the stated spike time to the trough (to the peak, for a unit with an upright waveform).
    """

    column: int
    lag: int


def spread_sample(num_spikes: int, size: int) -> NDArray[np.int64]:
    """Indices of `size` spikes spread evenly over all, so that slow changes are all seen."""
    if num_spikes <= size:
        return np.arange(num_spikes)
    return np.linspace(0, num_spikes - 1, size).round().astype(np.int64)


def locate_units(
    recording: FlatRecording,
    trains: Sequence[NDArray[np.int64]],
    rows: NDArray[np.int64],
    *,
    search_samples: int,
    progress: ProgressCallback = no_progress,
) -> list[UnitLocation]:
    """Find each unit's main channel and trough from the mean of about a hundred spikes.

    Parameters
    ----------
    recording : FlatRecording
    trains : sequence of numpy.ndarray of int64
        Spike times with a window of ± 2 × `search_samples` inside a file, one array per unit, none empty.
    rows : numpy.ndarray of int64, shape (num_rows,)
        Rows to search: the connected ones.
    search_samples : int
        How far the trough may be from the stated time.
    """
    requests = [SnippetRequest(train[spread_sample(train.size, MAX_SPIKES)], rows) for train in trains]
    reach = 2 * search_samples
    sums = np.zeros((len(trains), 2 * reach + 1, rows.size))
    pieces = iter_snippets(recording, requests, before=reach, after=reach, step="locating units", progress=progress)
    for unit, _, snippets in pieces:
        sums[unit] += snippets[finite_windows(snippets)].sum(axis=0, dtype=np.float64)
    # Taking the baseline off is linear: off the sum is off every snippet.
    waveforms = remove_baseline(sums)
    center = slice(reach - search_samples, reach + search_samples + 1)
    return [_locate(total[center], search_samples) for total in waveforms]


def _locate(waveform: NDArray[np.float32], center: int) -> UnitLocation:
    column = int(np.abs(waveform).max(axis=0).argmax())
    trace = waveform[:, column]
    trough = trace.argmax() if trace.max() > -2 * trace.min() else trace.argmin()
    return UnitLocation(column, int(trough) - center)
