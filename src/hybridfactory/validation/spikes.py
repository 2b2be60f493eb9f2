"""Spikes of many units in one array, by time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spikes", "sorted_spikes"]


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes of one sorting, or of the truth.

    Parameters
    ----------
    places : numpy.ndarray of int64, shape (num_spikes,)
        Ascending; see `Timeline`.
    units : numpy.ndarray of int32, shape (num_spikes,)
        Index of each spike's unit.
    num_units : int
    """

    places: NDArray[np.int64]
    units: NDArray[np.int32]
    num_units: int

    @property
    def num_spikes(self) -> int:
        """Spikes of all units."""
        return int(self.places.size)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Spikes of each unit."""
        return np.bincount(self.units, minlength=self.num_units).astype(np.int64)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Spikes by unit, then by time: unit u's are ``order[bounds[u] : bounds[u + 1]]``."""
        small = self.units.astype(np.uint16) if self.num_units <= np.iinfo(np.uint16).max else self.units
        return np.argsort(small, kind="stable")

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where each unit begins in `order`; shape (num_units + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    def indices(self, unit: int) -> NDArray[np.int64]:
        """Spikes of one unit, by time."""
        return self.order[self.bounds[unit] : self.bounds[unit + 1]]

    def train(self, unit: int) -> NDArray[np.int64]:
        """Places of one unit's spikes, ascending."""
        return self.places[self.indices(unit)]

    def shifted(self, samples: int) -> "Spikes":
        """Return the same spikes, later by some samples."""
        return self if samples == 0 else Spikes(self.places + samples, self.units, self.num_units)


def sorted_spikes(places: NDArray[np.int64], units: NDArray[np.int32], num_units: int) -> Spikes:
    """Sort by place (stable) what may come out of order, and leave out what has no place (-1)."""
    if np.any(places < 0):
        kept = places >= 0
        places, units = places[kept], units[kept]
    if np.any(places[1:] < places[:-1]):
        order = np.argsort(places, kind="stable")
        places, units = places[order], units[order]
    return Spikes(places, units, num_units)
