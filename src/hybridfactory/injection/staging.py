"""Where a run's files come into being: a folder out of sight, kept by one process at a time."""

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridfactory.errors import OutputError
from hybridfactory.injection.publishing import MOVES_NAME, STAGING_NAME, settle

__all__ = ["check_free_space", "locked", "staging_folder"]

SPARE_BYTES = 64 << 20
PARTIAL_FILES = ".hybridfactory-*"

_log = logging.getLogger("hybridfactory")


@contextmanager
def staging_folder(output_directory: Path, *, tell: Callable[[str], None] = lambda note: None) -> Iterator[Path]:
    """Make a folder for unfinished files inside the output folder, and remove it whatever happens.

    What a killed process left is brought into order first. Where the block fails, folders that this call created are
    removed too, so that nothing is left behind.

    Parameters
    ----------
    output_directory : pathlib.Path
    tell : callable, optional
        Called with a line for the user if a killed process had left something. The log gets it too.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or another run is writing there.
    """
    created = [parent for parent in (output_directory, *output_directory.parents) if not parent.exists()]
    staging = output_directory / STAGING_NAME
    try:
        _make(output_directory)
        with locked(output_directory, tell=tell):
            # A signal may come between any two lines, so that what it would leave is made within the block.
            try:
                try:
                    staging.mkdir()
                except OSError as error:
                    raise _unwritable(output_directory, error) from error
                yield staging
            finally:
                try:
                    _clear(staging)
                except BaseException:
                    _clear(staging)  # a signal comes only once
                    raise
    except BaseException:
        _remove_empty(created)
        raise


@contextmanager
def locked(folder: Path, *, tell: Callable[[str], None] = lambda note: None) -> Iterator[None]:
    """Keep other processes out of a folder; the lock dies with this one. What a killed one left is put in order.

    Parameters
    ----------
    folder : pathlib.Path
    tell : callable, optional
        As for `staging_folder`.

    Raises
    ------
    OutputError
        If another process is writing there, or what a killed one left cannot be cleared.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"output_directory {folder}: another run is writing there; wait for it, or choose another folder"
            ) from error
        except OSError as error:
            raise OutputError(
                f"output_directory {folder} cannot be locked ({error.strerror}): choose a folder on another disk"
            ) from error
        try:
            _clear_leftovers(folder, tell)
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(folder: Path, tell: Callable[[str], None]) -> None:
    staging = folder / STAGING_NAME
    if staging.is_dir() and not staging.is_symlink():
        note = settle(staging)
        shutil.rmtree(staging)
        _log.warning("%s", note)
        tell(note)
    for path in folder.glob(PARTIAL_FILES):
        path.unlink()


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"output_directory {folder} cannot be written to ({error.strerror}): choose another folder, or change its "
        "permissions"
    )


def check_free_space(folder: Path, needed_bytes: int) -> None:
    """Refuse to start what the disk cannot hold.

    Raises
    ------
    OutputError
        If the file system of `folder` (or of its nearest existing parent) has too little space.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes + SPARE_BYTES:
        raise OutputError(
            f"too little disk space for the hybrid: {_readable(needed_bytes + SPARE_BYTES)} are needed in "
            f"{folder}, {_readable(free)} are free; free some, or choose another output_directory"
        )


def _readable(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"


def _make(folder: Path) -> None:
    """Create a folder and its parents."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"output_directory {folder} cannot be created ({error.strerror}): choose another folder, or change "
            "permissions"
        ) from error


def _clear(staging: Path) -> None:
    """Remove the folder for unfinished files."""
    # What is still to be given back, if the disk failed meanwhile, must wait for the next run.
    if not (staging / MOVES_NAME).exists():
        shutil.rmtree(staging, ignore_errors=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders that are there and empty, innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return
