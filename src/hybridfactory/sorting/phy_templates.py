"""The raw row on which each template of a phy folder is largest."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.sorting.assembly import whole_numbers
from hybridfactory.sorting.npy_file import open_npy, read_npy_header

__all__ = ["channels_of_columns", "template_rows"]


def template_rows(folder: Path) -> NDArray[np.int64]:
    """Find the raw row on which each template is largest, peak to peak.

    Parameters
    ----------
    folder : pathlib.Path
        Holds templates.npy (template x time x channel) and channel_map.npy; sparse templates bring a
        templates_ind.npy or template_ind.npy. Without the first two, nothing is known.

    Returns
    -------
    numpy.ndarray of int64, shape (num_templates,)
        -1 where it cannot be told: an empty template, or one on a channel that is not in the map.

    Raises
    ------
    SortingError
        A file is damaged, or the files do not fit together.
    """
    path, map_path = folder / "templates.npy", folder / "channel_map.npy"
    if not (path.is_file() and map_path.is_file()):
        return np.empty(0, np.int64)
    templates = open_npy(path)
    if templates.ndim != 3:
        raise SortingError(f"{path}: has {templates.ndim} axes, not 3; export the sorting again")
    channel_map = whole_numbers(open_npy(map_path), "channel_map", map_path)
    if channel_map.size and channel_map.min() < 0:
        raise SortingError(f"{map_path}: holds the negative row {channel_map.min()}; export the sorting again")
    if templates.size == 0 or channel_map.size == 0:
        return np.full(len(templates), -1)
    extent = _extent(templates, along_channels=read_npy_header(path).fortran_order)
    every = np.arange(len(templates))
    channel = channels_of_columns(folder, templates)[every, np.argmax(extent, axis=1)]
    known = (channel >= 0) & (channel < len(channel_map)) & (extent.max(axis=1) > 0)
    return np.where(known, channel_map[np.where(known, channel, 0)], -1)


def _extent(templates: NDArray[Any], *, along_channels: bool) -> NDArray[np.float64]:
    """Peak-to-peak size, template x column.

    The file may have several GB: it is read once, in its own order, a slice at a time.
    """
    num_templates, _, num_columns = templates.shape
    extent = np.empty((num_templates, num_columns))
    with np.errstate(invalid="ignore", over="ignore"):
        if along_channels:
            for column in range(num_columns):
                extent[:, column] = np.ptp(templates[:, :, column], axis=1)
        else:
            for index in range(num_templates):
                extent[index] = np.ptp(templates[index], axis=0)
    return np.nan_to_num(extent, nan=0.0)


def channels_of_columns(folder: Path, templates: NDArray[Any]) -> NDArray[np.int64]:
    """Channel of each template's columns, template x column; sparse templates have their own."""
    num_templates, _, num_columns = templates.shape
    for name in ("templates_ind.npy", "template_ind.npy"):
        path = folder / name
        if path.is_file():
            index = open_npy(path)
            needed = (num_templates, num_columns)
            if index.shape != needed:
                raise SortingError(
                    f"{path}: has shape {index.shape}, but templates.npy needs {needed}; export it again"
                )
            return whole_numbers(np.array(index).reshape(-1), name, path).reshape(index.shape)
    return np.broadcast_to(np.arange(num_columns), (num_templates, num_columns))
