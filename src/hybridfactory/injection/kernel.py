"""The compiled inner loops of rendering. Order of summation is fixed, so that no cut changes a bit."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["add_events", "add_to_floats", "add_to_integers", "count_marked"]


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
    """Fill `patch`, num_samples × num_rows with `start` as first sample, with the sum of the events [first, last)."""
    width = window[0] + 1 + window[1]
    event_values = np.empty(width * num_columns.max(), dtype=np.float32)
    patch[:] = 0
    for event in range(first, last):
        unit = units[event]
        count, columns = num_waveforms[unit], num_columns[unit]
        begin = samples[event] - window[0] - start
        first_sample, last_sample = max(0, -begin), min(width, patch.shape[0] - begin)
        # Samples and columns as one long line, which the processor takes many at a time.
        size = width * columns
        values = event_values[: (last_sample - first_sample) * columns]
        place = bank_starts[unit] + phases[event] * count * size + first_sample * columns
        waveform = bank[place : place + values.size]
        weight = weights[weight_starts[event]]
        for index in range(values.size):
            values[index] = weight * waveform[index]
        for k in range(1, count):
            waveform = bank[place + k * size : place + k * size + values.size]
            weight = weights[weight_starts[event] + k]
            for index in range(values.size):
                values[index] += weight * waveform[index]
        own_rows = rows[row_starts[unit] : row_starts[unit] + columns]
        for t in range(first_sample, last_sample):
            line = patch[begin + t]
            offset = (t - first_sample) * columns
            for column in range(columns):
                line[own_rows[column]] += values[offset + column]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_to_integers(traces: NDArray[np.integer], patch: NDArray[np.float32], lowest: float, highest: float) -> int:
    """Add `patch` to `traces` in place: summed in float64, rounded half to even, clipped.

    Clipped samples are marked by NaN in `patch`. For integers of 32 bits at most; where the patch is zero, they stay
    as they are.

    Returns
    -------
    int
        Number of clipped samples.
    """
    num_clipped = 0
    for sample in range(traces.shape[0]):
        line, change = traces[sample], patch[sample]
        num_before = num_clipped
        for row in range(line.size):
            total = np.rint(np.float64(line[row]) + np.float64(change[row]))
            num_clipped += (total < lowest) | (total > highest)
        if num_clipped == num_before:
            for row in range(line.size):
                line[row] = np.rint(np.float64(line[row]) + np.float64(change[row]))
            continue
        for row in range(line.size):
            total = np.rint(np.float64(line[row]) + np.float64(change[row]))
            if total < lowest or total > highest:
                change[row] = np.nan
            line[row] = min(max(total, lowest), highest)
    return num_clipped


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_to_floats(traces: NDArray[np.floating], patch: NDArray[np.float32]) -> None:
    """Add `patch` to `traces` in place, summed in float64. Where it is zero, every bit stays, of NaNs too."""
    for sample in range(traces.shape[0]):
        line, change = traces[sample], patch[sample]
        for row in range(line.size):
            if change[row] != 0:
                line[row] = np.float64(line[row]) + np.float64(change[row])


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
