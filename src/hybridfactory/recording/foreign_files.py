"""What lies on the disk behind a recording that SpikeInterface opens."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["files_behind"]

COMPANIONS = {".cbin": (".ch", ".meta")}
NAMES_OF_OPEN_EPHYS = ("structure.oebin", "continuous.dat", "timestamps.npy", "sample_numbers.npy")


def files_behind(path: Path, name: str, leave_out: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Find all files that a recording is made of.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder that is opened.
    name : str
        Its format.
    leave_out : sequence of pathlib.Path
        Folders whose files are no part of it, should they lie inside: results lie beside recordings often.

    Returns
    -------
    tuple of pathlib.Path
        Absolute and sorted.
    """
    found = set(_candidates(path.resolve(), name))
    apart = [folder.resolve() for folder in leave_out if path.resolve() in folder.resolve().parents]
    return tuple(sorted(file for file in found if not any(folder in file.parents for folder in apart)))


def _candidates(path: Path, name: str) -> Iterator[Path]:
    if path.is_dir():
        for file in path.rglob("*"):
            if not file.is_file() or file.name.startswith(".hybridfactory"):
                continue
            if name != "openephysbinary" or file.name in NAMES_OF_OPEN_EPHYS or file.suffix == ".xml":
                yield file.resolve()
        return
    yield path
    for suffix in COMPANIONS.get(path.suffix, ()):
        if path.with_suffix(suffix).is_file():
            yield path.with_suffix(suffix)
    if path.name in ("info.rhd", "info.rhs"):
        yield from path.parent.glob("*.dat")
    if path.suffix == ".json":
        yield from _named_in(_strings(json.loads(path.read_bytes())), path.parent)


def _named_in(texts: Iterable[str], folder: Path) -> Iterator[Path]:
    """Files, and the files in folders, that texts name."""
    for text in texts:
        if not text or len(text) > 4096 or "\0" in text or ("/" not in text and "." not in text):
            continue
        place = (folder / text).resolve()
        if place.is_file():
            yield place
        elif place.suffix == ".zarr" and place.is_dir():
            yield from (file for file in place.rglob("*") if file.is_file())


def _strings(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            yield from _strings(value)
