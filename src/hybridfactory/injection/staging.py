"""A run's files come into being out of sight, and into view when all are complete."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybridfactory.errors import OutputError

__all__ = ["check_free_space", "publish", "staging_folder"]

STAGING_NAME = ".hybridfactory-partial"
SPARE_BYTES = 64 << 20


@contextmanager
def staging_folder(
    output_directory: Path, *, recover: Callable[[Path], None] = lambda leftover: None
) -> Iterator[Path]:
    """Make a folder for unfinished files inside the output folder, and remove it whatever happens.

    Where the block fails, folders that this call created are removed too, so that nothing is left behind.

    Parameters
    ----------
    output_directory : pathlib.Path
    recover : callable, optional
        Called with the folder that a killed run left behind, before it is removed.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or another run is writing there.
    """
    created = _make(output_directory)
    staging = output_directory / STAGING_NAME
    try:
        with _locked(output_directory):
            try:
                if staging.exists():
                    recover(staging)
                    shutil.rmtree(staging)
                staging.mkdir()
            except OSError as error:
                raise OutputError(
                    f"output_directory {output_directory} cannot be written to ({error.strerror}): choose another "
                    "folder, or change its permissions"
                ) from error
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except BaseException:
        _remove_empty(created)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; the lock dies with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"output_directory {folder}: another run is writing there; wait for it, or choose another folder"
            ) from error
        yield
    finally:
        os.close(descriptor)


def publish(staged: Sequence[Path], output_directory: Path, replaced: Sequence[Path]) -> None:
    """Move finished files from the staging folder to where they belong, all or none of them.

    Parameters
    ----------
    staged : sequence of pathlib.Path
        Files in the staging folder; the last one is what makes the others count.
    output_directory : pathlib.Path
    replaced : sequence of pathlib.Path
        Files in the output folder that go; they come back if the new ones cannot be put in place.
    """
    aside = staged[0].parent / "replaced"
    aside.mkdir()
    removed: list[Path] = []
    placed: list[Path] = []
    try:
        new_names = {path.name for path in staged}
        for path in (*replaced, *(output_directory / name for name in new_names)):
            if path.exists() and path not in removed:
                path.replace(aside / path.name)
                removed.append(path)
        for path in staged:
            target = output_directory / path.name
            path.replace(target)
            placed.append(target)
        _sync(output_directory)
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        for path in removed:
            (aside / path.name).replace(path)
        raise


def _sync(folder: Path) -> None:
    """See a folder's entries onto the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _make(folder: Path) -> list[Path]:
    """Create a folder and its parents; those created, innermost first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(missing)
        raise OutputError(
            f"output_directory {folder} cannot be created ({error.strerror}): choose another folder, or change "
            "permissions"
        ) from error
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
