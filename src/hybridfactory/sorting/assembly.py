"""From a reader's columns to a checked `Sorting`: whole numbers, one length, ascending times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.sorting.sorting import Sorting

__all__ = ["assemble", "most_frequent", "unit_rows", "whole_numbers"]

LARGEST_EXACT_FLOAT = 2.0**53


def whole_numbers(values: NDArray[Any], what: str, path: Path) -> NDArray[np.int64]:
    """Flatten a column of numbers to int64, shape (n,), refusing what is not a whole number.

    MATLAB stores most indices as doubles, so floats pass as long as they hold whole numbers.
    """
    if values.size and values.size != max(values.shape, default=1):
        raise SortingError(f"{path}: {what} has shape {values.shape}, not one column; export the sorting again")
    flat = values.reshape(-1)
    if flat.dtype.kind == "f":
        whole = np.isfinite(flat) & (np.abs(flat) <= LARGEST_EXACT_FLOAT)
        whole[whole] = flat[whole] == np.round(flat[whole])
        if not whole.all():
            first = int(np.argmin(whole))
            raise SortingError(
                f"{path}: {what} holds {flat[first]} at position {first}, which is not a whole number; "
                "export the sorting again"
            )
    elif flat.dtype.kind not in "iu":
        raise SortingError(f"{path}: {what} holds {flat.dtype}, not numbers; export the sorting again")
    elif flat.dtype == np.uint64 and flat.size and int(flat.max()) > np.iinfo(np.int64).max:
        raise SortingError(f"{path}: {what} holds {int(flat.max())}, beyond 64 bits; export the sorting again")
    return flat.astype(np.int64)


def most_frequent(labels: NDArray[np.int64], values: NDArray[np.int64]) -> dict[int, int]:
    """Map each label to the value that occurs most often with it; of equals, the smallest."""
    label_names, label_index = np.unique(labels, return_inverse=True)
    value_names, value_index = np.unique(values, return_inverse=True)
    pairs, counts = np.unique(label_index * len(value_names) + value_index, return_counts=True)
    ascending = pairs[np.lexsort((-pairs, counts))]
    # A later pair replaces an earlier one of the same label, so the most frequent stays.
    names = zip(label_names[ascending // len(value_names)], value_names[ascending % len(value_names)], strict=True)
    return {int(label): int(value) for label, value in names}


def unit_rows(labels: NDArray[np.int64], indices: NDArray[np.int64], rows: NDArray[np.int64]) -> dict[int, int]:
    """Map each label to the raw row of its most frequent template or site.

    `indices` holds one template or site per spike, `rows` the raw row of each template or site; negative
    rows, and indices beyond `rows`, are unknown and left out.
    """
    chosen = most_frequent(labels, indices)
    return {label: int(rows[index]) for label, index in chosen.items() if 0 <= index < len(rows) and rows[index] >= 0}


def assemble(
    path: Path,
    *,
    spike_times: NDArray[np.int64],
    spike_labels: NDArray[np.int64],
    label_base: int,
    source_format: str,
    spike_templates: NDArray[np.int64] | None = None,
    spike_channel_index: NDArray[np.int64] | None = None,
    unit_main_rows: Mapping[int, int],
    sampling_frequency: float | None,
    num_rows: int | None,
    warnings: Sequence[str],
) -> Sorting:
    """Check the columns against each other, sort by time (stable) and build the `Sorting`.

    Raises
    ------
    SortingError
        No spikes, a negative time, columns of different lengths, or no spike that belongs to a unit.
    """
    require_spikes(spike_times, path)
    for name, column in (
        ("labels", spike_labels),
        ("templates", spike_templates),
        ("sites", spike_channel_index),
    ):
        if column is not None and len(column) != len(spike_times):
            raise SortingError(
                f"{path}: {len(spike_times)} spike times but {len(column)} spike {name}; "
                "the files are not of one run, export the sorting again"
            )
    if spike_times.min() < 0:
        raise SortingError(
            f"{path}: a spike time lies at sample {spike_times.min()}, before the recording's start; "
            "export the sorting again"
        )
    spike_labels = np.maximum(spike_labels, label_base - 1)
    if spike_labels.max() < label_base:
        raise SortingError(f"{path}: no spike belongs to a unit (all are noise or deleted); sort again")
    order = np.argsort(spike_times, kind="stable")
    return Sorting(
        spike_times=spike_times[order],
        spike_labels=spike_labels[order],
        label_base=label_base,
        source_format=source_format,
        spike_templates=None if spike_templates is None else spike_templates[order],
        spike_channel_index=None if spike_channel_index is None else spike_channel_index[order],
        unit_main_rows=MappingProxyType(
            {
                label: row
                for label, row in sorted(unit_main_rows.items())
                if label >= label_base and (num_rows is None or row < num_rows)
            }
        ),
        sampling_frequency=sampling_frequency,
        num_rows=num_rows,
        warnings=tuple(warnings),
    )


def require_spikes(spike_times: NDArray[np.int64], path: Path) -> None:
    """Refuse an empty sorting."""
    if spike_times.size == 0:
        raise SortingError(f"{path}: the sorting holds no spikes; sort the recording again")
