"""The source's bytes into the hybrid's files, in the background, and onto the disk as they come."""

import errno
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from hybridfactory.errors import RecordingError
from hybridfactory.progress import ProgressCallback

__all__ = ["IN_ONE_PASS", "ONE_PASS_SHARE", "OVER_COPY", "copy_file", "copying", "flushing", "touched_share"]

COPY_BYTES = 64 << 20
ONE_PASS_SHARE = 0.5
"""Where more than that is touched, writing over a copy would put most of it onto the disk twice."""

OVER_COPY, IN_ONE_PASS = "over a copy of the source", "in one pass"
"""The ways to write a hybrid, as logs and manifests name them."""

SECONDS_BETWEEN_LOOKS = 0.1

NOT_IN_KERNEL = frozenset({errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
"""What `copy_file_range` answers where a file system cannot do it; a plain copy then can."""


def touched_share(num_events: float, width: int, num_samples: int) -> float:
    """Share of a recording that lies in the windows of so many events at random times."""
    return -math.expm1(-num_events * width / num_samples)


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
    with (
        source.open("rb", buffering=0) as reader,
        target.open("wb", buffering=0) as writer,
        flushing([writer.fileno()]),
    ):
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
def flushing(descriptors: Sequence[int]) -> Iterator[None]:
    """See onto the disk what the block writes to some files, while it goes on writing; all of it at the end.

    The system would keep gigabytes in memory, and leave the disk idle, until it is told at the end that they matter.
    """
    stop = Event()

    def flush() -> None:
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            for descriptor in descriptors:
                os.fdatasync(descriptor)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(flush)
        try:
            yield
        finally:
            stop.set()
        future.result()
    for descriptor in descriptors:
        os.fsync(descriptor)


@contextmanager
def copying(sources: Sequence[Path], targets: Sequence[Path]) -> Iterator[Callable[[ProgressCallback], float]]:
    """Copy files in the background while the block goes on with other work.

    Yields
    ------
    callable
        Called with a progress callback, it waits until all is copied; the seconds that copying took.
    """
    stop, done = Event(), [0]
    total = sum(source.stat().st_size for source in sources)

    def advance(count: int) -> None:
        done[0] += count

    def work() -> float:
        started = time.monotonic()
        for source, target in zip(sources, targets, strict=True):
            copy_file(source, target, advance=advance, stop=stop)
        return time.monotonic() - started

    def wait(progress: ProgressCallback) -> float:
        while not future.done():
            progress("copying", done[0], max(total, 1))
            futures.wait([future], timeout=SECONDS_BETWEEN_LOOKS)
        return future.result()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            yield wait
        finally:
            stop.set()
