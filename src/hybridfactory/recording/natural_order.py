"""Natural order of files: t2 before t10."""

import glob
import re
from os import PathLike
from pathlib import Path

from hybridfactory.errors import MissingFileError

__all__ = ["files_in_natural_order", "natural_key"]


def natural_key(name: str | PathLike[str]) -> tuple[tuple[str | int, ...], str]:
    """Key to sort names by, with the numbers inside them compared as numbers.

    Parameters
    ----------
    name : path-like

    Returns
    -------
    tuple
        Text and numbers in turn, and the name itself, so that only equal names have equal keys.
    """
    text = str(name)
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), text


def files_in_natural_order(path_or_glob: str | PathLike[str]) -> list[Path]:
    """Find the file of that name, or else the files that the glob matches.

    Parameters
    ----------
    path_or_glob : path-like

    Returns
    -------
    list of pathlib.Path
        Never empty; in natural order of the whole path.

    Raises
    ------
    MissingFileError
        If there is no such file and nothing matches.
    """
    if Path(path_or_glob).is_file():
        return [Path(path_or_glob)]
    found = [Path(match) for match in glob.glob(str(path_or_glob), recursive=True)]  # noqa: PTH207
    files = sorted((path for path in found if path.is_file()), key=natural_key)
    if not files:
        kind = "matches no file" if glob.has_magic(str(path_or_glob)) else "does not exist or is not a file"
        raise MissingFileError(f"{path_or_glob} {kind}: correct the path")
    return files
