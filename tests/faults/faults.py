"""What can go wrong between a program and its disk, put into the calls that this process makes from now on."""

import errno
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.injection import staging

CHANGING = (
    "copy_file_range",
    "fsync",
    "ftruncate",
    "link",
    "mkdir",
    "pwrite",
    "remove",
    "rename",
    "replace",
    "rmdir",
    "sendfile",
    "truncate",
    "unlink",
    "write",
)
"""Calls that change what is on the disk, or see it there. Files are also opened for writing: a step of its own."""

READING = ("preadv", "pread", "read")

real_open = os.open
real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in (*CHANGING, *READING) if hasattr(os, name)}


def install(
    *,
    record: str | None = None,
    kill_at: int | None = None,
    fail_at: int | None = None,
    fail_from: int | None = None,
    error: str = "EIO",
    fail_read_at: int | None = None,
    short_seed: int | None = None,
    limit_bytes: int | None = None,
    change_at_read: Sequence[Any] = (),
    clock_seed: int | None = None,
    spare_bytes: int | None = None,
    user: int | None = None,
) -> None:
    """Spoil the calls of this process.

    Parameters
    ----------
    record : str, optional
        File to append the name of each changing step to.
    kill_at : int, optional
        Number of the changing step, from 0, before which the process ends without a further word.
    fail_at, fail_from : int, optional
        Number of the one step that fails, or of the first of many.
    error : str
        How.
    fail_read_at : int, optional
        Number of the read of a recording, from 0, that fails with EIO, as do all after it.
    short_seed : int, optional
        Reads and writes do less than they are asked for, as they may.
    limit_bytes : int, optional
        No file may grow beyond.
    change_at_read : (number, path, how), optional
        Before that read of a recording, `path` is shortened, lengthened, touched, or replaced.
    clock_seed : int, optional
        The clock jumps back and forth by years: what it tells, and what files are stamped with.
    spare_bytes : int, optional
        How much space must be free beyond what the hybrid needs, for a run to begin.
    user : int, optional
        Whose process this is to be.
    """
    if user is not None:
        os.setuid(user)
    if spare_bytes is not None:
        staging.SPARE_BYTES = spare_bytes
    if limit_bytes is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    if short_seed is not None:
        _do_less(np.random.default_rng(short_seed))
    if clock_seed is not None:
        _jump(np.random.default_rng(clock_seed))
    if fail_read_at is not None or change_at_read:
        _spoil_reads(fail_read_at, change_at_read)
    if record or kill_at is not None or fail_at is not None or fail_from is not None:
        _spoil_steps(record, kill_at, fail_at, fail_from, getattr(errno, error))


def _spoil_steps(
    record: str | None, kill_at: int | None, fail_at: int | None, fail_from: int | None, number: int
) -> None:
    """Count every changing call of this process, and let one end in nothing."""
    count = -1
    log = real_open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if record else None

    def step(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if name in ("write", "fsync") and arguments[0] in (1, 2):
            return
        count += 1
        if log is not None:
            named = [str(item) for item in arguments if isinstance(item, str | Path)]
            real["write"](log, (json.dumps([name, *named]) + "\n").encode())
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if count == fail_at or (fail_from is not None and count >= fail_from):
            raise OSError(
                number, os.strerror(number), *[str(item) for item in arguments if isinstance(item, Path)][:1]
            )

    for name in CHANGING:
        setattr(os, name, _before(getattr(os, name), functools.partial(step, name)))

    def opened(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            step("open", arguments[:1])

    sys.addaudithook(opened)


def _before(call: Callable[..., Any], step: Callable[[tuple[Any, ...]], None]) -> Callable[..., Any]:
    @functools.wraps(call)
    def spoilt(*arguments: Any, **options: Any) -> Any:
        step(arguments)
        return call(*arguments, **options)

    return spoilt


def _do_less(rng: np.random.Generator) -> None:
    """A call may do a part of what it is asked for, and say so."""

    def some(count: int) -> int:
        return int(rng.integers(1, count, endpoint=True))

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        return real["pwrite"](descriptor, memoryview(data)[: some(len(data))], offset)

    def write(descriptor: int, data: Any) -> int:
        return real["write"](descriptor, memoryview(data)[: some(len(data))])

    def copy_file_range(source: int, target: int, count: int, *offsets: Any, **options: Any) -> int:
        return real["copy_file_range"](source, target, some(count), *offsets, **options)

    def sendfile(target: int, source: int, offset: Any, count: int) -> int:
        return real["sendfile"](target, source, offset, some(count))

    def preadv(descriptor: int, buffers: Any, offset: int, *flags: int) -> int:
        first = memoryview(buffers[0])
        return real["preadv"](descriptor, [first[: some(len(first))]], offset, *flags)

    for call in (pwrite, write, copy_file_range, sendfile, preadv):
        setattr(os, call.__name__, call)


def _spoil_reads(fail_at: int | None, change: Sequence[Any]) -> None:
    count = -1

    def step(_arguments: tuple[Any, ...]) -> None:
        nonlocal count
        count += 1
        if fail_at is not None and count >= fail_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if change and count == change[0]:
            _change(Path(change[1]), change[2])

    for name in READING:
        setattr(os, name, _before(getattr(os, name), step))


def _change(path: Path, how: str) -> None:
    """What another program may do to a file that is being read."""
    if how == "shorter":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "longer":
        with path.open("ab") as stream:
            stream.write(bytes(400))
    elif how == "other bytes":
        with path.open("r+b") as stream:
            stream.seek(path.stat().st_size // 3)
            stream.write(bytes(range(200)))
    elif how == "replaced":
        other = path.with_name("other")
        other.write_bytes(path.read_bytes()[::-1])
        other.replace(path)
    else:
        path.unlink()


def _jump(rng: np.random.Generator) -> None:
    """Every look at the clock, and every write into a file, is of another year."""

    def anywhen() -> int:
        return int(rng.integers(4_000_000_000 * 10**9))

    def stamped(call: Callable[..., Any], place: int) -> Callable[..., Any]:
        def spoilt(*arguments: Any, **options: Any) -> Any:
            done = call(*arguments, **options)
            os.utime(arguments[place], ns=(anywhen(), anywhen()))
            return done

        return spoilt

    time.time_ns = anywhen
    time.time = lambda: anywhen() / 10**9
    for name, place in (("pwrite", 0), ("write", 0), ("ftruncate", 0), ("sendfile", 0), ("copy_file_range", 1)):
        setattr(os, name, stamped(getattr(os, name), place))
