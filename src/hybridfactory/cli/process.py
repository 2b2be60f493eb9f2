"""What the program sets for its whole process before it learns units, as a library must not."""

import ctypes
import os

__all__ = ["prepare_to_learn"]

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # as glibc's malloc.h names them
LARGEST_KEPT_BLOCK = 32 << 20
MOST_KEPT = 96 << 20


def prepare_to_learn() -> None:
    """Keep freed memory for the next step, and start no threads for matrix products.

    Fits use arrays of some megabytes for some milliseconds each. Memory that comes fresh from the system, page by
    page, costs a sixth of their time. They run side by side with one thread each; those that OpenBLAS starts when
    NumPy is loaded would only wait, at full speed. Where the C library or the matrix library is another, or NumPy is
    there already, nothing is changed.
    """
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = threads or "1"
    import numpy as np  # noqa: F401

    if threads is None:
        del os.environ["OPENBLAS_NUM_THREADS"]  # it is not for programs that this one starts
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
        mallopt(TRIM_THRESHOLD, MOST_KEPT)
        mallopt(ARENA_MAX, 1)
