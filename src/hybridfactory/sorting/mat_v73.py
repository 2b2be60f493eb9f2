"""MATLAB v7.3 files: HDF5 with the axes reversed, text as uint16, cells as object references."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError

__all__ = ["MatV73"]

# MATLAB compresses with deflate, which can shrink a block to 1/1032 at most.
LARGEST_RATIO = 1100
SMALL_ENOUGH_BYTES = 2**20


class MatV73:
    """A v7.3 file, read one dataset at a time.

    Nothing is followed out of the file: links, external storage and virtual datasets are refused. MATLAB
    writes none of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _damage(path):
            self._file = h5py.File(path, "r", locking="best-effort")
            self._file_bytes = path.stat().st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def fields(self, name: str = "") -> frozenset[str]:
        """Return the names of a struct's fields, or of the file's variables."""
        with _damage(self.path):
            node = self._find(name)
            # A damaged name comes as bytes.
            return frozenset(map(str, node)) if isinstance(node, h5py.Group) else frozenset()

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a numeric array with MATLAB's axes, or None."""
        with _damage(self.path):
            node = self._find(name)
            if not isinstance(node, h5py.Dataset) or _matlab_class(node) in ("char", "cell"):
                return None
            values = self._read(node)
            return values if values.dtype.kind in "biuf" else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a char array, or a cell array of them, as strings."""
        with _damage(self.path):
            node = self._find(name)
            if not isinstance(node, h5py.Dataset):
                return ()
            if _matlab_class(node) != "cell":
                return self._text(node)
            cells = [self._file[reference] for reference in self._read(node).reshape(-1) if reference]
            return tuple(text for cell in cells for text in self._text(cell))

    def _find(self, name: str) -> h5py.Group | h5py.Dataset | None:
        node: Any = self._file
        for part in filter(None, name.split("/")):
            key = part.encode()
            if not isinstance(node, h5py.Group) or not node.id.links.exists(key):
                return None
            if node.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                raise SortingError(
                    f"{self.path}: {name.replace('/', '.')} is a link to somewhere else, "
                    "which MATLAB never writes; save the file from MATLAB again"
                )
            node = node[part]
        return node

    def _read(self, dataset: h5py.Dataset) -> NDArray[Any]:
        if dataset.attrs.get("MATLAB_empty", 0):
            return np.zeros(0)
        if dataset.external or dataset.is_virtual:
            raise SortingError(
                f"{self.path}: {dataset.name} keeps its values in another file, which MATLAB never does; "
                "save the file from MATLAB again"
            )
        stored = dataset.id.get_storage_size()
        if stored > self._file_bytes or dataset.nbytes > max(SMALL_ENOUGH_BYTES, LARGEST_RATIO * stored):
            raise SortingError(
                f"{self.path}: {dataset.name} claims {dataset.nbytes} bytes, but the file stores {stored} "
                "for it; save the file from MATLAB again"
            )
        return np.asarray(dataset[()]).T

    def _text(self, node: Any) -> tuple[str, ...]:
        if not isinstance(node, h5py.Dataset) or _matlab_class(node) != "char":
            return ()
        codes = self._read(node)
        if codes.size == 0 or codes.dtype.kind not in "iu":
            return ()
        # One string per row of MATLAB's char matrix.
        return tuple("".join(map(chr, row)).rstrip() for row in np.atleast_2d(codes))


def _matlab_class(dataset: h5py.Dataset) -> str:
    name = dataset.attrs.get("MATLAB_class", b"")
    return name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except SortingError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SortingError(
            f"{path}: damaged or cut short ({reason}); copy it again or save it from MATLAB again"
        ) from error
