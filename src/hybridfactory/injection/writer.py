"""Hybrid files on disk: touched ranges rendered over a copy of the source, and what is not copied in one pass."""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.injection.copying import flushing
from hybridfactory.injection.journal import Journal
from hybridfactory.injection.regions import Region, Regions, cut_at_grid, regions_of
from hybridfactory.injection.render import Workspace, render_in_place
from hybridfactory.injection.script import InjectionScript
from hybridfactory.injection.target_file import TargetFile, open_targets
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatReader, FlatRecording
from hybridfactory.recording.side_by_side import side_by_side

__all__ = ["Rendered", "render_into", "restore_into"]

REGIONS_PER_TASK = 64

NUM_WRITERS = 4
"""More than there may be processors: a writer waits for the disk half its time."""


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
    copied: Sequence[int] | None = None,
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
    copied : sequence of int, optional
        How many bytes of each target, from its beginning, are the source's already, so that only touched ranges
        need to be written over them; the rest is written whole, in one pass. Default: all bytes. What the files
        hold in the end is the same.
    progress : callable, optional

    Returns
    -------
    Rendered
    """
    clipped = np.zeros(script.samples.size, dtype=np.int32)
    ranges = cut_at_grid(script.ranges(), recording)
    if copied is not None:
        _lengthen(targets, recording)
    regions = regions_of(ranges, recording, copied)
    checksums = _over_regions(targets, recording, regions, script, clipped, "injecting", progress)
    return Rendered(clipped, Journal(ranges, checksums))


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
    regions = regions_of(cut_at_grid(ranges, recording), recording)
    _over_regions(targets, recording, regions, None, None, "taking events back", progress)


def _lengthen(targets: tuple[Path, ...], recording: FlatRecording) -> None:
    """Give files their full length, with what follows the source's last whole sample at their ends."""
    for target, file in zip(targets, recording.files, strict=True):
        size = file.num_samples * recording.bytes_per_sample
        with target.open("ab") as stream:
            stream.truncate(size)
            if file.num_trailing_bytes:
                with file.path.open("rb") as source:
                    source.seek(size)
                    stream.write(source.read(file.num_trailing_bytes))


def _over_regions(
    paths: tuple[Path, ...],
    recording: FlatRecording,
    regions: Regions,
    script: InjectionScript | None,
    clipped: NDArray[np.int32] | None,
    step: str,
    progress: ProgressCallback,
) -> NDArray[np.uint32]:
    """Write the source's samples of each region into the targets; if there is a script, rendered, with CRC-32."""
    checksums = np.zeros(len(regions.ranges), dtype=np.uint32)
    shares = [slice(first, first + REGIONS_PER_TASK) for first in range(0, len(regions), REGIONS_PER_TASK)]
    spaces: SimpleQueue[Workspace] = SimpleQueue()
    for _ in range(NUM_WRITERS):
        spaces.put(Workspace(int(np.diff(regions.samples).max(initial=0)), recording))
    with recording.reader() as reader, open_targets(paths) as targets, flushing(targets):
        _refuse_sources(targets, reader)

        def work(share: slice) -> tuple[int, NDArray[np.int32], list[int]]:
            space = spaces.get()
            # An event may reach over a cut into another task's region, so each task counts for itself.
            first, last = script.events_in(*regions.extent(share)) if script else (0, 0)
            part = script.part(first, last) if script else None
            counts = np.zeros(last - first, dtype=np.int32)
            found: list[int] = []
            try:
                for region in regions.part(share):
                    found += _write_region(reader, targets[region.file_index], region, part, counts, space)
            finally:
                # Also after an error: the next call would wait for it forever.
                spaces.put(space)
            return first, counts, found

        summed = 0
        done = np.cumsum(np.diff(regions.bytes, axis=1))
        with side_by_side(work, shares, num_workers=NUM_WRITERS) as results:
            for share, (first, counts, found) in zip(shares, results, strict=True):
                checksums[summed : summed + len(found)] = found
                summed += len(found)
                if clipped is not None:
                    clipped[first : first + counts.size] += counts
                progress(step, int(done[: share.stop][-1]), int(done[-1]))
    return checksums


def _refuse_sources(targets: list[TargetFile], reader: FlatReader) -> None:
    """Look at the opened files themselves, whatever links lead to them: nothing is ever written to a source."""
    for target in targets:
        status = os.fstat(target.descriptor)
        for file, source in zip(reader.recording.files, reader.descriptors, strict=False):
            if os.path.sameopenfile(target.descriptor, source):
                raise OutputError(f"{target.path} is the source {file.path} itself, which is never written to")
        for path in () if reader.descriptors else reader.recording.source_files:
            if os.path.samestat(status, path.stat()):
                raise OutputError(f"{target.path} is the source {path} itself, which is never written to")


def _write_region(
    reader: FlatReader,
    target: TargetFile,
    region: Region,
    script: InjectionScript | None,
    clipped: NDArray[np.int32],
    space: Workspace,
) -> list[int]:
    """Write one region; if there is a script, rendered, with the CRC-32 of each range in it."""
    traces = space.traces(region.stop - region.start, region.start)
    reader.read_into(traces, region.file_index, region.start)
    view = memoryview(traces.view(np.uint8).reshape(-1).data)
    checksums = []
    if script is not None:
        file_start = reader.recording.files[region.file_index].start_sample
        render_in_place(traces, file_start + region.start, script, clipped, space)
        checksums = [zlib.crc32(view[first:last]) for first, last in region.places]
    begin = region.start * reader.recording.bytes_per_sample
    target.write(view[region.first_byte - begin : region.last_byte - begin], region.first_byte)
    return checksums
