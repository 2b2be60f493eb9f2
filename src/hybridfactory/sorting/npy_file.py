"""Read npy files without trusting them: no pickles, and no allocation that the file does not back."""

import math
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, SortingError

__all__ = ["NpyDamageError", "NpyHeader", "open_npy", "parse_npy_header", "read_npy_header"]

UNREADABLE = (
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    SyntaxError,
    MemoryError,
    OverflowError,
    RecursionError,
    tokenize.TokenError,
)
"""What NumPy raises for headers that are none."""

LONGEST_OF_NOTHING = 1_000_000
"""Longest axis of an array without numbers: what is made to fit it would take memory that no file stands for."""


@dataclass(frozen=True)
class NpyHeader:
    """What an npy file says of its array, and where the numbers start (bytes)."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int


class NpyDamageError(Exception):
    """The text says what is wrong; whoever reads the file knows which, and what to do about it."""


def read_npy_header(path: Path) -> NpyHeader:
    """Read and check an npy file's header.

    Raises
    ------
    MissingFileError
        No such file.
    SortingError
        Not an npy file, Python objects instead of numbers, or fewer bytes than the header claims.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; export the sorting again, with all its files")
    try:
        header = parse_npy_header(path)
    except PermissionError:
        raise
    except OSError as error:
        raise SortingError(f"{path}: cannot be read ({error.strerror}); copy the file again") from error
    except NpyDamageError as error:
        raise SortingError(f"{path}: {error}; export the sorting again") from error
    if header.dtype.kind not in "iuf":
        raise SortingError(f"{path}: holds {header.dtype} values, not numbers; export the sorting again")
    return header


def parse_npy_header(path: Path) -> NpyHeader:
    """Read an npy file's header, and check that the file holds what it promises.

    Raises
    ------
    NpyDamageError
        Not an npy file, or fewer bytes than the header claims.
    OSError
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # Files written by Python 2 read well; that numpy has to try twice is of no use to anyone.
            warnings.simplefilter("ignore", UserWarning)
            version = npy_format.read_magic(file)
            if version == (1, 0):
                shape, fortran_order, dtype = npy_format.read_array_header_1_0(file)
            else:
                shape, fortran_order, dtype = npy_format.read_array_header_2_0(file)
            header = NpyHeader(shape, fortran_order, dtype, file.tell())
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NpyDamageError(f"not a readable npy file ({reason})") from error
    claimed = math.prod(header.shape) * header.dtype.itemsize
    held = path.stat().st_size - header.offset
    if min(header.shape, default=0) < 0 or claimed > held:
        raise NpyDamageError(f"is cut short: its header promises {claimed} bytes of numbers, it holds {held}")
    if claimed == 0 and max(header.shape, default=0) > LONGEST_OF_NOTHING:
        raise NpyDamageError(f"holds no numbers, though its header says that it has the shape {header.shape}")
    return header


def open_npy(path: Path) -> NDArray[Any]:
    """Open an npy file's numbers as a read-only memory map (an empty array if it holds none)."""
    header = read_npy_header(path)
    order: Any = "F" if header.fortran_order else "C"
    try:
        if math.prod(header.shape) == 0:
            return np.empty(header.shape, header.dtype, order=order)
        return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)
    except (OSError, ValueError) as error:
        raise SortingError(f"{path}: cannot be read ({error}); copy the file again") from error
