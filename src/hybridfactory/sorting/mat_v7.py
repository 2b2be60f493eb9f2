"""MATLAB v7 files and older, through scipy."""

import math
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from hybridfactory.errors import SortingError

__all__ = ["MatV7"]

# v7 compresses with deflate, which can shrink a block to 1/1032 at most.
LARGEST_RATIO = 1100

DAMAGE = (
    AssertionError,
    AttributeError,
    NameError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    zlib.error,
    scipy.io.matlab.MatReadError,
)


class MatV7:
    """A v7 (or older) file; the named variables are read at once, which is the only way."""

    def __init__(self, path: Path, variables: Sequence[str]) -> None:
        self.path = path
        try:
            with path.open("rb") as file, warnings.catch_warnings():
                # scipy warns of variables it cannot read; one that is needed is missed below.
                warnings.simplefilter("ignore", UserWarning)
                stated = scipy.io.whosmat(file)
                self._refuse_absurd(stated)
                file.seek(0)
                found = scipy.io.loadmat(file, variable_names=list(variables), struct_as_record=True)
        except SortingError:
            raise
        except NotImplementedError as error:
            raise SortingError(
                f"{path}: is cut short: it has a MATLAB v7.3 heading and nothing more; copy it again"
            ) from error
        except DAMAGE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SortingError(
                f"{path}: not a MATLAB file, damaged or cut short ({reason}); "
                "copy it again or save it from MATLAB again"
            ) from error
        self._names = frozenset(name for name, _, _ in stated)
        self._values: dict[str, Any] = {name: found[name] for name in variables if name in found}

    def close(self) -> None:
        """Nothing is open: all was read at once."""

    def _refuse_absurd(self, stated: list[tuple[str, tuple[int, ...], str]]) -> None:
        room = LARGEST_RATIO * self.path.stat().st_size
        for name, shape, _ in stated:
            if math.prod(shape) > room:
                raise SortingError(
                    f"{self.path}: {name} claims the shape {shape}, more than the file can hold; "
                    "save the file from MATLAB again"
                )

    def fields(self, name: str = "") -> frozenset[str]:
        """Return the names of a struct's fields, or of the file's variables."""
        if not name:
            return self._names
        node = self._find(name)
        return frozenset(node.dtype.names or ()) if isinstance(node, np.ndarray) else frozenset()

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a numeric array with MATLAB's axes, or None."""
        node = self._find(name)
        return node if isinstance(node, np.ndarray) and node.dtype.kind in "biuf" else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a char array, or a cell array of them, as strings."""
        node = self._find(name)
        if not isinstance(node, np.ndarray) or node.dtype.names:
            return ()
        cells = node.reshape(-1) if node.dtype.kind == "O" else [node]
        return tuple(
            str(text).rstrip()
            for cell in cells
            if isinstance(cell, np.ndarray) and cell.dtype.kind == "U"
            for text in cell.reshape(-1)
        )

    def _find(self, name: str) -> Any:
        first, *rest = name.split("/")
        node = self._values.get(first)
        for part in rest:
            if not isinstance(node, np.ndarray) or part not in (node.dtype.names or ()) or not node.size:
                return None
            node = node.reshape(-1)[0][part]
        return node
