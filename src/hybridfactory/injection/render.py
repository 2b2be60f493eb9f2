"""Source samples in, hybrid samples out: the one function that both the file and the lazy recording come from."""

from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.injection.kernel import add_to_floats, add_to_integers, count_marked, sum_events
from hybridfactory.injection.script import InjectionScript
from hybridfactory.injection.target_file import PAGE_BYTES, aligned_memory
from hybridfactory.recording.flat import FlatRecording

__all__ = ["MAX_SPAN_SAMPLES", "render"]

MAX_SPAN_SAMPLES = 2048
"""Longest piece to render at once; at 385 rows, 3 MB of float32, which stay near the processor."""

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
    hybrid = traces.copy()
    render_in_place(hybrid, start, script, clipped)
    return hybrid


class Workspace:
    """Memory for rendering one piece after the other: new memory for each would cost more than the work.

    Parameters
    ----------
    num_samples : int
        Of the longest piece.
    recording : FlatRecording
    """

    def __init__(self, num_samples: int, recording: FlatRecording) -> None:
        self._recording = recording
        self._bytes = aligned_memory(num_samples * recording.bytes_per_sample + PAGE_BYTES)
        self.patch = np.empty((num_samples, recording.num_rows), dtype=np.float32)

    def traces(self, num_samples: int, start: int = 0) -> NDArray[np.generic]:
        """Room for samples, as far from the beginning of a page as in a file whose sample `start` is the first."""
        recording = self._recording
        first = start * recording.bytes_per_sample % PAGE_BYTES
        some = self._bytes[first : first + num_samples * recording.bytes_per_sample]
        return some.view(recording.dtype).reshape(num_samples, recording.num_rows)


def render_in_place(
    traces: NDArray[np.generic],
    start: int,
    script: InjectionScript,
    clipped: NDArray[np.int32] | None = None,
    space: Workspace | None = None,
) -> None:
    """Turn a piece of the source into a piece of the hybrid; see `render`.

    Parameters
    ----------
    space : Workspace, optional
        Its `patch` is written over.
    """
    first, last = script.events_in(start, start + len(traces))
    if first == last:
        return
    if not traces.dtype.isnative:
        # Byte order is changed by moving bytes: values that nothing is added to keep every bit, NaNs too.
        native = traces.byteswap(inplace=True).view(traces.dtype.newbyteorder("="))
        render_in_place(native, start, script, clipped, space)
        native.byteswap(inplace=True)
        return
    if script.num_rows > traces.shape[1]:
        raise OutputError(
            f"the injected events are for {script.num_rows} rows or more, but the recording has "
            f"{traces.shape[1]}: run 'hybridfactory generate' again"
        )
    patch = np.empty(traces.shape, dtype=np.float32) if space is None else space.patch[: len(traces)]
    events = (start, first, last, script.arrays)
    if traces.dtype.char not in COMPILED_TYPES:
        sum_events(patch, *events)
        num_clipped = _add_wide(traces, patch)
    elif traces.dtype.kind == "f":
        num_clipped = 0
        add_to_floats(traces, patch, *events)
    else:
        lowest, highest = _limits(traces.dtype)
        num_clipped = add_to_integers(traces, patch, float(lowest), float(highest), *events)
    if num_clipped and clipped is not None:
        count_marked(clipped, patch, *events)


def _add_wide(hybrid: NDArray[np.generic], patch: NDArray[np.float32]) -> int:
    """Add `patch` in place, for types that float64 cannot hold or the compiler does not know (long integers, halves).

    Returns
    -------
    int
        Number of clipped samples, which are marked by NaN in `patch`.
    """
    changed = np.nonzero(patch)
    if hybrid.dtype.kind == "f":
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


@lru_cache
def _limits(dtype: np.dtype[np.generic]) -> tuple[int, int]:
    """Range of an integer type."""
    limits = np.iinfo(cast("np.dtype[np.integer[Any]]", dtype))
    return int(limits.min), int(limits.max)
