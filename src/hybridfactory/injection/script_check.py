"""Whether a stored script fits together: the compiled loops that work from it check nothing themselves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import NUM_PHASES as PHASES_PER_SAMPLE

__all__ = ["fault_of_script"]

KINDS = {
    **dict.fromkeys(("samples", "weight_starts", "labels", "num_waveforms", "num_columns"), "i8"),
    **dict.fromkeys(("waveform_starts", "rows", "row_starts", "window"), "i8"),
    **dict.fromkeys(("weights", "waveforms", "filters"), "f4"),
    "units": "i4",
    "phases": "i1",
}
PER_EVENT = ("samples", "units", "phases", "weight_starts")
PER_UNIT = ("labels", "num_waveforms", "num_columns", "waveform_starts", "row_starts")
NUM_PHASES = PHASES_PER_SAMPLE + 1  # the last is the first, a sample later
LARGEST = 2**31
"""Neither rows, columns, waveforms nor the samples of a window come near; their products stay exact."""


def fault_of_script(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """Say what is wrong with the arrays of a script; None if nothing is.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        As they were read; see `InjectionScript`.
    """
    for name, kind in KINDS.items():
        if name not in arrays:
            return f"it lacks {name}"
        if arrays[name].ndim != 1 or arrays[name].dtype != np.dtype(f"<{kind}").newbyteorder("="):
            return f"{name} is {arrays[name].dtype} of shape {arrays[name].shape}"
    for names in (PER_EVENT, PER_UNIT):
        if len({arrays[name].size for name in names}) > 1:
            return f"{', '.join(names)} differ in length"
    return _fault_of_units(arrays) or _fault_of_events(arrays)


def _fault_of_units(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    window, waveforms, columns = arrays["window"], arrays["num_waveforms"], arrays["num_columns"]
    has_odd_taps = arrays["filters"].size % (2 * NUM_PHASES) == NUM_PHASES
    if window.size != 2 or not _within(window, 0, LARGEST) or not has_odd_taps:
        return "window or filters is damaged"
    if np.any(np.diff(arrays["labels"]) <= 0):
        return "labels do not ascend"
    if not (_within(waveforms, 1, LARGEST) and _within(columns, 1, LARGEST) and _within(arrays["rows"], 0, LARGEST)):
        return "num_waveforms, num_columns or rows is damaged"
    width = int(window.sum()) + 1
    # Python's integers: products of damaged numbers must not come round to something that fits.
    sizes = [int(count) * width * int(wide) for count, wide in zip(waveforms, columns, strict=True)]
    if not _fits(arrays["waveform_starts"], sizes, arrays["waveforms"]):
        return "waveform_starts point outside waveforms"
    if not _fits(arrays["row_starts"], columns.tolist(), arrays["rows"]):
        return "row_starts point outside rows"
    return None


def _fault_of_events(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    samples, units, starts = arrays["samples"], arrays["units"], arrays["weight_starts"]
    if not _within(units, 0, arrays["labels"].size):
        return "units name units that are not there"
    if not _within(arrays["phases"], 0, NUM_PHASES):
        return "phases are damaged"
    if not _within(samples, -LARGEST, 2**62) or np.any(np.diff(samples) < 0):
        return "samples do not ascend"
    lasts = arrays["weights"].size - arrays["num_waveforms"][units]
    if np.any(starts < 0) or np.any(starts > lasts):
        return "weight_starts point outside weights"
    if not all(np.isfinite(arrays[name]).all() for name in ("weights", "waveforms", "filters")):
        return "weights, waveforms or filters hold values that are not finite"
    return None


def _within(values: NDArray[Any], lowest: int, end: int) -> bool:
    return bool(values.size == 0 or (values.min() >= lowest and values.max() < end))


def _fits(starts: NDArray[Any], sizes: list[int], whole: NDArray[Any]) -> bool:
    return all(start >= 0 and start + size <= whole.size for start, size in zip(starts.tolist(), sizes, strict=True))
