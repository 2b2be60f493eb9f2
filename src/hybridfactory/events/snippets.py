"""Snippets out of the untouched recording, in file order, each read once, and their baselines taken off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = ["SnippetRequest", "baseline_ramp", "end_difference", "iter_snippets", "read_snippets", "remove_baseline"]

BLOCK_BYTES = 8 << 20
NUM_BASELINE_SAMPLES = 8


@dataclass(frozen=True, eq=False)
class SnippetRequest:
    """Windows around `samples` (timeline, ascending) on raw `rows`."""

    samples: NDArray[np.int64]
    rows: NDArray[np.int64]


def iter_snippets(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    *,
    before: int,
    after: int,
    step: str = "reading spikes",
    progress: ProgressCallback = no_progress,
) -> Iterator[tuple[int, slice, NDArray[np.generic]]]:
    """Go once through the recording and yield the requested windows, in pieces.

    Every window must lie wholly within one file.

    Parameters
    ----------
    recording : FlatRecording
    requests : sequence of SnippetRequest
    before, after : int
        Samples of a window before and after its centre.

    Yields
    ------
    request_index : int
    which : slice
        The windows of that request.
    snippets : numpy.ndarray, shape (num_windows, before + 1 + after, num_rows), the recording's dtype
    """
    counts = [request.samples.size for request in requests]
    total = int(sum(counts))
    if total == 0:
        return
    samples = np.concatenate([request.samples for request in requests])
    owners = np.repeat(np.arange(len(requests)), counts)
    ranks = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort(samples, kind="stable")
    samples, owners, ranks = samples[order], owners[order], ranks[order]
    files = recording.file_of(samples)
    window = np.arange(-before, after + 1)
    max_samples = max(BLOCK_BYTES // recording.bytes_per_sample, before + 1 + after)
    with recording.reader() as reader:
        first = 0
        while first < total:
            last = _end_of_block(samples, files, first, before + 1 + after, max_samples)
            start = int(samples[first]) - before
            block = reader.read_timeline(start, int(samples[last - 1]) + after + 1)
            for owner in np.unique(owners[first:last]):
                mine = first + np.flatnonzero(owners[first:last] == owner)
                index = (samples[mine] - start)[:, None] + window
                rows = requests[owner].rows
                yield int(owner), slice(ranks[mine[0]], ranks[mine[-1]] + 1), block[index[:, :, None], rows]
            first = last
            progress(step, first, total)


def _end_of_block(
    samples: NDArray[np.int64], files: NDArray[np.int64], first: int, width: int, max_samples: int
) -> int:
    """Index after the last window that is read together with window `first`."""
    reach = np.searchsorted(samples, samples[first] + max_samples - width, side="right")
    candidates = samples[first:reach]
    apart = (np.diff(candidates) > 2 * width) | (np.diff(files[first:reach]) != 0)
    return first + (int(np.argmax(apart)) + 1 if apart.any() else candidates.size)


def read_snippets(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    *,
    before: int,
    after: int,
    step: str = "reading spikes",
    progress: ProgressCallback = no_progress,
) -> list[NDArray[np.generic]]:
    """Read all requested windows into memory.

    Returns
    -------
    list of numpy.ndarray, one per request
        Shape (num_windows, before + 1 + after, num_rows), in the recording's dtype.
    """
    width = before + 1 + after
    snippets = [
        np.empty((request.samples.size, width, request.rows.size), dtype=recording.dtype) for request in requests
    ]
    pieces = iter_snippets(recording, requests, before=before, after=after, step=step, progress=progress)
    for owner, which, piece in pieces:
        snippets[owner][which] = piece
    return snippets


def remove_baseline(snippets: NDArray[np.generic]) -> NDArray[np.float32]:
    """Subtract from each snippet and row the line through its two ends.

    The ends are averaged over a few samples, where the spike is not: a fit through all samples would take
    part of the spike itself for baseline.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples, num_rows)

    Returns
    -------
    numpy.ndarray of float32, same shape
    """
    # Large offsets (a 12-bit converter's 2048, float64 data) leave before the precision is cut.
    values = np.subtract(snippets, snippets[:, :1], dtype=np.float64 if snippets.dtype.itemsize > 2 else np.float32)
    head, tail = _end_levels(values)
    values -= head
    values -= baseline_ramp(values.shape[1]).astype(values.dtype)[:, None] * (tail - head)
    return np.asarray(values, dtype=np.float32)


def baseline_ramp(num_samples: int) -> NDArray[np.float32]:
    """Line that `remove_baseline` subtracts from snippets whose ends differ by one; shape (num_samples,)."""
    middle_of_head = (min(NUM_BASELINE_SAMPLES, num_samples // 3 or 1) - 1) / 2
    length = num_samples - 1 - 2 * middle_of_head
    return ((np.arange(num_samples) - middle_of_head) / length).astype(np.float32)


def end_difference(snippets: NDArray[np.generic]) -> NDArray[np.float64]:
    """How much higher each snippet ends than it begins; shape (num_snippets, num_rows)."""
    count = min(NUM_BASELINE_SAMPLES, snippets.shape[1] // 3 or 1)
    head = snippets[:, :count].mean(axis=1, dtype=np.float64)
    return np.asarray(snippets[:, -count:].mean(axis=1, dtype=np.float64) - head)


def _end_levels(
    snippets: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Averages over the first and the last few samples; shape (num_snippets, 1, num_rows)."""
    count = min(NUM_BASELINE_SAMPLES, snippets.shape[1] // 3 or 1)
    head = snippets[:, :count].mean(axis=1, keepdims=True)
    return np.asarray(head), np.asarray(snippets[:, -count:].mean(axis=1, keepdims=True))
