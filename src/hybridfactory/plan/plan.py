"""The injection plan: what goes in where and when, and what does not and why; complete before a byte is written."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["InjectionPlan", "PlannedUnit", "RefusedEvents", "Removal"]


@dataclass(frozen=True, eq=False)
class RefusedEvents:
    """Donor spikes of one unit that got no event, with reasons.

    Parameters
    ----------
    donor_samples : numpy.ndarray of int64, shape (num_refused,)
        Timeline sample of each donor spike, stated as the unit's `donor_samples` are.
    reasons : tuple of str
        One per donor spike.
    """

    donor_samples: NDArray[np.int64]
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PlannedUnit:
    """One unit made from a donor, and what is to become of it.

    Parameters
    ----------
    donor_label : int
    injected_label : int or None
        None when the unit is not injected.
    reason : str
        Why the unit is not injected; empty when it is.
    notes : tuple of str
        What the user should know about a unit that is injected.
    num_donor_spikes : int
    num_training_spikes : int
        Clean spikes that the event model learned from.
    rank : int
        Components of the event model beside the mean.
    snr : float
        Largest deflection of the mean over the noise's standard deviation on that row.
    donor_row : int or None
        Raw row on which the donor is largest.
    center_row : int or None
        Raw row on which the mean of the planned events is largest.
    displacement_um : tuple of float
        Move of the donor's main channel, (x, y).
    move : str
        ``"translation"``, ``"rotation"`` or ``"reflection"``.
    rows : numpy.ndarray of int64, shape (num_footprint_rows,)
        Raw rows that receive the unit, in the order of `footprint`.
    footprint : numpy.ndarray of int64, shape (num_footprint_rows,)
        Columns of the event model that land on `rows`.
    samples : numpy.ndarray of int64, shape (num_events,)
        Timeline sample of each event's trough, ascending: of the trough, or peak, of the planned events' mean
        on `center_row`.
    donor_events : numpy.ndarray of int64, shape (num_events,)
        Index of the donor spike (into the event model's) whose waveform each event carries.
    donor_samples : numpy.ndarray of int64, shape (num_events,)
        Timeline sample of that donor spike's trough, at the same point of the waveform as in `samples`.
    amplitude_factors : numpy.ndarray of float32, shape (num_events,)
    refused : RefusedEvents
    window_shift : int
        Samples from an event's trough to its window's centre.
    unit_factor : float
        What all of `amplitude_factors` were multiplied by so that the unit is as large as was asked for.
    num_removed_spikes : int
        Spikes of the donor that are taken out at its old place.
    """

    donor_label: int
    injected_label: int | None
    reason: str
    notes: tuple[str, ...]
    num_donor_spikes: int
    num_training_spikes: int
    rank: int
    snr: float
    donor_row: int | None
    center_row: int | None
    displacement_um: tuple[float, float]
    move: str
    rows: NDArray[np.int64]
    footprint: NDArray[np.int64]
    samples: NDArray[np.int64]
    donor_events: NDArray[np.int64]
    donor_samples: NDArray[np.int64]
    amplitude_factors: NDArray[np.float32]
    refused: RefusedEvents
    window_shift: int = 0
    unit_factor: float = 1.0
    num_removed_spikes: int = 0

    @property
    def is_injected(self) -> bool:
        """Whether anything of this unit goes into the hybrid."""
        return self.injected_label is not None

    @property
    def num_events(self) -> int:
        """Number of events to inject."""
        return int(self.samples.size)


@dataclass(frozen=True, eq=False)
class Removal:
    """Spikes of one donor that are taken out of the hybrid. No part of the truth.

    Parameters
    ----------
    donor_label : int
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows of the donor's event model.
    samples : numpy.ndarray of int64, shape (num_spikes,)
        Timeline sample of the centre of each spike's window, ascending.
    spikes : numpy.ndarray of int64, shape (num_spikes,)
        Index of each (into the event model's spikes): its phase is subtracted.
    shares : numpy.ndarray of int64, shape (num_spikes,)
        Index of the spike whose shares of the components are.
    num_fitting : int
        Spikes whose window lies in one file, those among them that the sorter found twice.
    """

    donor_label: int
    rows: NDArray[np.int64]
    samples: NDArray[np.int64]
    spikes: NDArray[np.int64]
    shares: NDArray[np.int64]
    num_fitting: int


@dataclass(frozen=True, eq=False)
class InjectionPlan:
    """All units of a run, in ascending order of donor label, those of one donor in order of their own.

    Parameters
    ----------
    units : tuple of PlannedUnit
    samples_before, samples_after : int
        Samples of an event's window before and after its centre.
    removals : tuple of Removal
        In ascending order of donor label.
    """

    units: tuple[PlannedUnit, ...]
    samples_before: int
    samples_after: int
    removals: tuple[Removal, ...] = ()

    @property
    def injected_units(self) -> tuple[PlannedUnit, ...]:
        """The units that go into the hybrid."""
        return tuple(unit for unit in self.units if unit.is_injected)

    @property
    def num_events(self) -> int:
        """Events of all units together."""
        return sum(unit.num_events for unit in self.units)

    def __iter__(self) -> Iterator[PlannedUnit]:
        return iter(self.units)
