"""The injected events, with all that is known of each before any sorter is asked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.timeline import Timeline

__all__ = ["Natives", "Truth", "no_natives"]


@dataclass(frozen=True, eq=False)
class Truth:
    """Injected units and their events, by time. What is not known is NaN.

    Parameters
    ----------
    timeline : Timeline
    spikes : Spikes
        Units by label.
    labels, donor_labels : numpy.ndarray of int64, shape (num_units,)
        Injected labels, ascending, and those of their donors.
    center_rows : numpy.ndarray of int64, shape (num_units,)
        Raw row on which each unit is largest; -1: not known.
    positions_um : numpy.ndarray of float64, shape (num_units, 2)
        x and y of that row.
    amplitudes : numpy.ndarray of float32, shape (num_events,)
        Largest deflection of each event on its centre row.
    noise : numpy.ndarray of float64, shape (num_units,)
        Standard deviation of the background on the centre row, in the unit of `amplitudes`.
    shifts_um : numpy.ndarray of float32, shape (num_events,)
        Distance of each event's centre of mass from the unit's median one.
    donor_places : numpy.ndarray of int64, shape (num_events,), or None
        Where the donor spike lies whose waveform each event carries.
    amplitude_unit : str
        ``"µV"`` or ``"counts"``.
    """

    timeline: Timeline
    spikes: Spikes
    labels: NDArray[np.int64]
    donor_labels: NDArray[np.int64]
    center_rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    amplitudes: NDArray[np.float32]
    noise: NDArray[np.float64]
    shifts_um: NDArray[np.float32]
    donor_places: NDArray[np.int64] | None
    amplitude_unit: str = "counts"

    @property
    def snrs(self) -> NDArray[np.float64]:
        """Amplitude of each event over the background's standard deviation."""
        return np.asarray(self.amplitudes / self.noise[self.spikes.units], dtype=np.float64)

    def medians(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Median over each unit's events; shape (num_units,)."""
        return np.array([np.median(values[self.spikes.indices(unit)]) for unit in range(self.labels.size)])


@dataclass(frozen=True, eq=False)
class Natives:
    """Units of the original sorting: those that are in the recording anyway.

    Parameters
    ----------
    spikes : Spikes
    labels : numpy.ndarray of int64, shape (num_units,)
        As in the run's parameter file, ascending.
    positions_um : numpy.ndarray of float64, shape (num_units, 2)
        x and y of each unit's main row; NaN where the sorting does not tell.
    """

    spikes: Spikes
    labels: NDArray[np.int64]
    positions_um: NDArray[np.float64]


def no_natives() -> Natives:
    """Return natives without units."""
    nothing = Spikes(np.empty(0, np.int64), np.empty(0, np.int32), 0)
    return Natives(nothing, np.empty(0, np.int64), np.empty((0, 2)))
