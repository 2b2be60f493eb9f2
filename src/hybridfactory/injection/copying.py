"""The source's bytes into the hybrid's files, in the background, and onto the disk as they come."""

import errno
import fcntl
import math
import mmap
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from hybridfactory.errors import RecordingError
from hybridfactory.injection.target_file import TargetFile, aligned_memory
from hybridfactory.progress import ProgressCallback
from hybridfactory.recording.flat import announce, read_fully

__all__ = [
    "IN_ONE_PASS",
    "ONE_PASS_SHARE",
    "OVER_COPY",
    "Copied",
    "copy_file",
    "copying",
    "flushing",
    "touched_share",
]

COPY_BYTES = 64 << 20
DIRECT_BYTES = 16 << 20
"""Pieces of a copy in the kernel, and of one that goes around the page cache."""

PIECES_AHEAD = 2
"""How far ahead of writing the system is told to read."""

FICLONE = 0x40049409
"""Linux's request that a file share all blocks of another."""

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
    source: Path,
    target: Path,
    *,
    advance: Callable[[int], None] = lambda count: None,
    stop: Event | None = None,
    enough: Event | None = None,
) -> int:
    """Copy a file's bytes: by sharing its blocks, around the page cache, or in the kernel, as the system can.

    Parameters
    ----------
    source, target : pathlib.Path
    advance : callable, optional
        Called with the number of bytes of each piece that is done.
    stop : threading.Event, optional
        Once it is set, the copy is left as it is.
    enough : threading.Event, optional
        Once it is set, the copy is left as it is if the rest can be written as fast by this process.

    Returns
    -------
    int
        Bytes that were copied, from the file's beginning.

    Raises
    ------
    RecordingError
        If the source becomes shorter on the way.
    """
    size = source.stat().st_size
    with source.open("rb", buffering=0) as reader, closing(TargetFile(target, is_new=True)) as writer:
        if _share_blocks(reader.fileno(), writer):
            advance(size)
            return size
        pieces = _around_cache if writer.is_direct else _in_kernel
        ends = [event for event in (stop, enough if writer.is_direct else None) if event is not None]
        copied = 0
        # Closed before the files are: a piece may be on its way into memory.
        with flushing([writer]), closing(pieces(reader.fileno(), writer, size)) as counts:
            for count in counts:
                copied += count
                advance(count)
                if any(event.is_set() for event in ends):
                    return copied
            if copied < size:
                raise RecordingError(
                    f"{source} became shorter while it was copied; run again when the recording is complete"
                )
    return copied


def _share_blocks(source: int, target: TargetFile) -> bool:
    """Let the target be the source's blocks until either is changed, if the file system can: no byte is copied."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target.descriptor, FICLONE, source)
    except OSError:
        return False  # whatever kept it from that, an ordinary copy will tell if it matters
    return True


def _around_cache(source: int, target: TargetFile, size: int) -> Generator[int]:
    """Copy in pieces, the source's pages themselves; yields their sizes: less in all if the source is."""
    for offset in range(0, size, DIRECT_BYTES):
        count = min(DIRECT_BYTES, size - offset)
        announce(source, offset + PIECES_AHEAD * DIRECT_BYTES, DIRECT_BYTES)
        if _write_pages(source, target, offset, count):
            yield count
            continue
        memory = aligned_memory(count).data
        found = read_fully(source, memory, offset)
        target.write(memory[:found], offset)
        yield found
        if found < count:
            return


def _write_pages(source: int, target: TargetFile, offset: int, count: int) -> bool:
    """Hand the pages that the system has of a file, or gets, to the disk, uncopied; False: it has to be read.

    This process itself never looks at the pages, so that a source that becomes shorter or cannot be read is an error
    of the call, and not a signal that ends the process.
    """
    try:
        pages = mmap.mmap(source, count, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ, offset=offset)
    except (OSError, ValueError):
        return False
    # Unmapped with the last view of them, which an error on its way still has.
    try:
        target.write(memoryview(pages), offset)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise
        return False
    # Behind a file's end, its last page holds zeros.
    return os.fstat(source).st_size >= offset + count


def _in_kernel(source: int, target: TargetFile, size: int) -> Generator[int]:
    """Copy in pieces that this process never sees; yields their sizes: less in all if the source is."""
    in_kernel = True
    while size:
        count = min(COPY_BYTES, size)
        try:
            if in_kernel:
                count = os.copy_file_range(source, target.descriptor, count)
            else:
                count = os.sendfile(target.descriptor, source, None, count)
        except OSError as error:
            if not in_kernel or error.errno not in NOT_IN_KERNEL:
                error.filename = error.filename or str(target.path)
                raise
            in_kernel = False
            continue
        if not count:
            return
        size -= count
        yield count


@contextmanager
def flushing(targets: Sequence[TargetFile]) -> Iterator[None]:
    """See onto the disk what the block writes to some files, while it goes on writing; all of it at the end.

    What goes through the page cache the system would keep there, and leave the disk idle, until it is told at the
    end that it matters.
    """
    # A lock is let go of in any case; between two lines that set an event, a signal may end the program.
    at_work = Lock()
    cached = [target.descriptor for target in targets if not target.is_direct]

    def flush() -> None:
        while cached and not at_work.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            for descriptor in cached:
                os.fdatasync(descriptor)

    with ThreadPoolExecutor(1) as pool:
        with at_work:
            future = pool.submit(flush)
            yield
        future.result()
    for target in targets:
        os.fsync(target.descriptor)


@dataclass(frozen=True)
class Copied:
    """How far a copy in the background came.

    Parameters
    ----------
    num_bytes : tuple of int
        Of each file, from its beginning.
    seconds : float
        That copying took.
    share : float
        Of all bytes.
    """

    num_bytes: tuple[int, ...]
    seconds: float
    share: float


@contextmanager
def copying(sources: Sequence[Path], targets: Sequence[Path]) -> Iterator[Callable[[ProgressCallback], Copied]]:
    """Copy files in the background while the block goes on with other work.

    Yields
    ------
    callable
        Called with a progress callback, it has an end put to the copy if the rest can be written as fast with the
        events in it, and waits until all is copied otherwise; how far the copy came.
    """
    stop, enough, done = Event(), Event(), [0]
    total = sum(source.stat().st_size for source in sources)

    def advance(count: int) -> None:
        done[0] += count

    def work() -> Copied:
        started = time.monotonic()
        counts = []
        for source, target in zip(sources, targets, strict=True):
            counts.append(copy_file(source, target, advance=advance, stop=stop, enough=enough))
        return Copied(tuple(counts), time.monotonic() - started, sum(counts) / max(total, 1))

    def finish(progress: ProgressCallback) -> Copied:
        enough.set()
        while not future.done():
            progress("copying", done[0], max(total, 1))
            futures.wait([future], timeout=SECONDS_BETWEEN_LOOKS)
        return future.result()

    with ThreadPoolExecutor(1) as pool:
        try:
            future = pool.submit(work)
            yield finish
        finally:
            stop.set()
