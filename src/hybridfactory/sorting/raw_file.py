"""Whether a sorting speaks of the raw file that the user named, or of some other file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["file_name", "names_raw_file"]


def file_name(stated_path: str) -> str:
    """Return the last part of a path written on any operating system."""
    return stated_path.replace("\\", "/").rsplit("/", 1)[-1]


def names_raw_file(stated_paths: Iterable[str], folder: Path, source_paths: Sequence[Path]) -> bool:
    """Tell whether any stated path is one of the raw files.

    Folders move between machines, so an equal file name is enough; a path that leads from `folder` to the
    same file under another name (a link) counts as well.
    """
    return any(
        file_name(stated) == source.name or _leads_to(folder, stated, source)
        for stated in stated_paths
        if stated
        for source in source_paths
    )


def _leads_to(folder: Path, stated: str, source: Path) -> bool:
    try:
        return (folder / stated.replace("\\", "/")).samefile(source)
    except (OSError, ValueError):  # no such file, or text that can be no path
        return False
