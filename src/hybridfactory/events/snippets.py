"""Snippets out of the untouched recording, in file order, each read once, and their baselines taken off."""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.blocks import Blocks, SnippetRequest
from hybridfactory.events.kernel import gather_windows, level_windows
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatReader, FlatRecording
from hybridfactory.recording.side_by_side import NUM_WORKERS, side_by_side

__all__ = [
    "SnippetRequest",
    "baseline_ramp",
    "end_difference",
    "iter_slabs",
    "iter_snippets",
    "native",
    "read_snippets",
    "remove_baseline",
]

SLAB_BYTES = 48 << 20
NUM_BASELINE_SAMPLES = 8
COMPILED_TYPES = frozenset("bBhHiIlLqQfd")


def iter_slabs(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    *,
    before: int,
    after: int,
    step: str = "reading spikes",
    progress: ProgressCallback = no_progress,
) -> Iterator[list[tuple[int, slice, NDArray[np.generic]]]]:
    """Go once through the recording and yield the requested windows, many at a time.

    Every window must lie wholly within one file.

    Parameters
    ----------
    recording : FlatRecording
    requests : sequence of SnippetRequest
    before, after : int
        Samples of a window before and after its centre.

    Yields
    ------
    list of (int, slice, numpy.ndarray)
        Index of a request, which of its windows these are, and the windows, shape (num_windows, before + 1 +
        after, num_rows), in the recording's dtype. The next ones are read into the same memory.
    """
    blocks = Blocks(recording, requests, before, after)
    if len(blocks) == 0:
        return
    sizes = np.array([request.rows.size for request in requests], dtype=np.int64)
    bytes_per_block = np.add.reduceat(sizes[blocks.owners], blocks.bounds[:-1])
    filled = np.cumsum(bytes_per_block * blocks.width * recording.dtype.itemsize) // SLAB_BYTES
    firsts = np.flatnonzero(np.diff(filled, prepend=-1))
    arena = np.empty(0, dtype=np.uint8)
    done, total = 0, blocks.owners.size
    with recording.reader() as reader:
        for first, last in zip(firsts, [*firsts[1:], len(blocks)], strict=True):
            slab = _Slab(blocks, requests, recording.dtype, range(first, last))
            if slab.num_bytes > arena.size:
                arena = np.empty(slab.num_bytes, dtype=np.uint8)
            with closing(slab.read(reader, arena)) as counts:
                for count in counts:
                    done += count
                    progress(step, done, total)
            yield slab.pieces(arena)


def iter_snippets(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    *,
    before: int,
    after: int,
    step: str = "reading spikes",
    progress: ProgressCallback = no_progress,
) -> Iterator[tuple[int, slice, NDArray[np.generic]]]:
    """Yield the windows of `iter_slabs` one request at a time; they are good until the next is asked for."""
    for slab in iter_slabs(recording, requests, before=before, after=after, step=step, progress=progress):
        yield from slab


def read_snippets(
    recording: FlatRecording,
    requests: Sequence[SnippetRequest],
    *,
    before: int,
    after: int,
    step: str = "reading spikes",
    progress: ProgressCallback = no_progress,
    arena: NDArray[np.uint8] | None = None,
) -> list[NDArray[np.generic]]:
    """Read all requested windows into memory.

    Parameters
    ----------
    recording, requests, before, after : see `iter_slabs`
    arena : numpy.ndarray of uint8, optional
        Memory to read into; it is not used if it is too small.

    Returns
    -------
    list of numpy.ndarray, one per request
        Shape (num_windows, before + 1 + after, num_rows), in the recording's dtype.
    """
    width = before + 1 + after
    snippets = [np.empty((0, width, request.rows.size), dtype=recording.dtype) for request in requests]
    blocks = Blocks(recording, requests, before, after)
    slab = _Slab(blocks, requests, recording.dtype, range(len(blocks)))
    memory = arena if arena is not None and arena.size >= slab.num_bytes else np.empty(slab.num_bytes, dtype=np.uint8)
    done = 0
    with recording.reader() as reader, closing(slab.read(reader, memory)) as counts:
        for count in counts:
            done += count
            progress(step, done, blocks.owners.size)
    for owner, _, piece in slab.pieces(memory):
        snippets[owner] = piece
    return snippets


