"""The compiled inner loops of rendering. Order of summation is fixed, so that no cut changes a bit."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hybridfactory.events.alignment_kernel import filter_line

__all__ = ["EventArrays", "add_to_floats", "add_to_integers", "count_marked", "sum_events"]


EventArrays = tuple[NDArray[Any], ...]
"""The arrays of an `InjectionScript` in its order, without `labels`. A plain tuple's types are told in no time."""


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def sum_events(patch: NDArray[np.float32], start: int, first: int, last: int, script: EventArrays) -> None:
    """Fill `patch`, num_samples × num_rows with `start` as first sample, with the sum of the events [first, last)."""
    patch[:] = 0
    _add_events(patch, start, first, last, script)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_to_integers(
    traces: NDArray[np.integer],
    patch: NDArray[np.float32],
    lowest: float,
    highest: float,
    start: int,
    first: int,
    last: int,
    script: EventArrays,
) -> int:
    """Add the events [first, last) to `traces`, num_samples × num_rows with `start` as first sample, in place.

    Their sum in single precision is added in float64, rounded half to even, and clipped. For integers of 32 bits at
    most; where nothing is added, they stay as they are.

    Parameters
    ----------
    patch : numpy.ndarray of float32, shape (num_samples, num_rows)
        Written over where events are; clipped samples are NaN in it.

    Returns
    -------
    int
        Number of clipped samples.
    """
    num_clipped = 0
    while first < last:
        after, begin, end, low, high = _next_group(patch.shape[0], start, first, last, script)
        patch[begin:end, low:high] = 0
        _add_events(patch, start, first, after, script)
        for sample in range(begin, end):
            num_clipped += _add_line(traces[sample, low:high], patch[sample, low:high], lowest, highest)
        first = after
    return num_clipped


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_to_floats(
    traces: NDArray[np.floating], patch: NDArray[np.float32], start: int, first: int, last: int, script: EventArrays
) -> None:
    """Add events to floating-point samples in place; see `add_to_integers`.

    Where their sum is zero, every bit stays, of NaNs too.
    """
    while first < last:
        after, begin, end, low, high = _next_group(patch.shape[0], start, first, last, script)
        patch[begin:end, low:high] = 0
        _add_events(patch, start, first, after, script)
        for sample in range(begin, end):
            line, change = traces[sample, low:high], patch[sample, low:high]
            for row in range(line.size):
                if change[row] != 0:
                    line[row] = np.float64(line[row]) + np.float64(change[row])
        first = after


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _next_group(
    num_samples: int,
    start: int,
    first: int,
    last: int,
    script: EventArrays,
) -> tuple[int, int, int, int, int]:
    """Events from `first` on whose windows overlap: where they end, and the samples and rows that they touch."""
    samples, units, _, _, _, _, num_columns, _, _, _, rows, row_starts, window = script
    begin = max(0, samples[first] - window[0] - start)
    end, low, high, event = begin, rows.max(), 0, first
    while event < last and (event == first or samples[event] - window[0] - start < end):
        end = min(num_samples, samples[event] + window[1] + 1 - start)
        unit = units[event]
        for row in rows[row_starts[unit] : row_starts[unit] + num_columns[unit]]:
            low, high = min(low, row), max(high, row + 1)
        event += 1
    return event, begin, end, low, high


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_events(patch: NDArray[np.float32], start: int, first: int, last: int, script: EventArrays) -> None:
    """Add the events [first, last) to `patch`, num_samples × num_rows with `start` as first sample."""
    samples, units, phases, weights, weight_starts, num_waveforms = script[:6]
    num_columns, waveforms, waveform_starts, filters, rows, row_starts, window = script[6:]
    width = window[0] + 1 + window[1]
    sums = np.empty((2, width * num_columns.max()), dtype=np.float32)
    for event in range(first, last):
        unit = units[event]
        count, columns = num_waveforms[unit], num_columns[unit]
        begin = samples[event] - window[0] - start
        first_sample, last_sample = max(0, -begin), min(width, patch.shape[0] - begin)
        # Samples and columns as one long line, which the processor takes many at a time.
        size, place = width * columns, waveform_starts[unit]
        values, delayed = sums[0, :size], sums[1, :size]
        values[:] = 0
        for k in range(count):
            waveform = waveforms[place + k * size : place + (k + 1) * size]
            weight = weights[weight_starts[event] + k]
            for index in range(size):
                values[index] += weight * waveform[index]
        low, high = first_sample * columns, last_sample * columns
        filter_line(delayed, values, filters[phases[event]], columns, low, high)
        own_rows = rows[row_starts[unit] : row_starts[unit] + columns]
        for t in range(first_sample, last_sample):
            line = patch[begin + t]
            for column in range(columns):
                line[own_rows[column]] += delayed[t * columns + column]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_line(line: NDArray[np.integer], change: NDArray[np.float32], lowest: float, highest: float) -> int:
    """Add to one sample of some rows; how many were clipped, and are marked by NaN in `change`."""
    num_clipped = 0
    for row in range(line.size):
        total = np.rint(np.float64(line[row]) + np.float64(change[row]))
        num_clipped += (total < lowest) | (total > highest)
    if num_clipped == 0:
        for row in range(line.size):
            line[row] = np.rint(np.float64(line[row]) + np.float64(change[row]))
        return 0
    for row in range(line.size):
        total = np.rint(np.float64(line[row]) + np.float64(change[row]))
        if total < lowest or total > highest:
            change[row] = np.nan
        line[row] = min(max(total, lowest), highest)
    return num_clipped


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def count_marked(
    counts: NDArray[np.int32], patch: NDArray[np.float32], start: int, first: int, last: int, script: EventArrays
) -> None:
    """Add to `counts` how many marked samples of `patch` each of the events [first, last) covers."""
    samples, units, _, _, _, _, num_columns, _, _, _, rows, row_starts, window = script
    width = window[0] + 1 + window[1]
    for event in range(first, last):
        unit = units[event]
        begin = samples[event] - window[0] - start
        for t in range(max(0, -begin), min(width, patch.shape[0] - begin)):
            for column in range(num_columns[unit]):
                if np.isnan(patch[begin + t, rows[row_starts[unit] + column]]):
                    counts[event] += 1
