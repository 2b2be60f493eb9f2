"""Raw recordings in flat binary files: one or several on one timeline, read in pieces, never mapped.

Plain reads and not memory maps: a read error or a file that shrinks is then an exception and not a signal
that kills the process, and resident memory stays what the buffers need. (A copy, which looks at nothing, is another
matter; see `hybridfactory.injection.copying`.)
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, RecordingError

__all__ = [
    "FlatFile",
    "FlatReader",
    "FlatRecording",
    "hybrid_name",
    "open_flat_recording",
    "read_fully",
    "refuse_overlaps",
]


def hybrid_name(name: str) -> str:
    """File name of the hybrid of a source file: ``data.bin`` → ``data.GT.bin``, ``data`` → ``data.GT``."""
    path = Path(name)
    return f"{path.stem}.GT{path.suffix}"


@dataclass(frozen=True)
class FlatFile:
    """One file of a recording.

    Parameters
    ----------
    path : pathlib.Path
    start_sample : int
        Timeline index of the file's first sample.
    num_samples : int
        Whole samples (all rows) in the file.
    num_trailing_bytes : int
        Bytes after the last whole sample; they are copied and never touched.
    """

    path: Path
    start_sample: int
    num_samples: int
    num_trailing_bytes: int = 0

    @property
    def stop_sample(self) -> int:
        """Timeline index after the file's last sample."""
        return self.start_sample + self.num_samples

    @property
    def hybrid_name(self) -> str:
        """Name of the hybrid's file."""
        return hybrid_name(self.path.name)


