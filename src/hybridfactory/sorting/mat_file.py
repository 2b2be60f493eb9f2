"""MATLAB files of either generation behind one face: variables by name, in MATLAB's own orientation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, SortingError

__all__ = ["MatFile", "open_mat", "positive_number", "reader_of", "require_numbers"]

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
HDF5_OFFSETS = (0, 512, 1024, 2048, 4096)
"""Where the signature may stand; MATLAB puts it after a heading of 512 bytes."""


class MatFile(Protocol):
    """An open MATLAB file. Names of fields are paths: ``"rez/ops/fs"``."""

    path: Path

    def fields(self, name: str = "") -> frozenset[str]:
        """Return the names of a struct's fields, or of the file's variables; empty if it is no struct."""

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a numeric array with MATLAB's axes; None if there is none of that name."""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a char array, or a cell array of them, as strings; empty if there is none."""

    def close(self) -> None:
        """Close the file."""


@contextmanager
def open_mat(path: Path, variables: Sequence[str]) -> Iterator[MatFile]:
    """Open a MATLAB file, v7.3 (HDF5) or v7 and older.

    It is read in a process of its own: on damaged files the libraries that know these formats may crash, never come
    to an end, or ask for any amount of memory.

    Parameters
    ----------
    path : pathlib.Path
    variables : sequence of str
        The variables that will be asked for: v7 files have to be read as a whole, variable by variable.

    Raises
    ------
    MissingFileError, SortingError
    """
    from hybridfactory.sorting.mat_process import MatProcess  # noqa: PLC0415

    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; check data_directory")
    with MatProcess(path, variables) as mat:
        yield mat


def reader_of(path: Path) -> Callable[[Path, Sequence[str]], MatFile]:
    """Import what reads a file of this generation: h5py and scipy.io take a while, and only one is needed."""
    if _is_hdf5(path):
        from hybridfactory.sorting.mat_v73 import MatV73  # noqa: PLC0415

        return lambda path, _variables: MatV73(path)
    from hybridfactory.sorting.mat_v7 import MatV7  # noqa: PLC0415

    return MatV7


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        for offset in HDF5_OFFSETS:
            stream.seek(offset)
            if stream.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
                return True
    return False


def require_numbers(mat: MatFile, name: str, advice: str) -> NDArray[Any]:
    """Return an array that the format cannot do without."""
    values = mat.numbers(name)
    if values is None:
        raise SortingError(f"{mat.path}: holds no {name.replace('/', '.')}; {advice}")
    return values


def positive_number(mat: MatFile, name: str) -> float | None:
    """Return a positive number if the file states one of that name."""
    values = mat.numbers(name)
    if values is None or values.size != 1:
        return None
    value = float(values.reshape(-1)[0])
    return value if 0 < value < float("inf") else None
