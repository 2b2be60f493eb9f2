"""Hybrid files on disk: a copy of the source with the touched ranges rendered over it."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import RecordingError
from hybridfactory.injection.render import MAX_SPAN_SAMPLES, render
from hybridfactory.injection.script import InjectionScript
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatReader, FlatRecording

__all__ = ["copy_file", "copying", "render_into", "restore_into"]

COPY_BYTES = 64 << 20
NUM_WORKERS = 2
SECONDS_BETWEEN_LOOKS = 0.1
SPANS_PER_TASK = 64

NOT_IN_KERNEL = frozenset({errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
"""What `copy_file_range` answers where a file system cannot do it; a plain copy then can."""


def copy_file(
    source: Path, target: Path, *, advance: Callable[[int], None] = lambda count: None, stop: Event | None = None
) -> None:
    """Copy a file's bytes, in the kernel where the system can (at no cost at all where it can share blocks).

    Parameters
    ----------
    source, target : pathlib.Path
    advance : callable, optional
        Called with the number of bytes of each piece that is done.
    stop : threading.Event, optional
        Once it is set, the copy is left as it is.

    Raises
    ------
    RecordingError
        If the source becomes shorter on the way.
    """
    left = source.stat().st_size
    in_kernel = True
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while left and not (stop is not None and stop.is_set()):
            count = min(COPY_BYTES, left)
            try:
                if in_kernel:
                    count = os.copy_file_range(reader.fileno(), writer.fileno(), count)
                else:
                    count = os.sendfile(writer.fileno(), reader.fileno(), None, count)
            except OSError as error:
                if not in_kernel or error.errno not in NOT_IN_KERNEL:
                    error.filename = error.filename or str(target)
                    raise
                in_kernel = False
                continue
            if not count:
                raise RecordingError(
                    f"{source} became shorter while it was copied; run again when the recording is complete"
                )
            left -= count
            advance(count)


@contextmanager
def copying(sources: Sequence[Path], targets: Sequence[Path]) -> Iterator[Callable[[ProgressCallback], None]]:
    """Copy files in the background while the block goes on with other work.

    Yields
    ------
    callable
        Called with a progress callback, it waits until all is copied.
    """
    stop, done = Event(), [0]
    total = sum(source.stat().st_size for source in sources)

    def advance(count: int) -> None:
        done[0] += count

    def work() -> None:
        for source, target in zip(sources, targets, strict=True):
            copy_file(source, target, advance=advance, stop=stop)

    def wait(progress: ProgressCallback) -> None:
        while not future.done():
            progress("copying", done[0], max(total, 1))
            futures.wait([future], timeout=SECONDS_BETWEEN_LOOKS)
        future.result()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            yield wait
        finally:
            stop.set()


def render_into(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    script: InjectionScript,
    *,
    progress: ProgressCallback = no_progress,
) -> NDArray[np.int32]:
    """Write every touched range of the hybrid over copies of the source, and see it onto the disk.

    Parameters
    ----------
    targets : tuple of pathlib.Path
        One per file of the recording, of the same size.
    recording : FlatRecording
        The source.
    script : InjectionScript

    Returns
    -------
    numpy.ndarray of int32, shape (num_events,)
        Clipped samples of every event, in the script's order.
    """
    clipped = np.zeros(script.samples.size, dtype=np.int32)
    spans = script.spans(MAX_SPAN_SAMPLES)
    _over_spans(targets, recording, spans, script, clipped, "injecting", progress)
    return clipped


def restore_into(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    script: InjectionScript,
    *,
    progress: ProgressCallback = no_progress,
) -> None:
    """Take an earlier run's changes back: its touched ranges become the source's bytes again.

    The cost grows with the number of events, not with the length of the recording.
    """
    spans = script.spans(MAX_SPAN_SAMPLES)
    _over_spans(targets, recording, spans, None, None, "taking back the earlier run", progress)


def _over_spans(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    spans: NDArray[np.int64],
    script: InjectionScript | None,
    clipped: NDArray[np.int32] | None,
    step: str,
    progress: ProgressCallback,
) -> None:
    """Write the source's samples of each span, rendered if there is a script, into the targets."""
    if len(spans) == 0:
        return
    files = recording.file_of(spans[:, 0])
    shares = np.array_split(np.arange(len(spans)), -(-len(spans) // SPANS_PER_TASK))
    descriptors = [os.open(target, os.O_WRONLY) for target in targets]
    try:
        with recording.reader() as reader, ThreadPoolExecutor(NUM_WORKERS) as pool:

            def work(share: NDArray[np.int64]) -> tuple[int, NDArray[np.int32]] | None:
                if script is None:
                    for index in share:
                        _write_span(reader, descriptors, int(files[index]), spans[index], None, None)
                    return None
                # An event may reach over a cut into another task's span, so each task counts for itself.
                first, last = script.events_in(int(spans[share[0], 0]), int(spans[share[-1], 1]))
                part = script.part(first, last)
                counts = np.zeros(last - first, dtype=np.int32)
                for index in share:
                    _write_span(reader, descriptors, int(files[index]), spans[index], part, counts)
                return first, counts

            done = 0
            for share, result in zip(shares, pool.map(work, shares), strict=True):
                if clipped is not None and result is not None:
                    first, counts = result
                    clipped[first : first + counts.size] += counts
                done += len(share)
                progress(step, done, len(spans))
        for descriptor in descriptors:
            os.fsync(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _write_span(
    reader: FlatReader,
    descriptors: list[int],
    file_index: int,
    span: NDArray[np.int64],
    script: InjectionScript | None,
    clipped: NDArray[np.int32] | None,
) -> None:
    start, stop = int(span[0]), int(span[1])
    file_start = reader.recording.files[file_index].start_sample
    traces = reader.read(file_index, start - file_start, stop - file_start)
    if script is not None:
        traces = render(traces, start, script, clipped)
    view = memoryview(traces.view(np.uint8).reshape(-1).data)
    offset = (start - file_start) * reader.recording.bytes_per_sample
    written = 0
    while written < len(view):
        written += os.pwrite(descriptors[file_index], view[written:], offset + written)
