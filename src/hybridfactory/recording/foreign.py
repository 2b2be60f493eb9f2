"""A recording of any format that SpikeInterface opens, with the interface of a flat one."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import RecordingError
from hybridfactory.recording.flat import FlatFile, FlatReader, FlatRecording, refuse_overlaps
from hybridfactory.recording.foreign_files import files_behind
from hybridfactory.recording.foreign_formats import open_with_spikeinterface
from hybridfactory.recording.formats import SAVED

__all__ = ["ForeignFile", "ForeignRecording", "Origin", "open_foreign_recording"]

COMPRESSED = ("nwb", "compressedbinaryibl", SAVED)
"""Formats in pieces of about a second, any sample of which costs as much as the whole piece."""

NUM_KEPT_BLOCKS = 3


@dataclass(frozen=True)
class Origin:
    """How to open a recording again.

    Parameters
    ----------
    name : str
        Format.
    paths : tuple of pathlib.Path
        In timeline order.
    options : mapping of str to object
        Further arguments of SpikeInterface's reader, in JSON's types.
    """

    name: str
    paths: tuple[Path, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ForeignFile(FlatFile):
    """One segment of a recording.

    Parameters
    ----------
    hybrid : str
        Name of the hybrid's flat file.
    """

    hybrid: str = ""

    @property
    def hybrid_name(self) -> str:
        """Name of the hybrid's file."""
        return self.hybrid


@dataclass(frozen=True, eq=False)
class ForeignRecording(FlatRecording):
    """A recording that SpikeInterface reads; samples × channels, raw and in the file's own type.

    Parameters
    ----------
    origin : Origin
    segments : tuple of (spikeinterface.BaseRecording, int)
        Of each entry of `files`, the recording and the number of the segment in it.
    behind : tuple of pathlib.Path
        Everything on the disk that the samples come from, as it was found when the recording was opened.
    """

    origin: Origin
    segments: tuple[tuple[Any, int], ...]
    behind: tuple[Path, ...] = ()
    _lock: Lock = field(default_factory=Lock)

    @property
    def source_files(self) -> tuple[Path, ...]:
        """Everything on the disk that the samples come from."""
        return self.behind

    @property
    def is_copyable(self) -> bool:
        """Flat files are made in one pass: there is none to copy."""
        return False

    @property
    def gains_uV(self) -> NDArray[np.float64] | None:
        """µV per count of every channel; None where the format does not tell."""
        return _numbers(self.segments[0][0].get_channel_gains())

    @property
    def offsets_uV(self) -> NDArray[np.float64] | None:
        """µV at a count of 0 of every channel; None where the format does not tell."""
        return _numbers(self.segments[0][0].get_channel_offsets())

    @contextmanager
    def reader(self) -> Iterator[FlatReader]:
        """Give a reader; the files were opened with the recording."""
        if self.origin.name in COMPRESSED:
            yield _BlockReader(self, ())
        else:
            yield _ForeignReader(self, ())


@dataclass(frozen=True)
class _ForeignReader(FlatReader):
    """Reads one piece at a time, whichever thread asks: few readers were made to be shared."""

    recording: ForeignRecording

    def read_into(self, traces: NDArray[np.generic], file_index: int, start: int) -> None:
        """Fill an array with the samples from `start` on, counted from the segment's first."""
        if traces.size:
            with self.recording._lock:
                traces[...] = self.samples(file_index, start, start + len(traces))

    def announce(self, file_index: int, start: int, stop: int) -> None:
        """Do nothing: how samples lie in the files, SpikeInterface knows."""

    def samples(self, file_index: int, start: int, stop: int) -> NDArray[np.generic]:
        """Let SpikeInterface read."""
        recording, segment = self.recording.segments[file_index]
        path = self.recording.files[file_index].path
        try:
            found: NDArray[np.generic] = recording.get_traces(
                segment_index=segment, start_frame=start, end_frame=stop, return_in_uV=False
            )
        except MemoryError:
            raise
        except Exception as error:  # Each reader has exceptions of its own, plain ones among them.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RecordingError(
                f"{path} cannot be read at samples {start} to {stop} ({reason[:300]}): check the file and the disk"
            ) from error
        if len(found) < stop - start:
            raise RecordingError(
                f"{path} ended early while it was read: it has become shorter since the run began; wait until the "
                "recording is complete, then run again"
            )
        return found


