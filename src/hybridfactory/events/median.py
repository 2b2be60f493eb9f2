"""The median of many windows, feature by feature."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hybridfactory.events.snippets import remove_baseline

__all__ = ["median_halves", "median_window"]

FEATURES_AT_ONCE = 256
NUM_ROBUST_MEAN = 301


def median_window(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over windows, exactly as `numpy.median` has it; the windows hold no NaN.

    Parameters
    ----------
    windows : numpy.ndarray of float32, shape (num_windows, num_samples, num_rows)
        At least one window.

    Returns
    -------
    numpy.ndarray of float32, shape (num_samples, num_rows)
    """
    flat = windows.reshape(len(windows), -1)
    # As integers, floats of one sign are in order already; negative ones are turned round.
    keys = np.empty((len(flat), FEATURES_AT_ONCE), dtype=np.int32)
    lower, upper = np.empty(flat.shape[1], dtype=np.int32), np.empty(flat.shape[1], dtype=np.int32)
    for first in range(0, flat.shape[1], FEATURES_AT_ONCE):
        part = flat[:, first : first + FEATURES_AT_ONCE].view(np.int32)
        some = keys[:, : part.shape[1]]
        np.bitwise_xor(part, (part >> 31) & 0x7FFFFFFF, out=some)
        bounds = slice(first, first + part.shape[1])
        _find_middle(lower[bounds], upper[bounds], some)
    middle = [(bound ^ ((bound >> 31) & 0x7FFFFFFF)).view(np.float32) for bound in (lower, upper)]
    return np.asarray((middle[0] + middle[1]) / np.float32(2)).reshape(windows.shape[1:])


def median_halves(snippets: NDArray[np.generic], finite: NDArray[np.int64]) -> tuple[NDArray[np.float32], int]:
    """Medians of every other snippet, as large a share of them as needed, and how many went in.

    Parameters
    ----------
    snippets : numpy.ndarray, shape (num_snippets, num_samples, num_rows)
        As read.
    finite : numpy.ndarray of int64
        Indices of those that hold numbers.

    Returns
    -------
    halves : numpy.ndarray of float32, shape (2, num_samples, num_rows)
    num_averaged : int
    """
    stride = 2 * -(-finite.size // (2 * NUM_ROBUST_MEAN))
    halves = np.stack([median_window(remove_baseline(snippets[finite[parity::stride]])) for parity in (0, 1)])
    return halves, 2 * len(finite[::stride])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find_middle(lower: NDArray[np.int32], upper: NDArray[np.int32], keys: NDArray[np.int32]) -> None:
    """Find the two middle values of each column of `keys`, or twice the one, by halving the range they lie in.

    All columns at a time: comparing and counting is what the processor does with many values at once.
    """
    num_keys, num_columns = keys.shape
    wanted = (num_keys - 1) // 2
    low, high = np.empty(num_columns, dtype=np.int32), np.empty(num_columns, dtype=np.int32)
    middle, count = np.empty(num_columns, dtype=np.int32), np.empty(num_columns, dtype=np.int32)
    low[:] = keys[0]
    high[:] = keys[0]
    for key in range(1, num_keys):
        for column in range(num_columns):
            value = keys[key, column]
            low[column] = value if value < low[column] else low[column]
            high[column] = value if value > high[column] else high[column]
    is_open = True
    while is_open:
        for column in range(num_columns):
            # Half of the sum without overflow, rounded down.
            middle[column] = (low[column] & high[column]) + ((low[column] ^ high[column]) >> 1)
        count[:] = 0
        for key in range(num_keys):
            line = keys[key]
            for column in range(num_columns):
                count[column] += np.int32(line[column] <= middle[column])
        is_open = False
        for column in range(num_columns):
            enough = count[column] > wanted
            high[column] = middle[column] if enough else high[column]
            low[column] = low[column] if enough else middle[column] + 1
            is_open |= low[column] < high[column]
    lower[:] = low
    # The next one up: the same value again, or the smallest that is larger.
    count[:] = 0
    upper[:] = np.iinfo(np.int32).max
    for key in range(num_keys):
        line = keys[key]
        for column in range(num_columns):
            value = line[column]
            count[column] += np.int32(value <= low[column])
            is_next = (value > low[column]) & (value < upper[column])
            upper[column] = value if is_next else upper[column]
    for column in range(num_columns):
        if num_keys % 2 == 1 or count[column] > wanted + 1:
            upper[column] = low[column]
