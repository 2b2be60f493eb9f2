"""Where on the probe a unit is largest, and when, against the times that the sorting states."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.blocks import Blocks, SnippetRequest
from hybridfactory.events.kernel import add_windows
from hybridfactory.events.snippets import native, remove_baseline
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatReader, FlatRecording
from hybridfactory.recording.side_by_side import side_by_side

__all__ = ["UnitLocation", "locate_units", "spread_sample"]

MAX_SPIKES = 100
SUM_BYTES = 96 << 20


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
    total = sum(request.samples.size for request in requests)
    width = 4 * search_samples + 1
    at_once = max(SUM_BYTES // (width * rows.size * 8), 1)
    found: list[UnitLocation] = []
    done = 0
    with recording.reader() as reader:
        for first in range(0, len(requests), at_once):
            some = requests[first : first + at_once]
            sums = np.zeros((len(some), width, rows.size))
            with closing(_add_up(sums, reader, some, 2 * search_samples)) as counts:
                for count in counts:
                    done += count
                    progress("locating units", done, total)
            found += [_locate(waveform, search_samples) for waveform in sums]
    return found


def _add_up(
    sums: NDArray[np.float64], reader: FlatReader, requests: Sequence[SnippetRequest], reach: int
) -> Generator[int]:
    """Add each unit's windows, in their order; yields the number of windows of each block that is done."""
    recording = reader.recording
    blocks = Blocks(recording, requests, reach, reach)
    # One is filled while the other is summed up.
    buffers = [np.empty((blocks.longest, recording.num_rows), dtype=recording.dtype) for _ in range(2)]

    def read(index: int) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        return blocks.read(reader, index, buffers[index % 2])

    with side_by_side(read, range(len(blocks)), num_workers=1) as pieces:
        for index, (traces, firsts) in enumerate(pieces):
            owners = blocks.owners[blocks.windows(range(index, index + 1))]
            add_windows(sums, native(traces), firsts, owners, requests[0].rows, recording.dtype.kind == "f")
            yield firsts.size


def _locate(total: NDArray[np.float64], search_samples: int) -> UnitLocation:
    # Taking the baseline off is linear: off the sum is off every snippet.
    waveform = remove_baseline(total[None])[0, search_samples : -search_samples or None]
    column = int(np.abs(waveform).max(axis=0).argmax())
    trace = waveform[:, column]
    trough = trace.argmax() if trace.max() > -2 * trace.min() else trace.argmin()
    return UnitLocation(column, int(trough) - search_samples)
