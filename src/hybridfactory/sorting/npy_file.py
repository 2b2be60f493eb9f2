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

__all__ = ["NpyHeader", "open_npy", "read_npy_header"]


@dataclass(frozen=True)
class NpyHeader:
    """What an npy file says of its array, and where the numbers start (bytes)."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int


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
        with path.open("rb") as file, warnings.catch_warnings():
            # Files written by Python 2 read well; that numpy has to try twice is of no use to anyone.
            warnings.simplefilter("ignore", UserWarning)
            version = npy_format.read_magic(file)
            if version == (1, 0):
                shape, fortran_order, dtype = npy_format.read_array_header_1_0(file)
            else:
                shape, fortran_order, dtype = npy_format.read_array_header_2_0(file)
            header = NpyHeader(shape, fortran_order, dtype, file.tell())
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise SortingError(f"{path}: not a readable npy file ({reason}); export the sorting again") from error
    if header.dtype.kind not in "iuf":
        raise SortingError(f"{path}: holds {header.dtype} values, not numbers; export the sorting again")
    claimed = math.prod(header.shape) * header.dtype.itemsize
    held = path.stat().st_size - header.offset
    if min(header.shape, default=0) < 0 or claimed > held:
        raise SortingError(
            f"{path}: is cut short: its header promises {claimed} bytes of numbers, it holds {held}; "
            "copy the file again"
        )
    return header


def open_npy(path: Path) -> NDArray[Any]:
    """Open an npy file's numbers as a read-only memory map (an empty array if it holds none)."""
    header = read_npy_header(path)
    order: Any = "F" if header.fortran_order else "C"
    if math.prod(header.shape) == 0:
        return np.empty(header.shape, header.dtype, order=order)
    try:
        return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)
    except (OSError, ValueError) as error:
        raise SortingError(f"{path}: cannot be read ({error}); copy the file again") from error
