"""What is written at once: touched ranges rounded out to whole pages of their file, and merged where these meet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybridfactory.injection.target_file import PAGE_BYTES
from hybridfactory.recording.flat import FlatRecording

__all__ = ["Region", "Regions", "cut_at_grid", "regions_of"]

GRID_SAMPLES = 2048
"""Least distance of the places where ranges are cut. Part of the journal's meaning, since each has its checksum; at
385 rows, a patch of that length has 3 MB of float32, which stay near the processor."""


class Region(NamedTuple):
    """A piece of one file.

    Parameters
    ----------
    file_index : int
    start, stop : int
        Samples, counted from the file's first, in which the bytes lie.
    first_byte, last_byte : int
        What is written: whole pages, unless the file's samples end within one.
    places : list of [int, int]
        First and last byte of each touched range in it, counted from the first of sample `start`.
    """

    file_index: int
    start: int
    stop: int
    first_byte: int
    last_byte: int
    places: list[list[int]]


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions of a recording's files, in the order of the timeline.

    Parameters
    ----------
    recording : FlatRecording
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        Touched ranges of the timeline, none over a line of the grid.
    files : numpy.ndarray of int64, shape (num_regions,)
    bytes : numpy.ndarray of int64, shape (num_regions, 2)
        First and last byte of each in its file.
    members : numpy.ndarray of int64, shape (num_regions, 2)
        First and last of the ranges in each.
    """

    recording: FlatRecording
    ranges: NDArray[np.int64]
    files: NDArray[np.int64]
    bytes: NDArray[np.int64]
    members: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def samples(self) -> NDArray[np.int64]:
        """First and last sample of each, counted from the file's first, in which its bytes lie."""
        size = self.recording.bytes_per_sample
        return np.stack([self.bytes[:, 0] // size, -(-self.bytes[:, 1] // size)], axis=1)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """First and last byte of each range, counted from the first sample of its region."""
        owners = np.repeat(np.arange(len(self)), np.diff(self.members, axis=1)[:, 0])
        begin = _file_starts(self.recording)[self.files[owners]] + self.samples[owners, 0]
        places: NDArray[np.int64] = (self.ranges - begin[:, None]) * self.recording.bytes_per_sample
        return places

    def part(self, share: slice) -> list[Region]:
        """Some of the regions one by one."""
        files, samples, spans, members = (
            values[share].tolist() for values in (self.files, self.samples, self.bytes, self.members)
        )
        places = (self.places[first:last].tolist() for first, last in members)
        return [
            Region(file_index, start, stop, first_byte, last_byte, inside)
            for file_index, (start, stop), (first_byte, last_byte), inside in zip(
                files, samples, spans, places, strict=True
            )
        ]

    def extent(self, share: slice) -> tuple[int, int]:
        """First and last sample on the timeline of some consecutive regions."""
        begin = _file_starts(self.recording)[self.files[share]]
        return int(begin[0] + self.samples[share][0, 0]), int(begin[-1] + self.samples[share][-1, 1])


def grid_samples(recording: FlatRecording) -> int:
    """Samples from one place to the next at which a sample and a page of the file begin together."""
    together = PAGE_BYTES // math.gcd(PAGE_BYTES, recording.bytes_per_sample)
    return -(-GRID_SAMPLES // together) * together


def cut_at_grid(ranges: NDArray[np.int64], recording: FlatRecording) -> NDArray[np.int64]:
    """Cut ranges of the timeline, each in one file, where their files' samples and pages begin together.

    Parameters
    ----------
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        Start and stop of each, ascending, not overlapping.
    recording : FlatRecording

    Returns
    -------
    numpy.ndarray of int64, shape (num_pieces, 2)
    """
    grid, begin = grid_samples(recording), _file_starts(recording)[recording.file_of(ranges[:, 0])]
    first, last = (ranges[:, 0] - begin) // grid, (ranges[:, 1] - begin - 1) // grid
    counts = last - first + 1
    cell = np.repeat(first, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    lines = np.repeat(begin, counts) + cell * grid
    starts, stops = np.repeat(ranges, counts, axis=0).T
    return np.stack([np.maximum(starts, lines), np.minimum(stops, lines + grid)], axis=1)


def regions_of(ranges: NDArray[np.int64], recording: FlatRecording, copied: Sequence[int] | None = None) -> Regions:
    """Round ranges out to whole pages, so that no page belongs to two regions; what is not copied is written whole.

    Parameters
    ----------
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        As `cut_at_grid` leaves them.
    recording : FlatRecording
    copied : sequence of int, optional
        How many bytes of each target, from its beginning, are the source's already; default: all of them.
    """
    around = _around(ranges, recording)
    if copied is None:
        return around
    cell = grid_samples(recording) * recording.bytes_per_sample
    ends = np.array([file.num_samples * recording.bytes_per_sample for file in recording.files])
    # From the cell on in which the copy ends.
    borders = np.where(np.array(copied) >= ends, ends, np.array(copied) // cell * cell)
    whole = _whole(ranges, recording, borders)
    kept = around.bytes[:, 0] < borders[around.files]
    files = np.concatenate([around.files[kept], whole.files])
    spans = np.concatenate([around.bytes[kept], whole.bytes])
    members = np.concatenate([around.members[kept], whole.members])
    order = np.lexsort((spans[:, 0], files))
    return Regions(recording, ranges, files[order], spans[order], members[order])


def _around(ranges: NDArray[np.int64], recording: FlatRecording) -> Regions:
    """Round ranges out to whole pages."""
    files = recording.file_of(ranges[:, 0])
    inside = ranges - _file_starts(recording)[files][:, None]
    size = recording.bytes_per_sample
    first = inside[:, 0] * size // PAGE_BYTES * PAGE_BYTES
    ends = np.array([file.num_samples for file in recording.files], dtype=np.int64) * size
    last = np.minimum(-(-inside[:, 1] * size // PAGE_BYTES) * PAGE_BYTES, ends[files])
    cells = inside[:, 0] // grid_samples(recording)
    is_apart = (files[1:] != files[:-1]) | (cells[1:] != cells[:-1]) | (first[1:] > last[:-1])
    starts = np.flatnonzero(np.concatenate([[True], is_apart])) if len(ranges) else np.zeros(0, dtype=np.int64)
    stops = np.append(starts[1:], len(ranges))[: len(starts)]
    spans = np.stack([first[starts], last[stops - 1]], axis=1)
    return Regions(recording, ranges, files[starts], spans, np.stack([starts, stops], axis=1))


def _whole(ranges: NDArray[np.int64], recording: FlatRecording, borders: NDArray[np.int64]) -> Regions:
    """All that follows a byte of each file at which a cell of the grid begins."""
    grid, size = grid_samples(recording), recording.bytes_per_sample
    counts = [file.num_samples for file in recording.files]
    starts = [np.arange(first, count, grid) for first, count in zip((borders // size).tolist(), counts, strict=True)]
    stops = [np.minimum(start + grid, count) for start, count in zip(starts, counts, strict=True)]
    files = np.repeat(np.arange(len(starts)), [start.size for start in starts])
    cells = np.stack([np.concatenate(starts), np.concatenate(stops)], axis=1)
    members = np.searchsorted(ranges[:, 0], cells + _file_starts(recording)[files][:, None])
    return Regions(recording, ranges, files, cells * size, members)


def _file_starts(recording: FlatRecording) -> NDArray[np.int64]:
    return np.array([file.start_sample for file in recording.files], dtype=np.int64)
