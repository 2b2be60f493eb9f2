"""What a rez file says of its templates: the parts that Kilosort keeps, and the raw rows they are of."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.sorting.assembly import whole_numbers
from hybridfactory.sorting.mat_file import MatFile, open_mat

__all__ = ["read_rez_templates", "template_channels"]

SMALL = 1 << 24
MAX_GROWTH = 100
"""Templates have at most so many numbers for each of their parts' numbers: Kilosort's have about 20."""


def template_channels(mat: MatFile, num_channels: int) -> NDArray[np.int64] | None:
    """Raw row of each channel of the templates; None if ``ops.chanMap`` does not tell or does not fit them."""
    channel_map = mat.numbers("rez/ops/chanMap")  # text, if only the path of a channel map was kept
    if channel_map is None:
        return None
    rows = whole_numbers(channel_map, "rez.ops.chanMap", mat.path) - 1
    connected = mat.numbers("rez/connected")
    if len(rows) != num_channels and connected is not None and connected.size == len(rows):
        # Kilosort 1 keeps the whole map; its templates have the connected channels only.
        rows = rows[connected.reshape(-1) > 0]
    return rows if len(rows) == num_channels else None


def read_rez_templates(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64] | None] | None:
    """Multiply a rez file's templates out: ``U`` over channels times ``Wphy`` (else ``W``) over samples.

    Returns
    -------
    templates : numpy.ndarray of float32, shape (num_templates, num_samples, num_channels)
    rows : numpy.ndarray of int64, shape (num_channels,), or None
        Raw rows, where the file tells them.

    None in place of both if the file holds no templates, or parts that do not fit together.
    """
    with open_mat(path, ["rez"]) as mat:
        time_parts, channel_parts = mat.numbers("rez/Wphy"), mat.numbers("rez/U")
        if time_parts is None:
            time_parts = mat.numbers("rez/W")
        if time_parts is None or channel_parts is None:
            return None
        rows = template_channels(mat, channel_parts.shape[0])
    # MATLAB drops a last axis of length one: a single rank leaves two axes.
    over_time, over_channels = _finite(time_parts), _finite(channel_parts)  # samples or channels x template x rank
    if over_time.shape[1:] != over_channels.shape[1:]:
        return None
    num_values = over_time.shape[0] * over_channels.shape[0] * over_time.shape[1]
    if num_values > max(MAX_GROWTH * (over_time.size + over_channels.size), SMALL):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        templates = np.einsum("stk,ctk->tsc", over_time, over_channels, optimize=True)
    return _finite(templates), rows


def _finite(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        narrow = np.atleast_3d(values).astype(np.float32)
    return np.nan_to_num(narrow, nan=0.0, posinf=0.0, neginf=0.0)
