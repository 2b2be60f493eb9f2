"""Archives of arrays. They are read without trust: no pickles, and no memory for what the file does not hold."""

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

__all__ = ["NpzDamageError", "read_npz", "write_npz"]

# What this program writes is not compressed; others may, but no archive of numbers shrinks to less than that.
LARGEST_RATIO = 50
LARGEST_MEMBER_COUNT = 1000


class NpzDamageError(Exception):
    """The text says what is wrong; whoever reads the file knows which, and what to do about it."""


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]], *, is_compressed: bool = False) -> None:
    """Write arrays as `numpy.savez` does, and let go of the file in any case.

    Some versions of NumPy leave the archive open where the disk is full, and Python tells of it long after.

    Parameters
    ----------
    path : pathlib.Path
    arrays : mapping of str to numpy.ndarray
    is_compressed : bool
    """
    method = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy_format.write_array(stream, values, allow_pickle=False)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an archive.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    NpzDamageError
        It is no archive of arrays, is damaged, holds Python objects, or promises more than it can hold.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive, warnings.catch_warnings():
            # A header that Python 2 wrote reads well.
            warnings.simplefilter("ignore", UserWarning)
            members = archive.infolist()
            _refuse_bombs(members, path.stat().st_size)
            return {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in members
                if member.filename.endswith(".npy")
            }
    except (
        OSError,
        ValueError,
        EOFError,
        TypeError,
        KeyError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        SyntaxError,
        MemoryError,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise NpzDamageError(" ".join(str(error).split()) or type(error).__name__) from error


def _refuse_bombs(members: list[zipfile.ZipInfo], file_bytes: int) -> None:
    promised = sum(member.file_size for member in members)
    if promised > LARGEST_RATIO * file_bytes or len(members) > LARGEST_MEMBER_COUNT:
        raise NpzDamageError(f"its {len(members)} parts promise {promised} bytes, the file has {file_bytes}")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        shape, dtype = _read_header(stream)
    claimed = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or claimed > member.file_size:
        raise NpzDamageError(f"{member.filename} promises {claimed} bytes of {dtype}, it holds {member.file_size}")
    with archive.open(member) as stream:
        return np.asarray(npy_format.read_array(stream, allow_pickle=False))


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if npy_format.read_magic(stream) == (1, 0):
        shape, _, dtype = npy_format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = npy_format.read_array_header_2_0(stream)
    return shape, dtype
