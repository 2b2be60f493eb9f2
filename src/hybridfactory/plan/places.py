"""Places for the units that one donor makes: each its own, apart from the others where there is room."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import PlacementError
from hybridfactory.events.model import EventModel
from hybridfactory.plan.placement import TOLERANCE_UM, Move, ProbeSites, choose_move, valid_moves

__all__ = ["find_places"]

CLEARLY_SEEN_SHARE_OF_PEAK = 0.1


def find_places(
    model: EventModel,
    sites: ProbeSites,
    crowd_rows: NDArray[np.int64],
    count: int,
    random: Callable[[int], np.random.Generator],
) -> list[Move]:
    """Draw places for a donor's units, one after the other.

    Parameters
    ----------
    model : EventModel
    sites : ProbeSites
    crowd_rows : numpy.ndarray of int64
        Main row of every unit of the sorting, as far as known.
    count : int
        How many there are to be.
    random : callable
        Gives the random numbers of the first, second, … place, counted from 0: an earlier one does not depend on
        how many follow.

    Returns
    -------
    list of Move
        No two with their centres in the same place; fewer than asked for where there are no more.

    Raises
    ------
    PlacementError
        If there is not one.
    """
    moves = valid_moves(sites, model.rows, model.mean)
    if not moves:
        raise PlacementError(
            "no translation, rotation or reflection maps this unit's sites on other connected sites of the same "
            "geometry"
        )
    height = np.abs(model.mean).max(axis=0)
    is_clear = height >= CLEARLY_SEEN_SHARE_OF_PEAK * height.max()
    taken = np.zeros(0, dtype=np.int64)
    chosen: list[Move] = []
    while moves and len(chosen) < count:
        move = choose_move(moves, sites, model.rows[is_clear], crowd_rows, random(len(chosen)), taken)
        chosen.append(move)
        landed = sites.rows[move.channels[is_clear[move.footprint]]]
        taken = np.concatenate([taken, landed, model.rows[is_clear]])
        here = sites.positions_um[move.center]
        moves = [other for other in moves if np.hypot(*(sites.positions_um[other.center] - here)) > TOLERANCE_UM]
    return chosen
