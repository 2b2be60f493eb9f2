"""A MATLAB file that another process reads: whatever the file does to that process, this one lives."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError

__all__ = ["READY", "MatProcess"]

READY = b"ready\n"
"""What the other process says once it has limits and has loaded what reads."""

AGAIN = "copy it again or save it from MATLAB again"


class MatProcess:
    """A MATLAB file, opened in a process that ends with the block.

    Parameters
    ----------
    path : pathlib.Path
    variables : sequence of str
        As in `open_mat`.
    """

    def __init__(self, path: Path, variables: Sequence[str]) -> None:
        self.path = path
        with path.open("rb"):
            pass  # who may not read it is told so here
        # -P: the current folder must not provide modules.
        command = [sys.executable, "-P", "-m", "hybridfactory.sorting.mat_server", str(path), *variables]
        found = os.pathsep.join(folder for folder in sys.path if folder)
        self._process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": found, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._stdin, self._stdout = cast("BinaryIO", self._process.stdin), cast("BinaryIO", self._process.stdout)
        if self._stdout.readline() != READY:
            code = self._process.wait()
            self.close()
            raise SortingError(
                f"{path}: the process that reads MATLAB files did not start (exit code {code}); check that "
                f"{sys.executable} runs, and that memory is left"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def fields(self, name: str = "") -> frozenset[str]:
        """Return the names of a struct's fields, or of the file's variables."""
        return frozenset(self._ask("fields", name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a char array, or a cell array of them, as strings."""
        return tuple(self._ask("texts", name))

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a numeric array with MATLAB's axes, or None."""
        described = self._ask("numbers", name)
        if described is None:
            return None
        dtype, shape, order = described
        values = np.empty(shape[::-1] if order == "F" else shape, dtype)
        if values.size:
            self._fill(values.reshape(-1).view(np.uint8).data)
        return values.T if order == "F" else values

    def _ask(self, kind: str, name: str) -> Any:
        try:
            self._stdin.write(json.dumps([kind, name]).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise self._broken() from error
        line = self._stdout.readline()
        if not line.endswith(b"\n"):
            raise self._broken()
        reply = json.loads(line)
        if "refused" in reply:
            raise SortingError(reply["refused"])
        return reply[kind]

    def _fill(self, view: memoryview) -> None:
        filled = 0
        while filled < len(view):
            count = self._stdout.readinto(view[filled:])  # type: ignore[attr-defined]
            if not count:
                raise self._broken()
            filled += count

    def _broken(self) -> SortingError:
        code = self._process.wait()
        if -code == getattr(signal, "SIGXCPU", None):
            reason = "reading it comes to no end"
        elif code < 0:
            reason = f"reading it ends in signal {-code}"
        else:
            reason = "what reads it gives up"
        return SortingError(f"{self.path}: is damaged ({reason}); {AGAIN}")
