"""Which bytes of the hybrid a run wrote, with a checksum of each range: to take them back, and to check them."""

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.probes.npz_file import NpzDamageError, read_npz, write_npz
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording, read_fully
from hybridfactory.recording.side_by_side import side_by_side

__all__ = ["Journal", "empty_journal", "load_journal", "save_journal", "take_checksums"]

RANGES_PER_TASK = 64


@dataclass(frozen=True, eq=False)
class Journal:
    """Ranges of the timeline that a run wrote to, in all rows, with what stood there afterwards.

    Parameters
    ----------
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        Start and stop of each, ascending, not overlapping, each in one file.
    checksums : numpy.ndarray of uint32, shape (num_ranges,)
        CRC-32 of the range's bytes in the hybrid's file.
    """

    ranges: NDArray[np.int64]
    checksums: NDArray[np.uint32]


def empty_journal() -> Journal:
    """Return the journal of a run that has written no hybrid."""
    return Journal(np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.uint32))


def take_checksums(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    ranges: NDArray[np.int64],
    *,
    step: str,
    progress: ProgressCallback = no_progress,
) -> NDArray[np.uint32]:
    """CRC-32 of the bytes of some ranges.

    Parameters
    ----------
    targets : tuple of pathlib.Path
        Files of the recording's shape and on its timeline.
    recording : FlatRecording
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
    step : str
        What progress calls it.
    progress : callable, optional

    Returns
    -------
    numpy.ndarray of uint32, shape (num_ranges,)

    Raises
    ------
    OutputError
        If a file ends before a range does.
    """
    checksums = np.zeros(len(ranges), dtype=np.uint32)
    if len(ranges) == 0:
        return checksums
    files = recording.file_of(ranges[:, 0])
    starts = np.array([file.start_sample for file in recording.files], dtype=np.int64)
    offsets = (ranges[:, 0] - starts[files]) * recording.bytes_per_sample
    sizes = np.diff(ranges, axis=1)[:, 0] * recording.bytes_per_sample
    tasks = np.array_split(np.arange(len(ranges)), -(-len(ranges) // RANGES_PER_TASK))
    descriptors = [os.open(target, os.O_RDONLY) for target in targets]

    def work(task: NDArray[np.int64]) -> list[int]:
        buffer = memoryview(bytearray(int(sizes[task].max())))
        found = []
        for index in task.tolist():
            view = buffer[: sizes[index]]
            if read_fully(descriptors[files[index]], view, int(offsets[index])) < len(view):
                raise OutputError(
                    f"{targets[files[index]]} ends before what the run wrote does: it was cut short after the run"
                )
            found.append(zlib.crc32(view))
        return found

    try:
        done = 0
        with side_by_side(work, tasks) as results:
            for task, found in zip(tasks, results, strict=True):
                checksums[task] = found
                done += len(task)
                progress(step, done, len(ranges))
    finally:
        _close(descriptors)
    return checksums


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def save_journal(journal: Journal, path: Path) -> None:
    """Store a journal as a compressed .npz archive: some bytes per event."""
    arrays = {
        "starts": journal.ranges[:, 0],
        "lengths": np.diff(journal.ranges, axis=1)[:, 0],
        "checksums": journal.checksums,
    }
    write_npz(path, arrays, is_compressed=True)


def load_journal(path: Path, recording: FlatRecording) -> Journal:
    """Read a journal that `save_journal` stored.

    Parameters
    ----------
    path : pathlib.Path
    recording : FlatRecording
        What it is about.

    Raises
    ------
    OutputError
        If the file is damaged.
    """
    damaged = OutputError(f"{path} is damaged: what the run wrote cannot be told; run 'hybridfactory generate' again")
    try:
        arrays = read_npz(path)
        starts, lengths, checksums = (arrays[name] for name in ("starts", "lengths", "checksums"))
    except (NpzDamageError, KeyError) as error:
        raise damaged from error
    sound = starts.dtype == lengths.dtype == np.int64 and checksums.dtype == np.uint32
    if not sound or starts.ndim != 1 or not starts.shape == lengths.shape == checksums.shape:
        raise damaged
    stops = starts + lengths
    first, last = recording.file_of(starts), recording.file_of(stops - 1)
    if (lengths <= 0).any() or (starts[1:] < stops[:-1]).any() or (first < 0).any() or (first != last).any():
        raise damaged
    return Journal(np.stack([starts, stops], axis=1), checksums)
