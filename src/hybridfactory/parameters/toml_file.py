"""Parameter files in TOML: the same names, nothing executed."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybridfactory.errors import HybridFactoryError, ParameterError
from hybridfactory.parameters.names import ALIASES, did_you_mean, nearest_name
from hybridfactory.parameters.parameters import Parameters
from hybridfactory.parameters.paths import in_folder
from hybridfactory.probes import Probe, custom_probe, eMouse, neuropixels3a, read_probeinterface_json

__all__ = ["read_toml_file"]

_PRESETS = {"neuropixels3a": neuropixels3a, "eMouse": eMouse}
_ARRAYS = ("channel_map", "connected", "channel_positions")
_PROBE_KEYS = (*_ARRAYS, "name", "shank_ids")


def read_toml_file(path: Path) -> Parameters:
    """Read a TOML parameter file; relative paths start at the file's folder.

    The probe is the name of a preset (``"neuropixels3a"``, ``"eMouse"``), a table with the arrays of
    ``custom_probe``, or a probeinterface JSON file (``"probe.json"`` or ``{file = "probe.json"}``).

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    loaded : Parameters

    Raises
    ------
    ParameterError
        If the file is not TOML, or a parameter is unknown, missing or wrong.
    """
    try:
        # Editors on Windows put a byte-order mark in front, which TOML does not allow.
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError, numbers of more digits than Python reads, and brackets in brackets without end.
        raise ParameterError(f"{path}: not valid TOML: {error}; correct it") from error
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}") from error
    folder = path.absolute().parent
    for name in table:
        if ALIASES.get(name, name) == "probe":
            try:
                table[name] = _read_probe(table[name], folder, table.get("raw_source_rows"))
            except HybridFactoryError as error:
                raise ParameterError(f"{path}: {name}: {error}") from error
    return Parameters.from_mapping(table, source=str(path), folder=folder)


def _read_probe(value: object, folder: Path, num_rows: Any) -> Probe:
    if isinstance(value, str) and value in _PRESETS:
        return _PRESETS[value]()
    if isinstance(value, str) and value.lower().endswith(".json"):
        value = {"file": value}
    if not isinstance(value, Mapping):
        raise ParameterError(
            f"must be one of {', '.join(map(repr, _PRESETS))}, a probeinterface .json file, or a table of "
            f"{', '.join(_ARRAYS)}; got {value!r}{did_you_mean(value, _PRESETS)}"
        )
    if "file" in value:
        return _read_probe_file(value, folder, num_rows)
    for key in value:
        if key not in _PROBE_KEYS:
            raise ParameterError(f"unknown entry {key!r}; did you mean {nearest_name(key, _PROBE_KEYS)!r}?")
    missing = [key for key in _ARRAYS if key not in value]
    if missing:
        raise ParameterError(f"the table lacks {', '.join(missing)}: give them")
    return custom_probe(**value)


def _read_probe_file(value: Mapping[str, object], folder: Path, num_rows: Any) -> Probe:
    if set(value) != {"file"} or not isinstance(value["file"], str):
        raise ParameterError("file must be the path of a probeinterface .json file, and stand alone")
    # A wrong raw_source_rows is named by its own rule, later.
    is_number = isinstance(num_rows, int) and not isinstance(num_rows, bool) and num_rows > 0
    return read_probeinterface_json(in_folder(value["file"], folder), num_rows if is_number else None)
