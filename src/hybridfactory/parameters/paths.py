"""Where relative paths and globs in a parameter file point to."""

import glob
import re
from os import PathLike
from pathlib import Path

__all__ = ["PATH_PARAMETERS", "in_folder", "in_folder_or_here", "new_windows_name"]

PATH_PARAMETERS = ("data_directory", "raw_source_file", "output_directory")

_OF_WINDOWS = re.compile(r"[A-Za-z]:(\\|$)|\\\\\w|\.\.?\\")


def in_folder(value: str | PathLike[str], folder: Path) -> Path:
    """Resolve a path or glob against a folder.

    Parameters
    ----------
    value : path-like
        ``~`` is expanded; an absolute path stays as it is.
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        Absolute if `folder` is.

    Raises
    ------
    RuntimeError
        If ``~name`` names no known user.
    """
    path = Path(value).expanduser()
    literal = folder / path
    if path.is_absolute() or _exists(literal) or not glob.has_magic(str(path)):
        return literal
    # A bracket in the folder's own name is no part of the glob.
    return Path(glob.escape(str(folder))) / path


def in_folder_or_here(value: str | PathLike[str], folder: Path) -> Path:
    """Resolve a path or glob against the current directory, or against `folder` if it is found only there.

    Parameters
    ----------
    value : path-like
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        Against the current directory where neither place holds it.
    """
    here = in_folder(value, Path.cwd())
    there = in_folder(value, folder)
    return there if not _is_found(here) and _is_found(there) else here


def new_windows_name(path: Path) -> str | None:
    """Name that a path of Windows would give to a new folder here, where it is an ordinary name.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    str or None
        The first part of the path that is a drive, or begins with a drive, a share, or a dot and a backslash, if
        nothing of that name exists.
    """
    for folder in (*reversed(path.parents), path):
        if _OF_WINDOWS.match(folder.name) and not _exists(folder):
            return folder.name
    return None


def _is_found(path: Path) -> bool:
    return _exists(path) or next(glob.iglob(str(path), recursive=True), None) is not None  # noqa: PTH207


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # as of a name that is too long, which names nothing
        return False
