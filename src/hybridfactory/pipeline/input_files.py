"""Finding the files: a sorter's output in or below a folder, raw files, and one pattern that names them all."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybridfactory.errors import MissingFileError, ProbeError, RecordingError, SortingError
from hybridfactory.recording.natural_order import natural_key
from hybridfactory.recording.source import find_source_files
from hybridfactory.sorting.detection import SorterOutput, find_sorter_output

__all__ = ["common_start", "find_output", "find_raw", "one_pattern", "options_for_parameters"]

OPTIONS = {
    "raw_source_file": "--raw",
    "raw_source_rows": "--rows",
    "data_type": "--data-type",
    "sample_rate": "--sample-rate",
}
FOLDERS_DEEP = 3
MARKS = ("spike_times.npy", "rez.mat", "rez2.mat", "*_res.mat", "*_jrc.mat")


@contextmanager
def options_for_parameters() -> Iterator[None]:
    """Let errors name options where they name parameters: there is no parameter file yet.

    Raises
    ------
    MissingFileError, RecordingError, ProbeError
        What the block raises, in these words.
    """
    try:
        yield
    except (MissingFileError, RecordingError, ProbeError) as error:
        # Not within a path.
        words = rf"(?<![\w/.-])({'|'.join(OPTIONS)})(?![\w/.-])"
        text = re.sub(words, lambda match: OPTIONS[match[1]], str(error))
        raise type(error)(text) from error


def find_output(place: Path) -> SorterOutput:
    """Find a sorter's output in a folder, or in the only folder below it that holds one.

    Parameters
    ----------
    place : pathlib.Path
        A folder, or a file in it.

    Raises
    ------
    MissingFileError
        If there is none.
    SortingError
        If there are several, and nothing says which is meant.
    """
    folder = place.expanduser().absolute()
    if not folder.exists():
        raise MissingFileError(f"{place}: no such file or folder; give the sorter's output")
    if folder.is_file():
        folder = folder.parent
    if _holds_output(folder):
        return find_sorter_output(folder, None)
    # A link may lead to a folder that is seen anyway.
    below = list(
        {path.resolve(): path for path in _folders_below(folder, FOLDERS_DEEP) if _holds_output(path)}.values()
    )
    if len(below) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in below[:8])
        raise SortingError(f"{place}: holds several sortings ({names}); give the one that is meant")
    # Where there is none, this says what was expected.
    return find_sorter_output(below[0] if below else folder, None)


def _holds_output(folder: Path) -> bool:
    return any(not path.name.startswith(".") for mark in MARKS for path in folder.glob(mark))


def _folders_below(folder: Path, depth: int) -> list[Path]:
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and not entry.name.startswith(".") and os.access(entry.path, os.R_OK):
            found += [Path(entry.path), *(_folders_below(Path(entry.path), depth - 1) if depth > 1 else [])]
    return found


def find_raw(named: Sequence[Path]) -> list[Path]:
    """Find raw files by paths or globs, in natural order, without the hybrids of other files among them.

    Raises
    ------
    MissingFileError, RecordingError
        As `find_source_files` does.
    """
    with options_for_parameters():
        found = {path.resolve() for place in named for path in find_source_files(place.expanduser())}
    return sorted(found, key=natural_key)


def one_pattern(paths: Sequence[Path]) -> Path:
    """Name files by one path or glob, as `raw_source_file` does.

    Raises
    ------
    RecordingError
        If no simple glob matches these files and no others.
    """
    if len(paths) == 1:
        return paths[0]
    texts = [str(path) for path in paths]
    start = common_start(texts)
    end = common_start([text[len(start) :][::-1] for text in texts])[::-1]
    pattern = Path(f"{glob.escape(start)}*{glob.escape(end)}")
    matched = [Path(match).resolve() for match in glob.glob(str(pattern))]  # noqa: PTH207
    if sorted(matched) != sorted(paths):
        raise RecordingError(
            f"no one glob names just {', '.join(path.name for path in paths)}: put the raw files, or links to them, "
            "into a folder of their own"
        )
    return pattern


def common_start(texts: Sequence[str]) -> str:
    """Return what all of the texts begin with."""
    # Of the first and the last in order, all others lie between.
    first, last = min(texts), max(texts)
    length = next((place for place, letter in enumerate(first) if letter != last[place : place + 1]), len(first))
    return first[:length]
