"""A run's files come into being out of sight, and into view when all are complete."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridfactory.errors import OutputError

__all__ = ["check_free_space", "publish", "staging_folder"]

STAGING_NAME = ".hybridfactory-partial"
SPARE_BYTES = 64 << 20


@contextmanager
def staging_folder(output_directory: Path) -> Iterator[Path]:
    """Make a folder for unfinished files inside the output folder, and remove it whatever happens.

    Where the block fails, folders that this call created are removed too, so that nothing is left behind.
    """
    created = _make(output_directory)
    staging = output_directory / STAGING_NAME
    try:
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir()
    except OSError as error:
        _remove_empty(created)
        raise OutputError(f"output_directory {output_directory} cannot be written to: {error.strerror}") from error
    try:
        yield staging
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        _remove_empty(created)
        raise
    shutil.rmtree(staging, ignore_errors=True)


def publish(staged: Iterable[Path], output_directory: Path) -> None:
    """Move finished files from the staging folder to where they belong, in order, replacing what is there."""
    for path in staged:
        path.replace(output_directory / path.name)
    descriptor = os.open(output_directory, os.O_RDONLY)
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
        raise OutputError(f"output_directory {folder} cannot be created: {error.strerror}") from error
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
