"""The standard streams: what they cannot print, and what happens when nobody reads them any more."""

import os
import select
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from hybridfactory.errors import printable

__all__ = ["never_fail_on_encoding", "redirect_abandoned_streams", "say", "say_files", "seen_from_here"]


def never_fail_on_encoding() -> None:
    """Let a terminal that lacks µ, or a file name that is not UTF-8, cost a character and not the run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def say(text: str = "", *, err: bool = False) -> None:
    """Print text that may quote what files hold: control characters, which a terminal would obey, are spelt out."""
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)


def seen_from_here(path: Path) -> Path:
    """Name a path from the current folder if it lies there, as one would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path != here and path.is_relative_to(here) else path


def say_files(what: str, folder: Path, remarks: Mapping[Path, str]) -> None:
    """Say where files are: a line for the folder, and below it one for each, named from there, with a remark."""
    say(f"{what} {seen_from_here(folder)}:")
    for path, remark in remarks.items():
        name = path.relative_to(folder) if path.is_relative_to(folder) else path
        say(f"  {name}" + f"  ({remark})" * bool(remark))


def redirect_abandoned_streams() -> bool:
    """Send the standard streams whose reader has left to nowhere, so that the last flush succeeds.

    Returns
    -------
    bool
        Whether there was such a stream. When not, a broken pipe was one inside the program.
    """
    abandoned = [number for number in (1, 2) if _reader_has_left(number)]
    for number in abandoned:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    return bool(abandoned)


def _reader_has_left(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
