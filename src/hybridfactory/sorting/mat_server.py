"""The process that reads one MATLAB file for another process, within limits of memory and time.

Started as ``python -m hybridfactory.sorting.mat_server FILE VARIABLE...``. Each line of standard input is a JSON
list, a kind and a name; each is answered on standard output by a line of JSON, which the bytes of an array may
follow. It ends when its input does.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hybridfactory.errors import SortingError
from hybridfactory.sorting.mat_file import MatFile, reader_of
from hybridfactory.sorting.mat_process import READY

__all__ = ["main"]

LEAST_BYTES = 256 << 20
BYTES_PER_BYTE = 40
"""Memory for each byte of the file; what MATLAB compresses shrinks less than that as a whole."""

LEAST_SECONDS = 8
SECONDS_PER_MEGABYTE = 2.0


def serve(open_file: Callable[[], MatFile], requests: BinaryIO, replies: BinaryIO) -> None:
    """Open a file when it is first asked for, and answer requests until there are no more."""
    mat: MatFile | None = None
    for line in requests:
        kind, name = json.loads(line)
        try:
            if mat is None:
                mat = open_file()
            _answer(mat, kind, name, replies)
        except SortingError as error:
            _say(replies, {"refused": str(error)})
        replies.flush()
    if mat is not None:
        mat.close()


def _answer(mat: MatFile, kind: str, name: str, replies: BinaryIO) -> None:
    if kind == "fields":
        _say(replies, {"fields": sorted(mat.fields(name))})
    elif kind == "texts":
        _say(replies, {"texts": mat.texts(name)})
    else:
        _send_numbers(mat.numbers(name), replies)


def _send_numbers(values: Any, replies: BinaryIO) -> None:
    if values is None:
        _say(replies, {"numbers": None})
        return
    # Column-major arrays go as they lie in memory: a copy would double what is needed.
    order = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else "C"
    _say(replies, {"numbers": [values.dtype.str, values.shape, order]})
    laid = np.ascontiguousarray(values.T if order == "F" else values)
    if laid.size:
        replies.write(laid.reshape(-1).view(np.uint8).data)


def _say(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")


def limit_this_process(file_bytes: int) -> None:
    """Let the system end this process should it take far more time or memory than a file of that size needs."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = LEAST_SECONDS + SECONDS_PER_MEGABYTE * file_bytes / 2**20
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds))
    _limit(resource.RLIMIT_CORE, 0)
    statm = Path("/proc/self/statm")
    if statm.exists():
        mapped = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, mapped + LEAST_BYTES + BYTES_PER_BYTE * file_bytes)


def _limit(which: int, value: int) -> None:
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, hard))


def main(path: Path, variables: list[str]) -> None:
    """Prepare, say so, and answer."""
    # What has to be imported is no fault of the file, and comes before the limits.
    opened = reader_of(path)
    replies = sys.stdout.buffer
    limit_this_process(path.stat().st_size)
    replies.write(READY)
    replies.flush()
    serve(lambda: opened(path, variables), sys.stdin.buffer, replies)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
