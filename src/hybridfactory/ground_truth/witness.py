"""What a source looked like when the work began, to see in the end that it still does."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hybridfactory.errors import MissingFileError, RecordingError

__all__ = ["Witness", "look_at", "refuse_changes"]


@dataclass(frozen=True)
class Witness:
    """State of a file at one time.

    Parameters
    ----------
    path : pathlib.Path
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change, in nanoseconds since 1970.
    place : tuple of int
        Device and inode: another file of the same name has others.
    """

    path: Path
    size: int
    mtime_ns: int
    place: tuple[int, int]


def look_at(paths: Iterable[Path]) -> tuple[Witness, ...]:
    """Note what files look like now.

    Raises
    ------
    MissingFileError
        If one is not there.
    """
    return tuple(_look(path) for path in paths)


def refuse_changes(witnesses: Iterable[Witness]) -> None:
    """See that files are still what they were.

    Raises
    ------
    MissingFileError
        If one is gone.
    RecordingError
        If one was changed, or another file has taken its place.
    """
    for before in witnesses:
        now = _look(before.path)
        if now == before:
            continue
        what = "replaced by another file" if now.place != before.place else "changed"
        if now.size != before.size:
            what += f" (from {before.size} to {now.size} bytes)"
        raise RecordingError(
            f"{before.path} was {what} while it was read, and what was made of it does not count: run again when the "
            "recording is complete"
        )


def _look(path: Path) -> Witness:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} is gone: it was moved or deleted; put it back, then run again") from error
    return Witness(path, status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))
