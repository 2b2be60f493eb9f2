"""What SpikeInterface may be given to open: nothing that unpickles, and no class but its own."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from hybridfactory.errors import HybridFactoryError

__all__ = ["UNREADABLE", "UNSAFE_RECORDINGS", "refuse_foreign_classes", "refuse_pickled_arrays"]

UNPICKLING = (
    "NumpyFolderSorting",
    "NpzFolderSorting",
    "ZarrSortingExtractor",
    "BinaryFolderRecording",
    "ZarrRecordingExtractor",
)
"""Classes that unpickle what lies in the folder that they are given."""

EXECUTING = (
    "BasePhyKilosortSortingExtractor",
    "KiloSortSortingExtractor",
    "KlustaSortingExtractor",
    "PhySortingExtractor",
)
"""Classes that run a Python file that lies there."""

UNSAFE_RECORDINGS = ("SinapsResearchPlatformRecordingExtractor", "SinapsResearchPlatformH5RecordingExtractor")
"""Recordings that evaluate what a file holds as Python."""

UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What SpikeInterface's readers raise where a file is not as they expect it."""


def refuse_foreign_classes(content: Any, path: Path, error: type[HybridFactoryError], what: str) -> None:
    """Let a json file name classes of SpikeInterface only: whatever it names is imported and called.

    Parameters
    ----------
    content : object
        As JSON gave it.
    path : pathlib.Path
        Of the file.
    error : type
        Raised for any other class.
    what : str
        What the file should be, for the message.
    """
    if isinstance(content, dict):
        name = content.get("class")
        if name is not None and "kwargs" in content:
            _refuse_foreign_class(str(name), path, error, what)
        values = list(content.values())
    else:
        values = content if isinstance(content, list) else []
    for value in values:
        refuse_foreign_classes(value, path, error, what)


def _refuse_foreign_class(name: str, path: Path, error: type[HybridFactoryError], what: str) -> None:
    from spikeinterface.core.base import BaseExtractor  # noqa: PLC0415

    module, _, attribute = name.rpartition(".")
    found = None
    if module.startswith("spikeinterface."):
        found = getattr(import_module(module), attribute, None)
    if not (isinstance(found, type) and issubclass(found, BaseExtractor)) or attribute in UNSAFE_RECORDINGS:
        raise error(f"{path}: names the class {name}, which is no {what} of SpikeInterface; save it again")
    if attribute in UNPICKLING + EXECUTING:
        raise error(f"{path}: refers to a {attribute}; give that folder itself")


def refuse_pickled_arrays(folder: Path, error: type[HybridFactoryError], what: str) -> None:
    """See that no array of a zarr would have to be unpickled.

    Parameters
    ----------
    folder : pathlib.Path
        The .zarr, or a group in it.
    error : type
        Raised if one would.
    what : str
        What the file should be, for the message.
    """
    for description in folder.rglob(".zarray"):
        content = json.loads(description.read_bytes())
        codecs = [*(content.get("filters") or []), content.get("compressor") or {}]
        if any("pickle" in str(codec.get("id", "")) for codec in codecs):
            raise error(f"{description.parent}: is a pickle, which may run code; save the {what} again")
