"""Units that a sorter split: the found units whose union is most like the injected one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.validation.kernel import match_events
from hybridfactory.validation.spikes import Spikes

__all__ = ["Piece", "merge_greedily"]


@dataclass(frozen=True)
class Piece:
    """A found unit that was added to the union, and how good the union is with it.

    Parameters
    ----------
    unit : int
        Index of the found unit.
    accuracy, precision, recall : float
        Of the union so far.
    """

    unit: int
    accuracy: float
    precision: float
    recall: float


def merge_greedily(
    true: Spikes, found: Spikes, counts: NDArray[np.int64], candidates: NDArray[np.bool_], delta: int
) -> list[list[Piece]]:
    """Add found units to each true unit's match, each time the one that raises accuracy most, while any does.

    Parameters
    ----------
    true, found : Spikes
    counts : numpy.ndarray of int64, shape (num_true, num_found)
        Coincidences.
    candidates : numpy.ndarray of bool, shape (num_true, num_found)
        Pairs that share spikes for other reasons than chance, and pairs that are matched.
    delta : int
        Samples.

    Returns
    -------
    list of list of Piece, one per true unit
        Empty for a unit without candidates. The first piece is the best single one.
    """
    return [
        _merge(true.train(unit), found, counts[unit], np.flatnonzero(candidates[unit]), delta)
        for unit in range(true.num_units)
    ]


def _merge(
    train: NDArray[np.int64], found: Spikes, counts: NDArray[np.int64], candidates: NDArray[np.int64], delta: int
) -> list[Piece]:
    pieces: list[Piece] = []
    union = np.empty(0, dtype=np.int64)
    accuracy = 0.0
    left = list(candidates)
    while left:
        # Of n spikes with at most m hits, adding them to a union cannot raise its accuracy unless m / (n - m) > it.
        left = [unit for unit in left if counts[unit] > accuracy * (found.counts[unit] - counts[unit])]
        trials = {unit: np.sort(np.concatenate([union, found.train(unit)]), kind="stable") for unit in left}
        scores = {unit: _score(train, trial, delta) for unit, trial in trials.items()}
        if not scores:
            break
        best = max(scores, key=lambda unit: scores[unit].accuracy)
        if scores[best].accuracy <= accuracy:
            break
        union, accuracy = trials[best], scores[best].accuracy
        pieces.append(Piece(int(best), scores[best].accuracy, scores[best].precision, scores[best].recall))
        left.remove(best)
    return pieces


def _score(train: NDArray[np.int64], union: NDArray[np.int64], delta: int) -> Piece:
    nobody, somebody = (np.zeros(size, dtype=np.int32) for size in (train.size, union.size))
    matched = match_events(train, nobody, union, somebody, np.zeros(1, dtype=np.int64), delta)
    hits = min(int((matched >= 0).sum()), union.size)
    return Piece(-1, hits / (train.size + union.size - hits), hits / union.size, hits / train.size)
