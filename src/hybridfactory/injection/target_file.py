"""Files that hybrids are written into: around the system's page cache where a disk of its own takes them."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAGE_BYTES", "TargetFile", "aligned_memory", "open_targets"]

PAGE_BYTES = 4096
"""What is written around the page cache begins and ends at multiples of it, in the file and in memory."""


def aligned_memory(num_bytes: int) -> NDArray[np.uint8]:
    """Memory that begins with a page; shape (num_bytes,)."""
    memory = np.empty(num_bytes + PAGE_BYTES, dtype=np.uint8)
    first = -memory.ctypes.data % PAGE_BYTES
    return memory[first : first + num_bytes]


class TargetFile:
    """A file that is written at given places, by several threads.

    A hybrid as large as its source fills the system's memory with pages that nobody will read soon, and to hand
    them out takes the processor longer than all else that writing needs. Where the file lies on a disk (and not
    on a network, in memory, or in layers), whole pages go to it directly.

    Parameters
    ----------
    path : pathlib.Path
    is_new : bool
        Whether the file is created, or emptied.
    """

    def __init__(self, path: Path, *, is_new: bool = False) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_WRONLY | (os.O_CREAT | os.O_TRUNC if is_new else 0), 0o666)
        try:
            self._direct = _open_directly(path, self.descriptor)
        except OSError:
            os.close(self.descriptor)
            raise
        # The system lets one thread at a time write through the cache; it would have the others wait at full speed.
        self._turn = Lock()

    @property
    def is_direct(self) -> bool:
        """Whether whole pages are written around the page cache."""
        return self._direct is not None

    def write(self, view: memoryview, offset: int) -> None:
        """Write all bytes of a view at `offset`; directly what lies at the same place within a page as in memory.

        Raises
        ------
        OSError
            As the system has it, with the file's name.
        """
        written = 0
        try:
            while written < len(view):
                place = offset + written
                count = (len(view) - written) // PAGE_BYTES * PAGE_BYTES if place % PAGE_BYTES == 0 else 0
                if self._direct is not None and count:
                    written += self._write_directly(self._direct, view[written : written + count], place)
                else:
                    with self._turn:
                        written += os.pwrite(self.descriptor, view[written:], place)
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def _write_directly(self, direct: int, view: memoryview, offset: int) -> int:
        try:
            return os.pwrite(direct, view, offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            with self._turn:  # a disk with larger pages takes it through the cache
                return os.pwrite(self.descriptor, view, offset)

    def close(self) -> None:
        """Give the file back to the system, which need not have seen all of it onto the disk."""
        os.close(self.descriptor)
        if self._direct is not None:
            os.close(self._direct)


def _open_directly(path: Path, descriptor: int) -> int | None:
    """Open a file around the page cache if it lies on a disk that can; networks and layers have no device number."""
    flag = getattr(os, "O_DIRECT", None)
    if flag is None or os.major(os.fstat(descriptor).st_dev) == 0:
        return None
    try:
        return os.open(path, os.O_WRONLY | flag)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        return None


@contextmanager
def open_targets(paths: Sequence[Path]) -> Iterator[list[TargetFile]]:
    """Open files that exist, for as long as the context lasts."""
    with ExitStack() as stack:
        targets = []
        for path in paths:
            target = TargetFile(path)
            stack.callback(target.close)
            targets.append(target)
        yield targets