class _Slab:
    """Windows that are in memory together, each owner's side by side.

    Parameters
    ----------
    blocks : Blocks
    requests : sequence of SnippetRequest
    dtype : numpy.dtype
    block_range : range
        The blocks that the windows are read with.
    """

    def __init__(
        self, blocks: Blocks, requests: Sequence[SnippetRequest], dtype: np.dtype[np.generic], block_range: range
    ) -> None:
        self._blocks, self._dtype, self._block_range = blocks, dtype, block_range
        # Any type is copied as the unsigned words that it consists of.
        self._word = np.dtype(f"u{math.gcd(dtype.itemsize, 8)}")
        self._words = dtype.itemsize // self._word.itemsize
        columns = [(request.rows[:, None] * self._words + np.arange(self._words)).ravel() for request in requests]
        self._columns = np.concatenate([np.zeros(0, dtype=np.int64), *columns])
        self._column_starts = np.cumsum([0, *(column.size for column in columns)], dtype=np.int64)
        windows = blocks.windows(block_range)
        self._counts = np.bincount(blocks.owners[windows], minlength=len(requests))
        self._first_ranks = np.zeros(len(requests), dtype=np.int64)
        # The first of each owner is the last to be written.
        self._first_ranks[blocks.owners[windows][::-1]] = blocks.ranks[windows][::-1]
        self._starts = np.cumsum([0, *(self._counts * blocks.width * np.diff(self._column_starts))], dtype=np.int64)

    @property
    def num_bytes(self) -> int:
        """Memory that the windows need."""
        return int(self._starts[-1]) * self._word.itemsize

    def read(self, reader: FlatReader, arena: NDArray[np.uint8]) -> Generator[int]:
        """Read all windows into the memory; yields the number of windows of each block that is done."""
        words = arena[: self.num_bytes].view(self._word)
        recording = reader.recording
        buffers: SimpleQueue[NDArray[np.generic]] = SimpleQueue()
        for _ in range(NUM_WORKERS):
            buffers.put(np.empty((self._blocks.longest, recording.num_rows), dtype=recording.dtype))

        def work(index: int) -> int:
            buffer = buffers.get()
            try:
                traces, firsts = self._blocks.read(reader, index, buffer)
                windows = self._blocks.windows(range(index, index + 1))
                owners = self._blocks.owners[windows]
                ranks = self._blocks.ranks[windows] - self._first_ranks[owners]
                block = traces.view(self._word)
                gather_windows(
                    words,
                    block,
                    firsts,
                    owners,
                    ranks,
                    self._starts,
                    self._columns,
                    self._column_starts,
                    self._blocks.width,
                )
            finally:
                # Also after an error: the next call would wait for it forever.
                buffers.put(buffer)
            return firsts.size

        with side_by_side(work, self._block_range) as counts:
            yield from counts

    def pieces(self, arena: NDArray[np.uint8]) -> list[tuple[int, slice, NDArray[np.generic]]]:
        """Each owner's windows, as `iter_slabs` yields them."""
        values = arena[: self.num_bytes].view(self._dtype)
        found = []
        for owner in np.flatnonzero(self._counts):
            start, stop = self._starts[owner : owner + 2] // self._words
            count, first = int(self._counts[owner]), int(self._first_ranks[owner])
            windows = values[start:stop].reshape(count, self._blocks.width, -1)
            found.append((int(owner), slice(first, first + count), windows))
        return found


def remove_baseline(snippets: NDArray[np.generic], columns: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Subtract from each snippet and row the line through its two ends.

    The ends are averaged over a few samples, where the spike is not: a fit through all samples would take
    part of the spike itself for baseline.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples, num_rows)
    columns : numpy.ndarray of int64, optional
        The rows that are wanted; by default all.

    Returns
    -------
    numpy.ndarray of float32, shape (num_snippets, num_samples, num_columns)
    """
    chosen = np.arange(snippets.shape[2]) if columns is None else columns
    count = _num_ends(snippets.shape[1])
    values = native(snippets)
    # Two bytes and less are exact in float32.
    ramp = baseline_ramp(snippets.shape[1]).astype(np.float64 if snippets.dtype.itemsize > 2 else np.float32)
    leveled = np.empty((*snippets.shape[:2], chosen.size), dtype=np.float32)
    level_windows(leveled, values, chosen, ramp, count)
    return leveled


def native(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the same numbers in a type of this machine that compiled loops know."""
    dtype = values.dtype.newbyteorder("=")
    if dtype.char not in COMPILED_TYPES:
        dtype = np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)
    return values.astype(dtype, copy=False)


def baseline_ramp(num_samples: int) -> NDArray[np.float32]:
    """Line that `remove_baseline` subtracts from snippets whose ends differ by one; shape (num_samples,)."""
    middle_of_head = (_num_ends(num_samples) - 1) / 2
    length = num_samples - 1 - 2 * middle_of_head
    return ((np.arange(num_samples) - middle_of_head) / length).astype(np.float32)


def end_difference(snippets: NDArray[np.generic]) -> NDArray[np.float64]:
    """How much higher each snippet ends than it begins; shape (num_snippets, num_rows)."""
    count = _num_ends(snippets.shape[1])
    head = snippets[:, :count].mean(axis=1, dtype=np.float64)
    return np.asarray(snippets[:, -count:].mean(axis=1, dtype=np.float64) - head)


def _num_ends(num_samples: int) -> int:
    """Samples at either end of a window that its level there is averaged over."""
    return min(NUM_BASELINE_SAMPLES, num_samples // 3 or 1)
