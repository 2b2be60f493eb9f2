"""Which spikes of a unit a model learns from, when they are, and which rows may see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD
from hybridfactory.events.locate import UnitLocation, locate_units, spread_sample
from hybridfactory.events.model import RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.events.training import MIN_TRAINING_SPIKES
from hybridfactory.progress import ProgressCallback
from hybridfactory.recording.flat import FlatRecording

__all__ = ["Donor", "find_donors", "too_few"]

MAX_TRAINING_SPIKES = 1000
CANDIDATE_RADIUS_UM = 300.0
MAX_CANDIDATE_ROWS = 64
SEARCH_S = 1e-3


@dataclass(frozen=True, eq=False)
class Donor:
    """A donor on its way to a model: spike times at the trough, and the rows that may see it.

    Parameters
    ----------
    label : int
    samples : numpy.ndarray of int64, shape (num_spikes,)
        Times of the troughs on the timeline.
    is_inside : numpy.ndarray of bool, shape (num_spikes,)
        Whether the whole window lies in one file.
    training : numpy.ndarray of int64
        Indices of the spikes that the model learns from.
    rows : numpy.ndarray of int64
        Of the recording, ascending.
    lag : int
        Samples from the time that the sorting states to the trough.
    """

    label: int
    samples: NDArray[np.int64]
    is_inside: NDArray[np.bool_]
    training: NDArray[np.int64]
    rows: NDArray[np.int64]
    lag: int

    @cached_property
    def remaining(self) -> NDArray[np.int64]:
        """Spikes with a whole window that the model does not learn from."""
        return np.setdiff1d(np.flatnonzero(self.is_inside), self.training)


def find_donors(
    recording: FlatRecording,
    trains: Mapping[int, NDArray[np.int64]],
    sites: Sites,
    settings: ModelSettings,
    progress: ProgressCallback,
) -> tuple[list[Donor], list[RefusedUnit]]:
    """Locate the units, and refuse those with too few spikes.

    Parameters
    ----------
    recording : FlatRecording
    trains : mapping of int to numpy.ndarray of int64
        Label → spike times on the timeline, ascending.
    sites : Sites
    settings : ModelSettings
    progress : callable

    Returns
    -------
    donors : list of Donor
    refused : list of RefusedUnit
        Both in ascending order of label.
    """
    search = max(round(SEARCH_S * recording.sampling_frequency), 1)
    refused: list[RefusedUnit] = []
    located: list[tuple[int, NDArray[np.int64]]] = []
    for label in sorted(trains):
        searchable = trains[label][recording.holds_window(trains[label], 2 * search, 2 * search)]
        if searchable.size < MIN_TRAINING_SPIKES:
            refused.append(too_few(label, searchable.size, "spikes away from the files' ends"))
        else:
            located.append((label, searchable))
    locations = locate_units(
        recording, [train for _, train in located], sites.rows, search_samples=search, progress=progress
    )
    donors: list[Donor] = []
    for (label, _), location in zip(located, locations, strict=True):
        donor = _prepare(recording, label, trains[label], location, sites, settings)
        if donor.training.size < MIN_TRAINING_SPIKES:
            window = f"{settings.samples_before} + 1 + {settings.samples_after} samples"
            refused.append(
                too_few(label, donor.training.size, f"spikes with a whole window ({window}) inside a file")
            )
        else:
            donors.append(donor)
    return donors, refused


def too_few(label: int, count: int, what: str) -> RefusedUnit:
    """Refuse a unit for the number of its spikes."""
    missing = MIN_TRAINING_SPIKES - count
    return RefusedUnit(
        label,
        f"only {count} {what}; an event model needs {MIN_TRAINING_SPIKES}, so {missing} are missing",
    )


def _prepare(
    recording: FlatRecording,
    label: int,
    train: NDArray[np.int64],
    location: UnitLocation,
    sites: Sites,
    settings: ModelSettings,
) -> Donor:
    """Move spike times to the trough, and choose the training spikes and the rows to look at."""
    samples = train + location.lag
    is_inside = recording.holds_window(samples, settings.samples_before + PAD, settings.samples_after + PAD)
    inside = np.flatnonzero(is_inside)
    distance = np.linalg.norm(sites.positions_um - sites.positions_um[location.column], axis=1)
    near = (distance <= CANDIDATE_RADIUS_UM) & (sites.shanks == sites.shanks[location.column])
    nearest = np.argsort(np.where(near, distance, np.inf), kind="stable")[: min(near.sum(), MAX_CANDIDATE_ROWS)]
    return Donor(
        label=label,
        samples=samples,
        is_inside=is_inside,
        training=inside[spread_sample(inside.size, MAX_TRAINING_SPIKES)],
        rows=np.sort(sites.rows[nearest]),
        lag=location.lag,
    )
