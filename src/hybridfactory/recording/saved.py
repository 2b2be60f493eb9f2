"""Recordings that SpikeInterface has saved: folders, zarr and json, opened without running what they hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.spikeinterface_safety import refuse_foreign_classes, refuse_pickled_arrays

__all__ = ["open_saved"]

KEPT_PROPERTIES = ("gain_to_uV", "offset_to_uV", "group", "location")


def open_saved(path: Path) -> Any:
    """Open a recording that SpikeInterface has saved.

    Parameters
    ----------
    path : pathlib.Path
        A folder or .zarr that ``recording.save`` wrote, or a .json that ``recording.dump_to_json`` wrote.

    Returns
    -------
    spikeinterface.BaseRecording

    Raises
    ------
    RecordingError
        It is no recording, or would have to be unpickled, which runs code.
    """
    if path.is_file():
        return _from_json(path)
    if path.suffix == ".zarr":
        return _from_zarr(path)
    for mark, read in (
        (path / "binary.json", _from_binary_folder),
        (path / "si_folder.json", lambda folder: _from_json(folder / "si_folder.json")),
        (path / "cached.json", lambda folder: _from_json(folder / "cached.json")),
    ):
        if mark.is_file():
            return read(path)
    raise RecordingError(f"raw_source_file: {path} holds no recording that SpikeInterface has saved: check the path")


def _from_json(path: Path) -> Any:
    from spikeinterface.core import load  # noqa: PLC0415

    if path.suffix != ".json":
        raise RecordingError(
            f"raw_source_file: {path} is no .json (a pickle may run code); save it with recording.save(folder=...)"
        )
    refuse_foreign_classes(json.loads(path.read_bytes()), path, RecordingError, "recording")
    return load(path, base_folder=path.parent)


def _from_zarr(path: Path) -> Any:
    from spikeinterface.core.zarrextractors import ZarrRecordingExtractor  # noqa: PLC0415

    refuse_pickled_arrays(path, RecordingError, "recording")
    return ZarrRecordingExtractor(path)


def _from_binary_folder(folder: Path) -> Any:
    """Read what ``recording.save`` writes; SpikeInterface would unpickle the properties beside it."""
    from probeinterface import read_probeinterface  # noqa: PLC0415
    from spikeinterface.core import BinaryRecordingExtractor  # noqa: PLC0415

    content = json.loads((folder / "binary.json").read_bytes())
    if not str(content["class"]).endswith(".BinaryRecordingExtractor"):
        raise RecordingError(f"raw_source_file: {folder} is no binary folder of SpikeInterface: save it again")
    stated = dict(content["kwargs"])
    # Times are of no use here, and would have to be there.
    stated.pop("file_timestamps_paths", None)
    names = stated.pop("file_paths")
    stated["file_paths"] = [str((folder / name).resolve()) for name in ([names] if isinstance(names, str) else names)]
    for path in stated["file_paths"]:
        if not Path(path).is_file():
            raise MissingFileError(f"raw_source_file: {folder} refers to {path}, which is gone: save it again")
    recording = BinaryRecordingExtractor(**stated)
    for name in KEPT_PROPERTIES:
        path = folder / "properties" / f"{name}.npy"
        if path.is_file():
            recording.set_property(name, np.load(path, allow_pickle=False))
    for probe_file in (folder / "probegroup.json", folder / "probe.json"):
        if probe_file.is_file():
            group = read_probeinterface(probe_file)
            attached = recording.set_probegroup(group)
            return recording if attached is None else attached
    return recording
