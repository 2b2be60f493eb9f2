"""The compiled inner loops of rendering. Order of summation is fixed, so that no cut changes a bit."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_events", "apply_patch", "count_marked"]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_events(
    patch: NDArray[np.float32],
    start: int,
    first: int,
    last: int,
    samples: NDArray[np.int64],
    units: NDArray[np.int32],
    phases: NDArray[np.int8],
    weights: NDArray[np.float32],
    weight_starts: NDArray[np.int64],
    num_waveforms: NDArray[np.int64],
    num_columns: NDArray[np.int64],
    bank: NDArray[np.float32],
    bank_starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    row_starts: NDArray[np.int64],
    window: NDArray[np.int64],
) -> None:
    """Add events [first, last) to `patch`, num_samples × num_rows, whose first sample is `start`."""
    width = window[0] + 1 + window[1]
    value = np.empty(num_columns.max(), dtype=np.float32)
    for event in range(first, last):
        unit = units[event]
        count, columns = num_waveforms[unit], num_columns[unit]
        stride = width * columns
        bank_start = bank_starts[unit] + phases[event] * count * stride
        begin = samples[event] - window[0] - start
        for t in range(max(0, -begin), min(width, patch.shape[0] - begin)):
            offset = bank_start + t * columns
            weight = weights[weight_starts[event]]
            for column in range(columns):
                value[column] = weight * bank[offset + column]
            for k in range(1, count):
                weight = weights[weight_starts[event] + k]
                shift = offset + k * stride
                for column in range(columns):
                    value[column] += weight * bank[shift + column]
            for column in range(columns):
                patch[begin + t, rows[row_starts[unit] + column]] += value[column]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def apply_patch(
    traces: NDArray[np.generic], patch: NDArray[np.float32], is_integer: bool, lowest: float, highest: float
) -> int:
    """Add `patch` to `traces` in place: summed in float64, rounded half to even, clipped.

    Samples whose patch is zero keep their very bits. Clipped samples are marked by NaN in `patch`.

    Returns
    -------
    int
        Number of clipped samples.
    """
    clipped = 0
    for sample in range(traces.shape[0]):
        for row in range(traces.shape[1]):
            change = patch[sample, row]
            if change == 0:
                continue
            total = np.float64(traces[sample, row]) + np.float64(change)
            if is_integer:
                total = np.rint(total)
                if total < lowest or total > highest:
                    total = min(max(total, lowest), highest)
                    patch[sample, row] = np.nan
                    clipped += 1
            traces[sample, row] = total
    return clipped


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def count_marked(
    counts: NDArray[np.int32],
    patch: NDArray[np.float32],
    start: int,
    first: int,
    last: int,
    samples: NDArray[np.int64],
    units: NDArray[np.int32],
    num_columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    row_starts: NDArray[np.int64],
    window: NDArray[np.int64],
) -> None:
    """Add to `counts` how many marked samples of `patch` each of the events [first, last) covers."""
    width = window[0] + 1 + window[1]
    for event in range(first, last):
        unit = units[event]
        begin = samples[event] - window[0] - start
        for t in range(max(0, -begin), min(width, patch.shape[0] - begin)):
            for column in range(num_columns[unit]):
                if np.isnan(patch[begin + t, rows[row_starts[unit] + column]]):
                    counts[event] += 1
