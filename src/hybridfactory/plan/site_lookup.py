"""Which site lies at a place: the question that looking for moves asks some ten thousand times per unit."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["SiteLookup", "build_lookup", "ranks_among_twins"]


@dataclass(frozen=True, eq=False)
class SiteLookup:
    """Sites in order of their height on the probe. Sites in the same place tell themselves apart by their rank.

    Parameters
    ----------
    channels : numpy.ndarray of int64, shape (num_sites,)
    positions_um : numpy.ndarray of float64, shape (num_sites, 2)
        Ascending in the second coordinate.
    ranks : numpy.ndarray of int64, shape (num_sites,)
    tolerance_um : float
        A site is found from nearer than that.
    """

    channels: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    ranks: NDArray[np.int64]
    tolerance_um: float

    def channels_at(self, places: NDArray[np.float64], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Channel of the nearest site of a given rank at each place; -1 where there is none.

        Parameters
        ----------
        places : numpy.ndarray of float64, shape (num_places, 2)
        ranks : numpy.ndarray of int64, shape (num_places,)
        """
        found = np.empty(len(places), dtype=np.int64)
        _find_sites(found, places, ranks, self.positions_um, self.ranks, self.tolerance_um)
        return np.where(found >= 0, self.channels[found], -1) if self.channels.size else found


def build_lookup(
    channels: NDArray[np.int64], positions_um: NDArray[np.float64], ranks: NDArray[np.int64], tolerance_um: float
) -> SiteLookup:
    """Sort some sites for being looked up; the arrays have one entry per site."""
    order = np.argsort(positions_um[:, 1], kind="stable")
    return SiteLookup(channels[order], np.ascontiguousarray(positions_um[order]), ranks[order], tolerance_um)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _find_sites(
    found: NDArray[np.int64],
    places: NDArray[np.float64],
    ranks: NDArray[np.int64],
    positions: NDArray[np.float64],
    site_ranks: NDArray[np.int64],
    tolerance: float,
) -> None:
    """Write the index of the nearest site of its rank into `found` for each place, -1 where there is none."""
    heights = positions[:, 1]
    for place in range(places.shape[0]):
        x, y = places[place, 0], places[place, 1]
        nearest = tolerance * tolerance
        found[place] = -1
        for site in range(np.searchsorted(heights, y - tolerance), heights.size):
            if heights[site] > y + tolerance:
                break
            square = (positions[site, 0] - x) ** 2 + (heights[site] - y) ** 2
            if site_ranks[site] == ranks[place] and square < nearest:
                nearest = square
                found[place] = site


def ranks_among_twins(positions_um: NDArray[np.float64], tolerance_um: float) -> NDArray[np.int64]:
    """For each position, how many before it are in the same place; shape (num_sites,)."""
    order = np.argsort(positions_um[:, 1], kind="stable")
    ranks = np.empty(len(positions_um), dtype=np.int64)
    ranks[order] = _count_earlier(np.ascontiguousarray(positions_um[order]), order, tolerance_um)
    return ranks


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _count_earlier(positions: NDArray[np.float64], order: NDArray[np.int64], tolerance: float) -> NDArray[np.int64]:
    """Count for each of the positions, ascending in height, those within the tolerance that have a smaller order."""
    heights = positions[:, 1]
    counts = np.zeros(heights.size, dtype=np.int64)
    for site in range(heights.size):
        for other in range(np.searchsorted(heights, heights[site] - tolerance), heights.size):
            if heights[other] > heights[site] + tolerance:
                break
            square = (positions[other, 0] - positions[site, 0]) ** 2 + (heights[other] - heights[site]) ** 2
            if order[other] < order[site] and square <= tolerance * tolerance:
                counts[site] += 1
    return counts
