"""Finished files move from the staging folder to where they belong: all or none, at whatever moment the process ends.

What is about to move is written down first. All moves are renames inside one file system, so the folders themselves
tell how far a killed process came: a file that is no longer in the staging folder is in place, and what it replaced
lies aside.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hybridfactory.errors import OutputError

__all__ = ["ASIDE_NAME", "MOVES_NAME", "STAGING_NAME", "is_inside", "publish", "replace_file", "settle"]

STAGING_NAME = ".hybridfactory-partial"
"""Folder for unfinished files, inside the output folder."""

MOVES_NAME = "moves.json"
ASIDE_NAME = "replaced"
"""Folder in it that keeps what is taken away until all is in place."""


CLEARED = "an interrupted run had left unfinished files in {}: they are cleared"
TAKEN_OUT = "an interrupted run had begun to put its files into {}: they are cleared"
GIVEN_BACK = "an interrupted run had begun to replace files in {}: its own are cleared, the earlier ones are back"
COMPLETE = "the interrupted run in {} was complete: only what it left beside it is cleared"


def publish(staged: Sequence[Path], output_directory: Path, replaced: Sequence[Path]) -> None:
    """Move finished files from the staging folder to where they belong, all or none of them.

    They are seen onto the disk first; the last one comes into view when all others are in place, there too.

    Parameters
    ----------
    staged : sequence of pathlib.Path
        Files in the staging folder, or in folders in it; the last one is what makes the others count.
    output_directory : pathlib.Path
    replaced : sequence of pathlib.Path
        Files in the output folder that go; they come back if the new ones cannot be put in place.

    Raises
    ------
    OutputError
        If a folder is in the way.
    """
    staging = output_directory / STAGING_NAME
    names = [path.relative_to(staging).as_posix() for path in staged]
    # What makes the others count leaves first, and comes last: in between, nothing claims to be whole.
    leaving = dict.fromkeys(
        [names[-1], *(path.relative_to(output_directory).as_posix() for path in replaced), *names]
    )
    for name in leaving:
        path = output_directory / name
        if path.is_dir() and not path.is_symlink():
            raise OutputError(f"{path} is a folder, and a file of that name is to be written: move it away")
    for path in staged:
        _sync(path)
    _sync(staging)
    replace_file(staging / MOVES_NAME, json.dumps(names).encode())
    try:
        for name in leaving:
            if os.path.lexists(output_directory / name):
                _move(output_directory / name, staging / ASIDE_NAME / name)
        for name in names[:-1]:
            _move(staging / name, output_directory / name)
        _sync(output_directory)
        _move(staging / names[-1], output_directory / names[-1])
        _sync(output_directory)
    except BaseException:
        _roll_back(staging, names)
        raise
    (staging / MOVES_NAME).unlink()


def settle(staging: Path) -> str:
    """Bring the folder around a staging folder that a killed process left into order: all of its files, or none.

    The staging folder itself can be removed then.

    Parameters
    ----------
    staging : pathlib.Path

    Returns
    -------
    str
        What was found and done, for the user.
    """
    names = _read_moves(staging)
    if not names:
        return CLEARED.format(staging.parent)
    if not os.path.lexists(staging / names[-1]):
        return COMPLETE.format(staging.parent)
    gave_back = _roll_back(staging, names)
    return (GIVEN_BACK if gave_back else TAKEN_OUT).format(staging.parent)


def _roll_back(staging: Path, names: Sequence[str]) -> bool:
    """Take files out of the output folder again, and give back what they replaced; whether there was something.

    It may be interrupted and begun anew. The last file, whose presence makes the others count, goes first.
    """
    folder, aside = staging.parent, staging / ASIDE_NAME
    for name in reversed(names):
        if not os.path.lexists(staging / name) and os.path.lexists(folder / name):
            _move(folder / name, staging / name)
    given_back = [path for path in aside.rglob("*") if path.is_symlink() or not path.is_dir()]
    for path in sorted(given_back, key=lambda path: (path == aside / names[-1], path)):
        _move(path, folder / path.relative_to(aside))
    _sync(folder)
    (staging / MOVES_NAME).unlink()
    return bool(given_back)


def _read_moves(staging: Path) -> list[str]:
    """Names of the files that a killed process was moving; none if it had not begun."""
    try:
        names = json.loads((staging / MOVES_NAME).read_bytes())
    except (OSError, ValueError):
        return []
    return [name for name in names if is_inside(name)] if isinstance(names, list) else []


def is_inside(name: object) -> bool:
    """Whether a name that comes from a file is that of something inside the folder it is relative to."""
    if not isinstance(name, str) or not name or "\\" in name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and bool(path.parts)


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and see it onto the disk."""
    partial = path.with_name(f".hybridfactory-{path.name}")
    try:
        partial.write_bytes(data)
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """See a file, or a folder's entries, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
