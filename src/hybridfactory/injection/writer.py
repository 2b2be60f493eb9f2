"""Hybrid files on disk: touched ranges rendered over a copy of the source, or the whole in one pass."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.injection.copying import flushing
from hybridfactory.injection.journal import MAX_RANGE_SAMPLES, Journal
from hybridfactory.injection.render import MAX_SPAN_SAMPLES, Workspace, render_in_place
from hybridfactory.injection.script import InjectionScript
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatReader, FlatRecording
from hybridfactory.recording.side_by_side import NUM_WORKERS, side_by_side

__all__ = ["Rendered", "render_into", "restore_into"]

SPANS_PER_TASK = 64


@dataclass(frozen=True, eq=False)
class Rendered:
    """What became of a script's events in the hybrid's files.

    Parameters
    ----------
    clipped : numpy.ndarray of int32, shape (num_events,)
        Clipped samples of every event, in the script's order.
    journal : Journal
        The ranges that events touch, with the checksums of what was written there.
    """

    clipped: NDArray[np.int32]
    journal: Journal


def render_into(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    script: InjectionScript,
    *,
    are_copies: bool = True,
    progress: ProgressCallback = no_progress,
) -> Rendered:
    """Write the hybrid, and see it onto the disk.

    Parameters
    ----------
    targets : tuple of pathlib.Path
        One per file of the recording.
    recording : FlatRecording
        The source.
    script : InjectionScript
    are_copies : bool
        Whether the targets are copies of the source, so that only touched ranges need to be written over them.
        Otherwise they are written whole, in one pass. The bytes are the same.

    Returns
    -------
    Rendered
    """
    clipped = np.zeros(script.samples.size, dtype=np.int32)
    touched = script.spans(MAX_RANGE_SAMPLES)
    spans, is_touched = touched, np.ones(len(touched), dtype=bool)
    if not are_copies:
        spans, is_touched = _with_gaps(touched, recording)
        _make_targets(targets, recording)
    checksums = _over_spans(targets, recording, spans, script, clipped, "injecting", progress)
    return Rendered(clipped, Journal(touched, checksums[is_touched]))


def restore_into(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    ranges: NDArray[np.int64],
    *,
    progress: ProgressCallback = no_progress,
) -> None:
    """Take changes back: ranges of the hybrid become the source's bytes again, and are seen onto the disk.

    The cost grows with the length of the ranges, not with that of the recording.

    Parameters
    ----------
    targets : tuple of pathlib.Path
        One per file of the recording.
    recording : FlatRecording
        The source.
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        Start and stop of each, on the timeline, each in one file.
    progress : callable, optional
    """
    _over_spans(targets, recording, ranges, None, None, "taking events back", progress)


def _with_gaps(touched: NDArray[np.int64], recording: FlatRecording) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Every sample of every file: the touched ranges, and what lies between them; and which ones are touched."""
    first = np.array([file.start_sample for file in recording.files], dtype=np.int64)
    last = np.array([file.stop_sample for file in recording.files], dtype=np.int64)
    starts, stops = np.sort(np.concatenate([first, touched[:, 1]])), np.sort(np.concatenate([touched[:, 0], last]))
    gaps = np.stack([starts, stops], axis=1)[stops > starts]
    counts = -(-np.diff(gaps, axis=1)[:, 0] // MAX_SPAN_SAMPLES)
    piece = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(gaps[:, 0], counts) + piece * MAX_SPAN_SAMPLES
    gaps = np.stack([starts, np.minimum(starts + MAX_SPAN_SAMPLES, np.repeat(gaps[:, 1], counts))], axis=1)
    spans = np.concatenate([touched, gaps])
    order = np.argsort(spans[:, 0])
    return spans[order], order < len(touched)


def _make_targets(targets: tuple[Path, ...], recording: FlatRecording) -> None:
    """Create the files in their full length, with what follows the source's last whole sample at their ends."""
    for target, file in zip(targets, recording.files, strict=True):
        size = file.num_samples * recording.bytes_per_sample
        with target.open("wb") as stream:
            stream.truncate(size)
        if file.num_trailing_bytes:
            with file.path.open("rb") as source, target.open("r+b") as stream:
                source.seek(size)
                stream.seek(size)
                stream.write(source.read(file.num_trailing_bytes))


def _over_spans(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    spans: NDArray[np.int64],
    script: InjectionScript | None,
    clipped: NDArray[np.int32] | None,
    step: str,
    progress: ProgressCallback,
) -> NDArray[np.uint32]:
    """Write the source's samples of each span into the targets; if there is a script, rendered, with CRC-32."""
    checksums = np.zeros(len(spans), dtype=np.uint32)
    if len(spans) == 0:
        return checksums
    files = recording.file_of(spans[:, 0])
    shares = np.array_split(np.arange(len(spans)), -(-len(spans) // SPANS_PER_TASK))
    longest = min(int(np.diff(spans, axis=1).max()), MAX_SPAN_SAMPLES)
    # The system lets one thread write to a file at a time; it would have the others wait at full speed.
    turn = Lock()
    spaces: SimpleQueue[Workspace] = SimpleQueue()
    for _ in range(NUM_WORKERS):
        spaces.put(Workspace(longest, recording))
    descriptors = [os.open(target, os.O_WRONLY) for target in targets]
    try:
        with recording.reader() as reader, flushing(descriptors):
            _refuse_sources(targets, descriptors, reader)

            def work(share: NDArray[np.int64]) -> tuple[int, NDArray[np.int32], list[int]]:
                space = spaces.get()
                # An event may reach over a cut into another task's span, so each task counts for itself.
                first, last = (
                    script.events_in(int(spans[share[0], 0]), int(spans[share[-1], 1])) if script else (0, 0)
                )
                part = script.part(first, last) if script else None
                counts = np.zeros(last - first, dtype=np.int32)
                try:
                    found = [
                        _write_span(reader, descriptors, int(files[index]), spans[index], part, counts, space, turn)
                        for index in share
                    ]
                finally:
                    # Also after an error: the next call would wait for it forever.
                    spaces.put(space)
                return first, counts, found

            done = 0
            with side_by_side(work, shares) as results:
                for share, (first, counts, found) in zip(shares, results, strict=True):
                    checksums[share] = found
                    if clipped is not None:
                        clipped[first : first + counts.size] += counts
                    done += len(share)
                    progress(step, done, len(spans))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return checksums


def _refuse_sources(targets: tuple[Path, ...], descriptors: list[int], reader: FlatReader) -> None:
    """Look at the opened files themselves, whatever links lead to them: nothing is ever written to a source."""
    for target, descriptor in zip(targets, descriptors, strict=True):
        status = os.fstat(descriptor)
        for file, source in zip(reader.recording.files, reader.descriptors, strict=False):
            if os.path.sameopenfile(descriptor, source):
                raise OutputError(f"{target} is the source {file.path} itself, which is never written to")
        for path in () if reader.descriptors else reader.recording.source_files:
            if os.path.samestat(status, path.stat()):
                raise OutputError(f"{target} is the source {path} itself, which is never written to")


def _write_span(
    reader: FlatReader,
    descriptors: list[int],
    file_index: int,
    span: NDArray[np.int64],
    script: InjectionScript | None,
    clipped: NDArray[np.int32],
    space: Workspace,
    turn: Lock,
) -> int:
    """Write one span, in pieces that fit into the workspace; the CRC-32 of its bytes if there is a script."""
    file_start, checksum = reader.recording.files[file_index].start_sample, 0
    for start in range(int(span[0]), int(span[1]), MAX_SPAN_SAMPLES):
        traces = space.traces[: min(int(span[1]) - start, MAX_SPAN_SAMPLES)]
        reader.read_into(traces, file_index, start - file_start)
        view = memoryview(traces.view(np.uint8).reshape(-1).data)
        if script is not None:
            render_in_place(traces, start, script, clipped, space)
            checksum = zlib.crc32(view, checksum)
        offset = (start - file_start) * reader.recording.bytes_per_sample
        written = 0
        with turn:
            while written < len(view):
                written += os.pwrite(descriptors[file_index], view[written:], offset + written)
    return checksum
