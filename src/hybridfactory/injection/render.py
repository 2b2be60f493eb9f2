"""Source samples in, hybrid samples out: the one function that both the file and the lazy recording come from."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.injection.kernel import add_events, apply_patch, count_marked
from hybridfactory.injection.script import InjectionScript

__all__ = ["MAX_SPAN_SAMPLES", "render"]

MAX_SPAN_SAMPLES = 8192
"""Longest piece to render at once; at 385 rows, 12 MB of float32."""

COMPILED_TYPES = frozenset("bBhHiIfd")


def render(
    traces: NDArray[np.generic],
    start: int,
    script: InjectionScript,
    clipped: NDArray[np.int32] | None = None,
) -> NDArray[np.generic]:
    """Render a piece of the hybrid.

    Parameters
    ----------
    traces : numpy.ndarray, shape (num_samples, num_rows)
        The source's samples, all rows. Left as they are.
    start : int
        Timeline index of the first of them.
    script : InjectionScript
    clipped : numpy.ndarray of int32, shape (num_events,), optional
        Per event, the number of its samples that hit the end of the data type's range is added to it. Pieces
        that do not overlap may share it.

    Returns
    -------
    numpy.ndarray, shape (num_samples, num_rows), same data type
    """
    first, last = script.events_in(start, start + len(traces))
    if first == last:
        return traces.copy()
    native = traces.dtype.newbyteorder("=")
    # Byte order is changed by moving bytes: values that nothing is added to keep every bit, NaNs too.
    hybrid = traces.copy() if traces.dtype.isnative else traces.byteswap().view(native)
    patch = np.zeros(traces.shape, dtype=np.float32)
    add_events(
        patch,
        start,
        first,
        last,
        script.samples,
        script.units,
        script.phases,
        script.weights,
        script.weight_starts,
        script.num_waveforms,
        script.num_columns,
        script.bank,
        script.bank_starts,
        script.rows,
        script.row_starts,
        script.window,
    )
    if _apply(hybrid, patch) and clipped is not None:
        count_marked(
            clipped,
            patch,
            start,
            first,
            last,
            script.samples,
            script.units,
            script.num_columns,
            script.rows,
            script.row_starts,
            script.window,
        )
    return hybrid if traces.dtype.isnative else hybrid.byteswap().view(traces.dtype)


def _apply(hybrid: NDArray[np.generic], patch: NDArray[np.float32]) -> int:
    """Add the patch in place; the number of clipped samples, which are marked by NaN in `patch`."""
    is_integer = hybrid.dtype.kind in "iu"
    lowest, highest = _limits(hybrid.dtype) if is_integer else (0, 0)
    if hybrid.dtype.char in COMPILED_TYPES:
        return int(apply_patch(hybrid, patch, is_integer, float(lowest), float(highest)))
    return _apply_wide(hybrid, patch, is_integer)


def _apply_wide(hybrid: NDArray[np.generic], patch: NDArray[np.float32], is_integer: bool) -> int:
    """`apply_patch` for types that float64 cannot hold or the compiler does not know: 64-bit integers, halves."""
    changed = np.nonzero(patch)
    if not is_integer:
        with np.errstate(over="ignore"):
            hybrid[changed] = (hybrid[changed].astype(np.longdouble) + patch[changed]).astype(hybrid.dtype)
        return 0
    lowest, highest = _limits(hybrid.dtype)
    whole = np.floor(patch[changed])
    part = patch[changed] - whole
    # Python's integers hold every sum; the half goes to the even one.
    total = hybrid[changed].astype(object) + whole.astype(np.int64).astype(object)
    total += (part > 0.5) | ((part == 0.5) & (total % 2 == 1).astype(bool))
    bounded = np.minimum(np.maximum(total, lowest), highest)
    outside = (bounded != total).astype(bool)
    hybrid[changed] = bounded.astype(hybrid.dtype)
    patch[changed[0][outside], changed[1][outside]] = np.nan
    return int(outside.sum())


def _limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """Range of an integer type."""
    limits = np.iinfo(cast("np.dtype[np.integer[Any]]", dtype))
    return int(limits.min), int(limits.max)
