"""The compiled inner loops of alignment. Each snippet's result depends on itself alone, and sums have one order."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["filter_line", "find_offsets", "shift_windows"]

NUM_ROUNDS = 3
MIN_AMPLITUDE = 0.2


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def shift_windows(
    shifted: NDArray[np.float32],
    windows: NDArray[np.float32],
    which: NDArray[np.int64],
    taps: NDArray[np.float32],
) -> None:
    """Filter each window in time with one of some filters, with zeros outside.

    Parameters
    ----------
    shifted, windows : numpy.ndarray of float32, shape (num_windows, num_samples, num_rows)
    which : numpy.ndarray of int64, shape (num_windows,)
        The filter of each window.
    taps : numpy.ndarray of float32, shape (num_filters, num_taps)
        An odd number of taps, the middle one for the sample itself.
    """
    num_samples, num_rows = windows.shape[1:]
    size = num_samples * num_rows
    for window in range(windows.shape[0]):
        # Samples and rows as one long line, which the processor takes many at a time.
        source, target = windows[window].reshape(size), shifted[window].reshape(size)
        filter_line(target, source, taps[which[window]], num_rows, 0, size)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def filter_line(
    target: NDArray[np.float32],
    source: NDArray[np.float32],
    taps: NDArray[np.float32],
    num_rows: int,
    low: int,
    high: int,
) -> None:
    """Filter samples × rows, as one line, in time, with zeros outside; only [low, high) of the result is needed."""
    target[low:high] = 0
    for tap in range(taps.size):
        weight = taps[tap]
        if weight != 0:
            move = (tap - taps.size // 2) * num_rows
            begin, end = max(low, -move), min(high, source.size - move)
            near, far = target[begin:end], source[begin + move : end + move]
            for index in range(near.size):
                near[index] += weight * far[index]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def find_offsets(
    offsets: NDArray[np.float64],
    snippets: NDArray[np.float32],
    columns: NDArray[np.int64],
    projectors: NDArray[np.float32],
    num_phases: int,
    max_offset: float,
) -> None:
    """Improve the offset of each snippet, by a step that amplitude and lateness say, a few times.

    Parameters
    ----------
    offsets : numpy.ndarray of float64, shape (num_snippets,)
        Where to begin; changed in place.
    snippets : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
    columns : numpy.ndarray of int64, shape (num_timing_rows,)
        Rows of the snippets.
    projectors : numpy.ndarray of float32, shape (num_shifts, 2, num_samples, num_timing_rows)
        For each offset in steps of 1 / `num_phases`, patterns whose sums of products with a snippet are its
        amplitude and its lateness.
    """
    num_samples, num_columns = projectors.shape[2:]
    values = np.empty(num_samples * num_columns, dtype=np.float32)
    largest = projectors.shape[0] // 2
    for snippet in range(snippets.shape[0]):
        for sample in range(num_samples):
            for index in range(num_columns):
                values[sample * num_columns + index] = snippets[snippet, sample, columns[index]]
        offset = offsets[snippet]
        for _ in range(NUM_ROUNDS):
            phase = int(np.rint(offset * num_phases))
            patterns = projectors[phase + largest].reshape(2, values.size)
            amplitude, lateness = _product(patterns[0], values), _product(patterns[1], values)
            step = lateness / max(amplitude, MIN_AMPLITUDE)
            offset = min(max(offset + min(max(step, -1.0), 1.0), -max_offset), max_offset)
        offsets[snippet] = offset


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _product(pattern: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """Sum of products, in eight interleaved parts that the processor takes at once."""
    parts = np.zeros(8, dtype=np.float32)
    whole = values.size // 8 * 8
    for start in range(0, whole, 8):
        for part in range(8):
            parts[part] += pattern[start + part] * values[start + part]
    for index in range(whole, values.size):
        parts[index - whole] += pattern[index] * values[index]
    total = 0.0
    for part in range(8):
        total += np.float64(parts[part])
    return total
