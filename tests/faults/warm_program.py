"""The command line in a process that is forked, already warm, from a server: a run then costs what it does, not what
starting Python costs. A run can be killed after a time, and its system calls can be spoilt.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    """Exit code; minus the signal's number, if one ended it."""
    seconds: float
    err: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class WarmProgram:
    """Runs one command line after the other.

    Parameters
    ----------
    folder : pathlib.Path
        For what runs print.
    """

    def __init__(self, server: "subprocess.Popen[str]", folder: Path) -> None:
        self._server = server
        self._folder = folder

    def run(
        self,
        *arguments: str | Path,
        faults: dict[str, Any] | None = None,
        signal_after_s: float | None = None,
        signal_number: int = signal.SIGKILL,
    ) -> Ended:
        """Run ``hybridfactory arguments``, with a signal sent after a time, or with faults; see `faults.py`."""
        err = self._folder / "stderr.txt"
        request = {
            "arguments": [str(argument) for argument in arguments],
            "faults": faults or {},
            "signal_after_s": signal_after_s,
            "signal_number": int(signal_number),
            "stderr": str(err),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the server ended"
        ended = json.loads(answer)
        return Ended(ended["code"], ended["seconds"], err.read_text(encoding="utf-8"))


@contextmanager
def warm_program(params: Path, folder: Path) -> Iterator[WarmProgram]:
    """Start the server; `params` are for the run that warms it."""
    command = [sys.executable, HERE / "fork_server.py", params]
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # more would be started anew in every forked process
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one_thread
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield WarmProgram(server, folder)
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(timeout=20) == os.EX_OK
