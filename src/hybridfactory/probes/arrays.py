"""The parts of a probe as arrays of one type, whatever a parameter file gave; errors name the part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import ProbeError

__all__ = ["one_line", "read_flags", "read_positions", "read_rows", "read_shank_ids", "some"]


def one_line(error: Exception) -> str:
    """Text of an exception on one line; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def _read_array(value: object, part: str) -> NDArray[Any]:
    try:
        return np.array(value)
    except (ValueError, TypeError) as error:
        raise ProbeError(
            f"{part} is not a regular array ({one_line(error)}): give one value, or one pair, per channel"
        ) from error


def _read_vector(value: object, part: str) -> NDArray[Any]:
    array = _read_array(value, part)
    # MATLAB files give vectors as N × 1 or 1 × N, and parameter files pass them on as they come.
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1:
        raise ProbeError(f"{part} must be a list of one value per channel, got shape {array.shape}")
    return array


def read_rows(value: object) -> NDArray[np.int64]:
    """Read raw-file rows; shape (num_channels,), each named once."""
    array = _read_vector(value, "channel_map")
    if not array.size:
        raise ProbeError("channel_map is empty: list the raw-file row of each channel")
    if array.dtype.kind not in "iu":
        raise ProbeError(f"channel_map must hold whole numbers (raw-file rows), got {array.dtype} values")
    if array.min() < 0:
        raise ProbeError(f"channel_map holds row {array.min()}: count rows from 0, and give each")
    if array.max() >= 2**31:
        raise ProbeError(f"channel_map holds row {array.max()}: no raw file has that many rows")
    rows = array.astype(np.int64)
    values, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise ProbeError(f"channel_map names row(s) {some(values[counts > 1])} more than once: list each row once")
    return rows


def read_flags(value: object, num_channels: int) -> NDArray[np.bool_]:
    """Read one True or False (or 1 or 0) per channel."""
    array = _read_vector(value, "connected")
    _check_length(len(array), num_channels, "connected")
    if array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all():
        raise ProbeError("connected must hold True or False (or 1 or 0) for each channel")
    return array.astype(np.bool_)


def read_positions(value: object, num_channels: int) -> NDArray[np.float64]:
    """Read x and y per channel, µm, finite or NaN; shape (num_channels, 2)."""
    array = _read_array(value, "channel_positions")
    if array.dtype.kind not in "iuf":
        raise ProbeError(f"channel_positions must hold numbers (µm), got {array.dtype} values")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ProbeError(f"channel_positions must have shape ({num_channels}, 2), got {array.shape}")
    _check_length(len(array), num_channels, "channel_positions")
    positions = array.astype(np.float64, order="C")
    if np.isinf(positions).any():
        raise ProbeError("channel_positions holds an infinite value: use NaN for a row that has no place")
    return positions


def read_shank_ids(value: object, num_channels: int) -> tuple[str, ...] | None:
    """Read one shank name per channel, or None."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise ProbeError(f"shank_ids must be a list of one text per channel, got {value!r}")
    shanks = np.asarray(value).tolist() if isinstance(value, np.ndarray) else list(value)
    if not all(isinstance(shank, str) for shank in shanks):
        raise ProbeError("shank_ids must hold text, such as '0' or 'left'")
    _check_length(len(shanks), num_channels, "shank_ids")
    return tuple(str(shank) for shank in shanks)


def _check_length(length: int, num_channels: int, part: str) -> None:
    if length != num_channels:
        raise ProbeError(f"{part} has {length} entries, but channel_map has {num_channels}: give one per channel")


def some(values: NDArray[np.int64]) -> str:
    """Name the first five of some rows, and how many more there are."""
    shown = ", ".join(str(value) for value in values[:5].tolist())
    return shown if values.size <= 5 else f"{shown} and {values.size - 5} more"
