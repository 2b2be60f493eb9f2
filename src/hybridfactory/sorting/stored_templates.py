"""The templates that a sorter stored beside its spikes, dense over its channels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.sorting.assembly import whole_numbers
from hybridfactory.sorting.detection import find_sorter_output
from hybridfactory.sorting.npy_file import open_npy
from hybridfactory.sorting.phy_templates import channels_of_columns
from hybridfactory.sorting.rez_templates import read_rez_templates

__all__ = ["StoredTemplates", "read_stored_templates"]


@dataclass(frozen=True, eq=False)
class StoredTemplates:
    """Templates as a sorter stored them: in its own scale, and mostly whitened.

    Parameters
    ----------
    waveforms : numpy.ndarray of float32, shape (num_templates, num_samples, num_channels)
        Zero on channels that a template does not have.
    rows : numpy.ndarray of int64, shape (num_channels,), or None
        What the sorter took for the raw row of each channel; of a copy of the recording, it may be another.
    positions_um : numpy.ndarray of float64, shape (num_channels, 2), or None
        x and y of each channel, where the sorter kept them.
    path : pathlib.Path
        Where they are stored.
    """

    waveforms: NDArray[np.float32]
    rows: NDArray[np.int64] | None
    positions_um: NDArray[np.float64] | None
    path: Path


def read_stored_templates(path: Path, source_format: str) -> StoredTemplates | None:
    """Read the templates of a phy folder or a rez file.

    Parameters
    ----------
    path : pathlib.Path
        Folder of the sorting, or its file.
    source_format : str
        What the sorting was read as.

    Returns
    -------
    StoredTemplates or None
        None if it keeps no templates.

    Raises
    ------
    SortingError
        The files are damaged or do not fit together.
    """
    if source_format == "phy":
        return _read_phy(path)
    if source_format != "kilosort":
        return None
    file = path if path.is_file() else find_sorter_output(path, "kilosort").path
    parts = read_rez_templates(file)
    return None if parts is None else StoredTemplates(parts[0], parts[1], None, file)


def _read_phy(folder: Path) -> StoredTemplates | None:
    path, map_path, place_path = (
        folder / f"{name}.npy" for name in ("templates", "channel_map", "channel_positions")
    )
    if not path.is_file():
        return None
    stored = open_npy(path)
    if stored.ndim != 3:
        raise SortingError(f"{path}: has {stored.ndim} axes, not 3; export the sorting again")
    columns = channels_of_columns(folder, stored)
    rows = whole_numbers(open_npy(map_path), "channel_map", map_path) if map_path.is_file() else None
    positions = _read_positions(place_path)
    known = [len(part) for part in (rows, positions) if part is not None]
    num_channels = known[0] if known else int(columns.max(initial=-1)) + 1
    if any(count != num_channels for count in known):
        raise SortingError(
            f"{map_path}: lists {known[0]} channels, but {place_path.name} {known[1]}; export the sorting again"
        )
    return StoredTemplates(_dense(stored, columns, num_channels), rows, positions, path)


def _read_positions(path: Path) -> NDArray[np.float64] | None:
    if not path.is_file():
        return None
    positions = np.array(open_npy(path), dtype=np.float64)
    return positions if positions.ndim == 2 and positions.shape[1] == 2 else None


def _dense(stored: NDArray[Any], columns: NDArray[np.int64], num_channels: int) -> NDArray[np.float32]:
    """Spread sparse columns over all channels; those that stand for no channel are left out."""
    num_templates, num_samples, _ = stored.shape
    dense = np.zeros((num_templates, num_samples, num_channels), dtype=np.float32)
    for index in range(num_templates):
        held = (columns[index] >= 0) & (columns[index] < num_channels)
        waveform = np.asarray(stored[index], dtype=np.float32)[:, held]
        dense[index][:, columns[index][held]] = np.nan_to_num(waveform, nan=0.0, posinf=0.0, neginf=0.0)
    return dense
