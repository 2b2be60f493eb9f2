"""Which parts of a recording are read together so that all wanted windows are seen, each part once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hybridfactory.recording.flat import FlatReader, FlatRecording

__all__ = ["Blocks", "SnippetRequest"]

BLOCK_BYTES = 4 << 20
BLOCKS_ANNOUNCED = 8
"""How far ahead of reading the system is told of it."""


@dataclass(frozen=True, eq=False)
class SnippetRequest:
    """Windows around `samples` (timeline, ascending) on raw `rows`."""

    samples: NDArray[np.int64]
    rows: NDArray[np.int64]


class Blocks:
    """All windows of some requests in the order of the file, cut into blocks that are read at once.

    A block is one range of the file, or several: what lies between windows far apart is not read.

    Parameters
    ----------
    recording : FlatRecording
    requests : sequence of SnippetRequest
        Each window must lie wholly within one file.
    before, after : int
        Samples of a window before and after its centre.

    Attributes
    ----------
    width : int
        Samples of a window.
    owners, ranks : numpy.ndarray of int64, shape (num_windows,)
        Request that each window belongs to, and its number there.
    bounds : numpy.ndarray of int64, shape (num_blocks + 1,)
        Block b holds the windows from ``bounds[b]`` to ``bounds[b + 1]``.
    longest : int
        Samples of the longest block.
    """

    def __init__(self, recording: FlatRecording, requests: Sequence[SnippetRequest], before: int, after: int) -> None:
        counts = [request.samples.size for request in requests]
        samples = np.concatenate([np.zeros(0, dtype=np.int64), *(request.samples for request in requests)])
        order = np.argsort(samples, kind="stable")
        self.width = before + 1 + after
        self.owners = np.repeat(np.arange(len(requests)), counts)[order]
        self.ranks = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.arange, counts)])[order]
        self._firsts = samples[order] - before
        self._files = recording.file_of(self._firsts)
        self._file_starts = [file.start_sample for file in recording.files]
        limit = max(BLOCK_BYTES // recording.bytes_per_sample, self.width)
        self._range_bounds = self._cut_into_ranges(limit)
        lengths = self._stops(self._range_bounds[1:]) - self._firsts[self._range_bounds[:-1]]
        position = np.cumsum(lengths)
        last_range = np.flatnonzero(np.diff(position // limit, append=-1))
        self._block_bounds = np.concatenate([[0], last_range + 1])
        self.bounds = self._range_bounds[self._block_bounds]
        self.longest = int(np.diff(np.concatenate([[0], position[last_range]])).max(initial=0))

    def __len__(self) -> int:
        return int(self.bounds.size) - 1

    def _stops(self, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the last window before each bound ends."""
        return self._firsts[bounds - 1] + self.width

    def _cut_into_ranges(self, limit: int) -> NDArray[np.int64]:
        """Bounds of ranges without large gaps, none much longer than `limit` samples."""
        size = self._firsts.size
        is_new = np.ones(size, dtype=np.bool_)
        is_new[1:] = (np.diff(self._firsts) > 2 * self.width) | (np.diff(self._files) != 0)
        origin = self._firsts[np.maximum.accumulate(np.where(is_new, np.arange(size), 0))]
        is_new[1:] |= np.diff((self._firsts - origin) // limit) != 0
        return np.append(np.flatnonzero(is_new), size)

    def windows(self, blocks: range) -> slice:
        """Windows of some consecutive blocks."""
        return slice(int(self.bounds[blocks.start]), int(self.bounds[blocks.stop]))

    def read(
        self, reader: FlatReader, block: int, buffer: NDArray[np.generic]
    ) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """Read a block.

        Parameters
        ----------
        reader : FlatReader
        block : int
        buffer : numpy.ndarray, shape (longest, num_rows)
            Memory to read into.

        Returns
        -------
        traces : numpy.ndarray, shape (num_samples, num_rows)
            The part of `buffer` that was filled: the block's ranges one after the other.
        firsts : numpy.ndarray of int64
            Where in `traces` each of the block's windows begins.
        """
        for coming in range(block + BLOCKS_ANNOUNCED if block else 0, block + BLOCKS_ANNOUNCED + 1):
            if coming < len(self):
                for _, _, file, start, stop in self._ranges(coming):
                    reader.announce(file, start, stop)
        begin = int(self.bounds[block])
        firsts = np.empty(int(self.bounds[block + 1]) - begin, dtype=np.int64)
        filled = 0
        for first, last, file, start, stop in self._ranges(block):
            reader.read_into(buffer[filled : filled + stop - start], file, start)
            moved = start + self._file_starts[file] - filled
            firsts[first - begin : last - begin] = self._firsts[first:last] - moved
            filled += stop - start
        return buffer[:filled], firsts

    def _ranges(self, block: int) -> Iterator[tuple[int, int, int, int, int]]:
        """First window of each of a block's ranges, and the one after its last; its file, and its samples there."""
        bounds = self._range_bounds[self._block_bounds[block] : self._block_bounds[block + 1] + 1]
        for first, last in pairwise(bounds.tolist()):
            file = int(self._files[first])
            origin = self._file_starts[file]
            yield (
                first,
                last,
                file,
                int(self._firsts[first]) - origin,
                int(self._firsts[last - 1]) + self.width - origin,
            )
