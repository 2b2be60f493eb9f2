"""One file or folder of any format that SpikeInterface reads, opened with one of its readers."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingExtraError, MissingFileError, RecordingError
from hybridfactory.recording.formats import AUTO, FLAT, SAVED
from hybridfactory.recording.saved import open_saved
from hybridfactory.spikeinterface_safety import UNREADABLE

__all__ = ["open_with_spikeinterface"]

OTHER_NAMES = {
    "openephys": "openephysbinary",
    "cbin": "compressedbinaryibl",
    "binaryfolder": SAVED,
    "binary_folder": SAVED,
    "zarr": SAVED,
    "json": SAVED,
}
LEFT_OUT = ("numpy", "ibl", "shybrid", "sinapsresearchplatform", "sinapsresearchplatformh5", "binaryfolder", "zarr")
"""In memory, over the network, or evaluated as Python; the last two are opened as what SpikeInterface has saved."""

LEAST_RATE_HZ = 5000.0
"""Spikes are a millisecond long: what is sampled more slowly holds none of them."""

OUR_OWN = ("file_path", "file_paths", "folder_path", "cbin_file_path")


def open_with_spikeinterface(path: Path, name: str, options: Mapping[str, Any]) -> Any:
    """Open a recording.

    Parameters
    ----------
    path : pathlib.Path
        File or folder.
    name : str
        As SpikeInterface's registry of readers has it, or ``"spikeinterface"`` for what it has saved itself.
    options : mapping of str to object
        Further arguments of the reader, such as ``stream_name``.

    Returns
    -------
    spikeinterface.BaseRecording

    Raises
    ------
    MissingFileError
        The file, or one that it refers to, is not there.
    MissingExtraError
        The format needs a package that is not installed.
    RecordingError
        It cannot be opened, holds several streams, or none with spikes.
    """
    if not path.exists():
        raise MissingFileError(f"raw_source_file: {path} does not exist: correct the path")
    known = OTHER_NAMES.get(name, name)
    reader = None if known == SAVED else _reader(known)
    if reader is None and options:
        raise RecordingError(
            f"raw_source_options: what SpikeInterface has saved takes none, got {', '.join(options)}: leave them out"
        )
    try:
        # What readers have to say of a file is for programmers.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recording = open_saved(path) if reader is None else _open(reader, known, path, options)
    except (MissingFileError, RecordingError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise MissingFileError(
            f"raw_source_file: {path}, read as {name}, lacks a file ({error.filename or _reason(error)}): put it back"
        ) from error
    except ImportError as error:
        raise _lacks_package(path, name, error) from error
    except Exception as error:  # Each reader has exceptions of its own, plain ones among them.
        raise _unreadable(path, known, reader, error) from error
    _refuse_without_spikes(recording, path)
    return recording


def _reader(name: str) -> Callable[..., Any]:
    from spikeinterface.extractors.extractor_classes import recording_extractor_full_dict  # noqa: PLC0415

    readers: dict[str, Callable[..., Any]] = {
        key: value for key, value in recording_extractor_full_dict.items() if key not in LEFT_OUT
    }
    if name not in readers:
        raise RecordingError(
            f"raw_source_format: {name!r} is not known; use one of {AUTO}, {FLAT}, {SAVED}, openephys, "
            f"{', '.join(sorted(readers))}"
        )
    return readers[name]


def _open(reader: Callable[..., Any], name: str, path: Path, options: Mapping[str, Any]) -> Any:
    place = _place_argument(reader, name, path)
    allowed = _arguments(reader, name)
    unknown = [key for key in options if key not in allowed]
    if unknown:
        raise RecordingError(
            f"raw_source_options: the reader of {name} takes no {unknown[0]!r}; it takes "
            f"{', '.join(allowed) or 'no options'}"
        )
    return reader(**{place: str(path)}, **options)


def _place_argument(reader: Callable[..., Any], name: str, path: Path) -> str:
    """Name of the argument that takes the path."""
    if name == "compressedbinaryibl":
        return "cbin_file_path" if path.is_file() else "folder_path"
    return next(iter(inspect.signature(reader).parameters))


def _arguments(reader: Callable[..., Any], name: str) -> tuple[str, ...]:
    """Arguments of a reader that a user may state."""
    target = reader
    if name in ("openephysbinary", "openephyslegacy"):
        target = _open_ephys_class(name)
    return tuple(key for key in inspect.signature(target).parameters if key not in OUR_OWN)


def _open_ephys_class(name: str) -> Any:
    from spikeinterface.extractors.neoextractors import openephys  # noqa: PLC0415

    binary = name == "openephysbinary"
    return openephys.OpenEphysBinaryRecordingExtractor if binary else openephys.OpenEphysLegacyRecordingExtractor


def _lacks_package(path: Path, name: str, error: Exception) -> MissingExtraError:
    return MissingExtraError(
        f"raw_source_file: to read {path} as {name}, SpikeInterface needs a package that is not installed "
        f"({_reason(error)}): install it"
    )


def _unreadable(path: Path, name: str, reader: Callable[..., Any] | None, error: Exception) -> Exception:
    """Put what a reader complains of in words for users."""
    reason = _reason(error)
    if "pip install" in reason:
        return _lacks_package(path, name, error)
    choices = _streams(reader, name, path)
    if (len(choices) > 1 and "stream" in reason.lower()) or "Multiple ElectricalSeries" in reason:
        option = "electrical_series_path" if name == "nwb" else "stream_name"
        return RecordingError(
            f"raw_source_file: {path} holds several streams ({', '.join(choices)}): choose one of them, as in "
            f'raw_source_options = {{{option} = "{choices[0] if choices else "..."}"}}'
        )
    return RecordingError(
        f"raw_source_file: {path} cannot be opened as {name} ({reason}): check raw_source_format and "
        "raw_source_options"
    )


def _streams(reader: Callable[..., Any] | None, name: str, path: Path) -> list[str]:
    """Streams that can be chosen from; empty where that cannot be told."""
    target: Any = _open_ephys_class(name) if name in ("openephysbinary", "openephyslegacy") else reader
    list_them = getattr(target, "fetch_available_electrical_series_paths", getattr(target, "get_streams", None))
    if list_them is None:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = list_them(str(path))
    except UNREADABLE:
        return []
    return [str(entry) for entry in (found[0] if isinstance(found, tuple) else found)]


def _refuse_without_spikes(recording: Any, path: Path) -> None:
    if not hasattr(recording, "get_traces"):
        raise RecordingError(
            f"raw_source_file: {path} holds a {type(recording).__name__}, not a recording: give the recording"
        )
    rate = float(recording.get_sampling_frequency())
    units = recording.get_property("physical_unit")
    what = ""
    if rate < LEAST_RATE_HZ:
        what = f"is sampled at {rate:g} Hz: events or an LFP band, and no spikes"
    elif units is not None and not np.isin(units, ("V", "Volt", "Volts", "mV", "uV")).any():
        what = f"is in {units[0] or 'no unit'} and not in volts: events or another sensor, and no spikes"
    if what:
        raise RecordingError(
            f"raw_source_file: the chosen stream of {path} {what}; choose another in raw_source_options"
        )


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