@dataclass(frozen=True)
class FlatRecording:
    """Flat binary files on one timeline; samples × rows, row-interleaved (all rows of a sample together).

    Parameters
    ----------
    files : tuple of FlatFile
        Ascending and not overlapping on the timeline; gaps are allowed.
    dtype : numpy.dtype
    num_rows : int
        Rows (saved channels) of every file.
    sampling_frequency : float
        Hz.
    """

    files: tuple[FlatFile, ...]
    dtype: np.dtype[np.generic]
    num_rows: int
    sampling_frequency: float

    @property
    def bytes_per_sample(self) -> int:
        """Size of one sample of all rows."""
        return self.dtype.itemsize * self.num_rows

    @property
    def num_samples(self) -> int:
        """Samples in all files together, gaps not counted."""
        return sum(file.num_samples for file in self.files)

    @property
    def source_files(self) -> tuple[Path, ...]:
        """Everything on the disk that the samples come from."""
        return tuple(file.path for file in self.files)

    @property
    def is_copyable(self) -> bool:
        """Whether the hybrid's files can begin as copies of the files."""
        return True

    @property
    def gains_uV(self) -> NDArray[np.float64] | None:
        """µV per count of every row, where the files themselves tell; shape (num_rows,)."""
        return None

    @property
    def offsets_uV(self) -> NDArray[np.float64] | None:
        """µV at a count of 0 of every row, where the files themselves tell; shape (num_rows,)."""
        return None

    def file_of(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the file each timeline sample lies in, -1 for samples in a gap or outside."""
        starts = np.array([file.start_sample for file in self.files])
        stops = np.array([file.stop_sample for file in self.files])
        index = np.searchsorted(starts, samples, side="right") - 1
        inside = (index >= 0) & (samples < stops[np.maximum(index, 0)])
        return np.where(inside, index, -1)

    def holds_window(self, samples: NDArray[np.int64], before: int, after: int) -> NDArray[np.bool_]:
        """Whether the window [sample - before, sample + after] lies wholly in one file, per sample."""
        first, last = self.file_of(samples - before), self.file_of(samples + after)
        inside: NDArray[np.bool_] = (first >= 0) & (first == last)
        return inside

    @contextmanager
    def reader(self) -> Iterator["FlatReader"]:
        """Open the files for reading, for as long as the context lasts."""
        with ExitStack() as stack:
            descriptors = []
            for file in self.files:
                descriptor = os.open(file.path, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                descriptors.append(descriptor)
            yield FlatReader(self, tuple(descriptors))


@dataclass(frozen=True)
class FlatReader:
    """An opened `FlatRecording`. Reads are positioned, so that threads may share it."""

    recording: FlatRecording
    descriptors: tuple[int, ...]

    def read(self, file_index: int, start: int, stop: int) -> NDArray[np.generic]:
        """Read samples [start, stop), counted from the file's first; shape (stop - start, num_rows)."""
        traces = np.empty((stop - start, self.recording.num_rows), dtype=self.recording.dtype)
        self.read_into(traces, file_index, start)
        return traces

    def read_into(self, traces: NDArray[np.generic], file_index: int, start: int) -> None:
        """Fill a contiguous array of whole samples with those from `start` on, counted from the file's first.

        Memory that is used again and again costs less than new memory for every piece.
        """
        if traces.size == 0:
            return
        recording = self.recording
        view = memoryview(traces.view(np.uint8).reshape(-1).data)
        if read_fully(self.descriptors[file_index], view, start * recording.bytes_per_sample) < len(view):
            raise RecordingError(
                f"{recording.files[file_index].path} ended early while it was read: it has become shorter "
                "since the run began; wait until the recording is complete, then run again"
            )

    def announce(self, file_index: int, start: int, stop: int) -> None:
        """Tell the system that samples [start, stop), counted from the file's first, will soon be read.

        It reads what is not in memory meanwhile, and many pieces at a time, where a disk is fastest.
        """
        size = self.recording.bytes_per_sample
        announce(self.descriptors[file_index], start * size, (stop - start) * size)

    def read_timeline(self, start: int, stop: int) -> NDArray[np.generic]:
        """Read timeline samples [start, stop), which must lie in one file; shape (stop - start, num_rows)."""
        index = int(self.recording.file_of(np.array([start], dtype=np.int64))[0])
        if index < 0 or stop > self.recording.files[index].stop_sample:
            raise RecordingError(f"samples {start} to {stop} do not lie in one file of the recording")
        shift = self.recording.files[index].start_sample
        return self.read(index, start - shift, stop - shift)


def announce(descriptor: int, offset: int, count: int) -> None:
    """Tell the system that some bytes of a file will soon be read."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # where it cannot be told, it is read all the same
            os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_WILLNEED)


def read_fully(descriptor: int, view: memoryview, offset: int) -> int:
    """Fill a view with a file's bytes from `offset` on; the number of bytes, fewer only where the file ends."""
    filled = 0
    while filled < len(view):
        count = os.preadv(descriptor, [view[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def open_flat_recording(
    paths: Sequence[Path],
    *,
    start_samples: Sequence[int],
    dtype: np.dtype[np.generic],
    num_rows: int,
    sampling_frequency: float,
    allow_trailing_bytes: bool = False,
) -> FlatRecording:
    """Open flat binary files as one recording, and check that they fit together.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In timeline order.
    start_samples : sequence of int
        Timeline index of each file's first sample, 0-based.
    dtype : numpy.dtype
    num_rows : int
        Rows of every file.
    sampling_frequency : float
        Hz.
    allow_trailing_bytes : bool
        Whether a file may end within a sample. True where the number of rows is certain (from a .meta); where
        it is the user's word, a remainder is the sign of a wrong word.

    Raises
    ------
    MissingFileError
        If a file does not exist.
    RecordingError
        If a file is empty or is not a whole number of samples, or if files overlap or are out of order.
    """
    if len(start_samples) != len(paths):
        raise RecordingError(
            f"start_time has {len(start_samples)} value(s) for {len(paths)} file(s): give one per file, "
            f"in the order {', '.join(path.name for path in paths)}"
        )
    bytes_per_sample = dtype.itemsize * num_rows
    files: list[FlatFile] = []
    for path, start in zip(paths, start_samples, strict=True):
        if not path.is_file():
            raise MissingFileError(f"raw_source_file: {path} does not exist or is not a file")
        size = path.stat().st_size
        num_samples, trailing = divmod(size, bytes_per_sample)
        if num_samples == 0:
            raise RecordingError(
                f"raw_source_file: {path} is empty or holds less than one sample ({size} bytes, "
                f"one sample of {num_rows} rows has {bytes_per_sample}): check the path and the probe"
            )
        if trailing and not allow_trailing_bytes:
            raise RecordingError(
                f"raw_source_file: {path} has {size} bytes, which is not a whole number of samples of "
                f"{num_rows} rows × {dtype.itemsize} bytes ({trailing} bytes are left over): check data_type, "
                "and that the probe lists every row of the file (rows that are no recording site too, with "
                "connected = False), or set raw_source_rows"
            )
        files.append(FlatFile(path, int(start), num_samples, trailing))
    refuse_overlaps(files)
    return FlatRecording(tuple(files), dtype, num_rows, sampling_frequency)


def refuse_overlaps(files: Sequence[FlatFile]) -> None:
    """See that files follow each other on the timeline.

    Raises
    ------
    RecordingError
        If they are out of order, or overlap.
    """
    for earlier, later in pairwise(files):
        if later.start_sample < earlier.start_sample:
            raise RecordingError(
                f"start_time: {later.path.name} starts at {later.start_sample}, before {earlier.path.name} at "
                f"{earlier.start_sample}: start times must ascend in the (natural) order of the file names"
            )
        if later.start_sample < earlier.stop_sample:
            raise RecordingError(
                f"start_time: {later.path.name} starts at {later.start_sample}, but {earlier.path.name} ends at "
                f"{earlier.stop_sample}: the files overlap on the timeline; check start_time and the probe's rows"
            )
