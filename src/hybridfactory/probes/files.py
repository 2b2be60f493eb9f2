"""Probe files: .npz as this program writes them, and probeinterface JSON."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingFileError, OutputError, ProbeError
from hybridfactory.probes.arrays import one_line
from hybridfactory.probes.npz_file import NpzDamageError, read_npz, write_npz
from hybridfactory.probes.presets import custom_probe
from hybridfactory.probes.probe import Probe

__all__ = ["load_probe", "read_probeinterface_json", "save_probe"]


def save_probe(probe: Probe, path: str | PathLike[str]) -> None:
    """Write a probe as .npz with its parts by name; `shank_ids` only where the probe has them.

    Parameters
    ----------
    probe : Probe
    path : path-like
        Used as it is, with no suffix added.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    parts: dict[str, Any] = {
        "channel_map": probe.channel_map,
        "connected": probe.connected,
        "channel_positions": probe.channel_positions,
        "name": np.array(probe.name),
    }
    if probe.shank_ids is not None:
        parts["shank_ids"] = np.array(probe.shank_ids, dtype=np.str_)
    try:
        write_npz(Path(path), parts)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def load_probe(path: str | PathLike[str]) -> Probe:
    """Read a probe as :func:`save_probe` writes it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Probe

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ProbeError
        If it is no probe file, or is damaged.
    """
    if not _is_file(path):
        raise MissingFileError(f"probe file {path} does not exist: correct the path")
    try:
        parts = read_npz(Path(path))
    except NpzDamageError as error:
        raise ProbeError(
            f"{path} is not a probe file (.npz), or is damaged ({error}): give another, or make it again"
        ) from error
    missing = {"channel_map", "connected", "channel_positions"} - parts.keys()
    if missing:
        raise ProbeError(f"{path} is not a probe file: it lacks {', '.join(sorted(missing))}")
    try:
        return custom_probe(
            parts["channel_map"],
            parts["connected"],
            parts["channel_positions"],
            str(parts.get("name", "Custom")),
            shank_ids=parts["shank_ids"].tolist() if "shank_ids" in parts else None,
        )
    except ProbeError as error:
        raise ProbeError(f"{path}: {error}") from error


def read_probeinterface_json(path: str | PathLike[str], num_rows: int | None = None) -> Probe:
    """Read a probe from a probeinterface JSON file.

    Parameters
    ----------
    path : path-like
    num_rows : int, optional
        Rows of the raw file, as in :meth:`Probe.from_probeinterface`.

    Returns
    -------
    Probe

    Raises
    ------
    MissingFileError
        If the file does not exist.
    ProbeError
        If it is no probeinterface file, or its probe does not serve.
    """
    if not _is_file(path):
        raise MissingFileError(f"probe file {path} does not exist: correct the path")
    import probeinterface  # noqa: PLC0415

    try:
        group = probeinterface.read_probeinterface(path)
    except Exception as error:
        raise ProbeError(
            f"{path} is not a probeinterface JSON file ({one_line(error)}): give one that probeinterface reads"
        ) from error
    try:
        return Probe.from_probeinterface(group, num_rows)
    except ProbeError as error:
        raise ProbeError(f"{path}: {error}") from error


def _is_file(path: str | PathLike[str]) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # as of a name that is too long, which names nothing
        return False