@dataclass(frozen=True)
class _BlockReader(_ForeignReader):
    """Reads whole pieces of a second, and keeps the last few of them."""

    kept: OrderedDict[tuple[int, int], NDArray[np.generic]] = field(default_factory=OrderedDict)

    def read_into(self, traces: NDArray[np.generic], file_index: int, start: int) -> None:
        """Fill an array with the samples from `start` on, counted from the segment's first."""
        length = max(round(self.recording.sampling_frequency), 1)
        done = 0
        while done < len(traces):
            number, offset = divmod(start + done, length)
            with self.recording._lock:
                block = self._block(file_index, number, length)
            count = min(len(block) - offset, len(traces) - done)
            if count <= 0:
                self.samples(file_index, start + done, start + len(traces))
            traces[done : done + count] = block[offset : offset + count]
            done += count

    def _block(self, file_index: int, number: int, length: int) -> NDArray[np.generic]:
        key = (file_index, number)
        if key not in self.kept:
            stop = min((number + 1) * length, self.recording.files[file_index].num_samples)
            self.kept[key] = self.samples(file_index, number * length, stop)
        self.kept.move_to_end(key)
        while len(self.kept) > NUM_KEPT_BLOCKS:
            self.kept.popitem(last=False)
        return self.kept[key]


def open_foreign_recording(
    origin: Origin, *, start_samples: Sequence[int] | None = None, leave_out: Sequence[Path] = ()
) -> ForeignRecording:
    """Open files or folders, and put their segments on one timeline.

    Parameters
    ----------
    origin : Origin
    start_samples : sequence of int, optional
        Timeline index of each segment's first sample. Default: one after the other, without gaps.
    leave_out : sequence of pathlib.Path
        Folders that are no part of the recording, should they lie inside.

    Raises
    ------
    HybridFactoryError
        If one cannot be opened, or they do not fit together.
    """
    opened = [open_with_spikeinterface(path, origin.name, origin.options) for path in origin.paths]
    first = opened[0]
    segments, paths, names = [], [], []
    for path, recording in zip(origin.paths, opened, strict=True):
        _refuse_unlike(first, recording, path)
        count = recording.get_num_segments()
        segments += [(recording, index) for index in range(count)]
        paths += [path] * count
        names += _hybrid_names(path, count)
    lengths = [int(recording.get_num_samples(segment_index=index)) for recording, index in segments]
    if not all(lengths):
        raise RecordingError(
            f"raw_source_file: {paths[lengths.index(0)]} holds a segment without samples: leave it out"
        )
    starts = np.cumsum([0, *lengths[:-1]]).tolist() if start_samples is None else list(start_samples)
    if len(starts) != len(segments):
        raise RecordingError(
            f"start_time has {len(starts)} value(s) for {len(segments)} segment(s) of {origin.paths[0]}: give one "
            "per segment, or leave it out if the sorter ran over them one after the other"
        )
    files = tuple(
        ForeignFile(path, int(start), length, 0, name)
        for path, start, length, name in zip(paths, starts, lengths, names, strict=True)
    )
    refuse_overlaps(files)
    return ForeignRecording(
        files,
        _dtype(*segments[0], origin.paths[0]),
        int(first.get_num_channels()),
        float(first.get_sampling_frequency()),
        origin,
        tuple(segments),
        tuple(dict.fromkeys(file for path in origin.paths for file in files_behind(path, origin.name, leave_out))),
    )


def _hybrid_names(path: Path, count: int) -> list[str]:
    """Names of the flat files of a recording's segments."""
    # A folder's name may hold dots that begin no suffix.
    stem = path.name if path.is_dir() and path.suffix != ".zarr" else path.stem
    return [f"{stem}.GT.bin"] if count == 1 else [f"{stem}_seg{index}.GT.bin" for index in range(count)]


def _dtype(recording: Any, segment: int, path: Path) -> np.dtype[Any]:
    """Type of the samples as they are read; not every reader states it rightly."""
    found: np.dtype[Any] = recording.get_traces(
        segment_index=segment, start_frame=0, end_frame=1, return_in_uV=False
    ).dtype
    if found.kind not in "iuf":
        raise RecordingError(f"raw_source_file: {path} holds {found}, not numbers: choose another stream")
    return found


def _refuse_unlike(first: Any, other: Any, path: Path) -> None:
    for what, one, two in (
        ("channels", first.get_num_channels(), other.get_num_channels()),
        ("Hz", first.get_sampling_frequency(), other.get_sampling_frequency()),
        ("type", str(first.get_dtype()), str(other.get_dtype())),
    ):
        if one != two:
            raise RecordingError(
                f"raw_source_file: {path} has {two} {what}, and the first file {one}: give files of one recording"
            )


def _numbers(values: Any) -> NDArray[np.float64] | None:
    if values is None:
        return None
    numbers = np.asarray(values, dtype=np.float64)
    return numbers if np.isfinite(numbers).all() else None
