"""The compiled inner loops over windows: out of blocks, summed, leveled, and measured."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LARGEST_VALUE", "add_windows", "gather_windows", "largest_magnitudes", "level_windows", "mean_squares"]

LARGEST_VALUE = np.float32(1e15)
"""Samples from there on count as missing, like NaN and infinity: sums of their squares leave single precision."""


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def gather_windows(
    words: NDArray[np.unsignedinteger],
    block: NDArray[np.unsignedinteger],
    first_samples: NDArray[np.int64],
    owners: NDArray[np.int64],
    ranks: NDArray[np.int64],
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    column_starts: NDArray[np.int64],
    width: int,
) -> None:
    """Copy windows of `width` samples out of a block, each on its owner's columns.

    Parameters
    ----------
    words : numpy.ndarray, flat
        Window r of owner o begins at ``starts[o]`` + r × `width` × the number of o's columns.
    block : numpy.ndarray, shape (num_samples, num_columns)
    first_samples, owners, ranks : numpy.ndarray of int64, shape (num_windows,)
        Where in the block each window begins, whose it is, and its number among them.
    columns, column_starts : numpy.ndarray of int64
        Owner o's columns run from ``column_starts[o]`` to ``column_starts[o + 1]``.
    """
    for window in range(first_samples.size):
        owner = owners[window]
        first, last = column_starts[owner], column_starts[owner + 1]
        place = starts[owner] + ranks[window] * width * (last - first)
        for sample in range(first_samples[window], first_samples[window] + width):
            for column in range(first, last):
                words[place] = block[sample, columns[column]]
                place += 1


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_windows(
    sums: NDArray[np.float64],
    block: NDArray[np.generic],
    first_samples: NDArray[np.int64],
    owners: NDArray[np.int64],
    columns: NDArray[np.int64],
    may_be_infinite: bool,
) -> None:
    """Add windows of a block to their owners' sums, one after the other.

    Those with NaN, infinity, or what is as large as `LARGEST_VALUE` are left out.

    Parameters
    ----------
    sums : numpy.ndarray of float64, shape (num_owners, width, num_columns)
    block : numpy.ndarray, shape (num_samples, num_rows)
    first_samples, owners : numpy.ndarray of int64, shape (num_windows,)
    columns : numpy.ndarray of int64, shape (num_columns,)
        Rows of the block.
    may_be_infinite : bool
        Whether the type has such values.
    """
    width = sums.shape[1]
    for window in range(first_samples.size):
        first = first_samples[window]
        is_finite = True
        if may_be_infinite:
            for sample in range(first, first + width):
                for column in columns:
                    is_finite &= np.abs(block[sample, column]) < LARGEST_VALUE  # false for NaN
        if is_finite:
            total = sums[owners[window]]
            for sample in range(width):
                for index in range(columns.size):
                    total[sample, index] += np.float64(block[first + sample, columns[index]])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def level_windows(
    leveled: NDArray[np.float32],
    windows: NDArray[np.generic],
    columns: NDArray[np.int64],
    ramp: NDArray[np.floating],
    num_ends: int,
) -> None:
    """Subtract from each window and column the line through the means of its first and last `num_ends` samples.

    Calculated in the type of `ramp`, in one fixed order: each window's result depends on itself alone.

    Parameters
    ----------
    leveled : numpy.ndarray of float32, shape (num_windows, num_samples, num_columns)
    windows : numpy.ndarray, shape (num_windows, num_samples, num_rows)
    columns : numpy.ndarray of int64, shape (num_columns,)
        Rows of the windows.
    ramp : numpy.ndarray of float32 or float64, shape (num_samples,)
        Line whose ends differ by one.
    """
    num_samples = windows.shape[1]
    values = np.empty((num_samples, columns.size), dtype=ramp.dtype)
    head, rise = np.empty(columns.size, dtype=ramp.dtype), np.empty(columns.size, dtype=ramp.dtype)
    count = ramp.dtype.type(num_ends)
    for window in range(windows.shape[0]):
        for sample in range(num_samples):
            for index in range(columns.size):
                # Large offsets (a 12-bit converter's 2048, float64 data) leave before the precision is cut.
                origin = ramp.dtype.type(windows[window, 0, columns[index]])
                values[sample, index] = ramp.dtype.type(windows[window, sample, columns[index]]) - origin
        head[:] = 0
        rise[:] = 0
        for sample in range(num_ends):
            for index in range(columns.size):
                head[index] += values[sample, index]
                rise[index] += values[num_samples - num_ends + sample, index]
        for index in range(columns.size):
            head[index] /= count
            rise[index] = rise[index] / count - head[index]
        for sample in range(num_samples):
            for index in range(columns.size):
                leveled[window, sample, index] = (values[sample, index] - head[index]) - ramp[sample] * rise[index]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def mean_squares(means: NDArray[np.float64], windows: NDArray[np.float32]) -> None:
    """Write the mean square of each window into `means`; `windows` has the shape (num_windows, num_features)."""
    num_features = windows.shape[1]
    whole = num_features // 8 * 8
    parts = np.empty(8, dtype=np.float64)
    for window in range(windows.shape[0]):
        values = windows[window]
        parts[:] = 0
        # Eight interleaved sums, which the processor takes at once.
        for start in range(0, whole, 8):
            for part in range(8):
                parts[part] += np.float64(values[start + part]) * np.float64(values[start + part])
        for index in range(whole, num_features):
            parts[index - whole] += np.float64(values[index]) * np.float64(values[index])
        total = 0.0
        for part in range(8):
            total += parts[part]
        means[window] = total / max(num_features, 1)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def largest_magnitudes(largest: NDArray[np.float32], windows: NDArray[np.float32]) -> None:
    """Write the largest absolute value of each window into `largest`; a window with NaN has none that counts."""
    parts = np.empty(8, dtype=np.float32)
    whole = windows.shape[1] // 8 * 8
    for window in range(windows.shape[0]):
        values = windows[window]
        parts[:] = 0
        for start in range(0, whole, 8):
            for part in range(8):
                size = abs(values[start + part])
                parts[part] = size if size > parts[part] else parts[part]
        for index in range(whole, values.size):
            size = abs(values[index])
            parts[0] = size if size > parts[0] else parts[0]
        largest[window] = parts.max()
