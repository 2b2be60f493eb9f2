"""Ground truth that was made elsewhere: a firings_true.npy and nothing beside it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError, ParameterError
from hybridfactory.sorting import FoundSorting
from hybridfactory.sorting.assembly import most_frequent
from hybridfactory.sorting.npy_file import NpyDamageError, parse_npy_header
from hybridfactory.validation.spikes import sorted_spikes
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Truth

__all__ = ["read_firings"]

LARGEST = 2.0**53
"""Above all samples, rows and labels; float64 holds every whole number below it."""


def read_firings(path: Path, found: list[FoundSorting], sampling_frequency: float | None) -> Truth:
    """Read a 3 × K array of channel, sample and label.

    Nothing else is known: no amplitudes, no positions, no native units. The recording is taken to be one file,
    from sample 0 to the last spike of truth and sortings.

    Parameters
    ----------
    path : pathlib.Path
    found : list of FoundSorting
        The sortings to be tested, which may state the sampling rate.
    sampling_frequency : float or None
        Hz, where the user states it.

    Raises
    ------
    OutputError
        It is not such an array, or holds no events.
    ParameterError
        Nobody states the sampling rate.
    """
    firings = _read_array(path)
    if firings.ndim != 2 or firings.shape[0] != 3 or firings.dtype.kind not in "iuf":
        raise OutputError(
            f"{path}: has shape {firings.shape} and type {firings.dtype}, not 3 × K numbers (channel, sample, "
            "label); make the ground truth again"
        )
    if firings.shape[1] == 0:
        raise OutputError(f"{path}: holds no events; make the ground truth again")
    largest = firings.max(initial=0)
    if not largest < LARGEST or firings.min() < 0 or np.any(firings != np.floor(firings)):
        raise OutputError(
            f"{path}: holds numbers that are not whole or below 0, or are too large; make the ground truth again"
        )
    rows, samples, stated = firings.astype(np.int64)
    rates = [sorting.sampling_frequency for sorting in found if sorting.sampling_frequency is not None]
    frequency = sampling_frequency or (rates[0] if rates else None)
    if frequency is None:
        raise ParameterError(
            f"{path.parent}: neither a manifest.json nor a sorting states the sampling rate: give sampling_frequency "
            "(--sampling-frequency)"
        )
    labels, units = np.unique(stated, return_inverse=True)
    row_of_unit = most_frequent(units, rows)
    lasts = [int(segment.samples.max(initial=0)) for sorting in found for segment in sorting.segments]
    length = max([int(samples.max()), *lasts]) + 1
    timeline = Timeline(np.zeros(1, np.int64), np.array([length]), frequency)
    spikes = sorted_spikes(samples, units.astype(np.int32), labels.size)
    return Truth(
        timeline=timeline,
        spikes=spikes,
        labels=labels,
        donor_labels=labels,
        center_rows=np.array([row_of_unit[unit] for unit in range(labels.size)]),
        positions_um=np.full((labels.size, 2), np.nan),
        amplitudes=np.full(samples.size, np.nan, dtype=np.float32),
        noise=np.full(labels.size, np.nan),
        shifts_um=np.full(samples.size, np.nan, dtype=np.float32),
        donor_places=None,
    )


def _read_array(path: Path) -> NDArray[Any]:
    try:
        header = parse_npy_header(path)
        if header.dtype.hasobject:
            raise NpyDamageError("it holds Python objects, which are never loaded")
        with warnings.catch_warnings():
            # A header that Python 2 wrote reads well.
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(np.load(path, allow_pickle=False))
    except (NpyDamageError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"{path}: cannot be read as an array ({reason}); make the ground truth again") from error
