"""Whose spikes are whose: every injected event to one found spike, and every false positive to one other unit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.validation.kernel import choose_near, match_events
from hybridfactory.validation.spikes import Spikes

__all__ = ["Assignment", "Origins", "assign_events", "confusion_matrix", "find_merges", "trace_false_positives"]

MERGE_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class Assignment:
    """Each injected event and the found spike that it was found as.

    Parameters
    ----------
    spikes : numpy.ndarray of int64, shape (num_events,)
        Index of the found spike, of whatever unit; -1: missed by all.
    is_hit : numpy.ndarray of bool, shape (num_events,)
        Whether that is a spike of the matched unit.
    owner : numpy.ndarray of int32, shape (num_found_spikes,)
        True unit of the event that each found spike was found as; -1: none.
    """

    spikes: NDArray[np.int64]
    is_hit: NDArray[np.bool_]
    owner: NDArray[np.int32]


def assign_events(
    true: Spikes, found: Spikes, matches: NDArray[np.int64], priority: NDArray[np.float32], delta: int
) -> Assignment:
    """Assign events to spikes of their matched unit, and what is left to spikes of associated ones.

    Parameters
    ----------
    true, found : Spikes
    matches : numpy.ndarray of int64, shape (num_true,)
        Index of the matched unit, -1: none.
    priority : numpy.ndarray of float32, shape (num_true, num_found)
        Which of the other units comes first; 0: not associated.
    delta : int
        Samples.
    """
    spikes = match_events(true.places, true.units, found.places, found.units, matches, delta)
    is_hit = spikes >= 0
    taken = np.zeros(found.num_spikes, dtype=np.bool_)
    taken[spikes[is_hit]] = True
    ranks = np.ascontiguousarray(priority, dtype=np.float32)
    others = choose_near(true.places, true.units, ~is_hit, found.places, found.units, ranks, delta, taken)
    spikes = np.where(is_hit, spikes, others)
    owner = np.full(found.num_spikes, -1, dtype=np.int32)
    assigned = spikes >= 0
    owner[spikes[assigned]] = true.units[assigned]
    return Assignment(spikes, is_hit, owner)


def confusion_matrix(
    true: Spikes,
    found: Spikes,
    assignment: Assignment,
    matches: NDArray[np.int64],
    labels: NDArray[np.int64],
    found_ids: list[object],
) -> pd.DataFrame:
    """Count events by true and found unit, with "missed" as the last column and "other" as the last row.

    Rows and columns are ordered so that matched pairs lie on the diagonal: first the matched true units, by label,
    and the other true units after them; then columns by the number of events.
    """
    counts = np.zeros((true.num_units + 1, found.num_units + 1), dtype=np.int64)
    columns = np.where(assignment.spikes >= 0, found.units[assignment.spikes], found.num_units)
    np.add.at(counts, (true.units, columns), 1)
    counts[-1, :-1] = found.counts - counts[:-1, :-1].sum(axis=0)
    # Two units that were merged have one match, which stands on the diagonal with the one that has more of it.
    rows: list[int] = []
    diagonal: list[int] = []
    for unit in np.argsort(-counts[np.arange(true.num_units), matches], kind="stable"):
        if matches[unit] >= 0 and matches[unit] not in diagonal:
            rows.append(int(unit))
            diagonal.append(int(matches[unit]))
    paired = sorted(zip(rows, diagonal, strict=True))
    rows = [row for row, _ in paired] + [row for row in range(true.num_units) if row not in rows]
    by_events = np.argsort(-counts[:-1, :-1].sum(axis=0), kind="stable")
    taken = [column for _, column in paired]
    rest = by_events[~np.isin(by_events, taken)]
    order = np.concatenate([np.array(taken, dtype=np.int64), rest, [found.num_units]])
    names = [*found_ids, "missed"]
    return pd.DataFrame(
        counts[np.ix_(np.array([*rows, true.num_units]), order)],
        index=pd.Index([*labels[rows].tolist(), "other"], name="new_unit", dtype=object),
        columns=pd.Index([names[column] for column in order], name="found_unit", dtype=object),
    )


@dataclass(frozen=True, eq=False)
class Origins:
    """False positives of the matched units, and where they come from.

    Parameters
    ----------
    true_units : numpy.ndarray of int64, shape (num_false,)
        True unit whose match the spike lies in; a match of two true units is listed for both.
    spikes : numpy.ndarray of int64, shape (num_false,)
        Index of the found spike.
    natives : numpy.ndarray of int64, shape (num_false,)
        Index of the native unit that it belongs to; -1: none.
    injected : numpy.ndarray of int64, shape (num_false,)
        Index of the other true unit that it belongs to; -1: none.
    """

    true_units: NDArray[np.int64]
    spikes: NDArray[np.int64]
    natives: NDArray[np.int64]
    injected: NDArray[np.int64]


def trace_false_positives(
    found: Spikes, assignment: Assignment, matches: NDArray[np.int64], native_of_spike: NDArray[np.int64]
) -> Origins:
    """List the spikes of every matched unit that are no event of its true unit.

    Parameters
    ----------
    found : Spikes
    assignment : Assignment
    matches : numpy.ndarray of int64, shape (num_true,)
    native_of_spike : numpy.ndarray of int64, shape (num_found_spikes,)
        Native unit of each found spike, from `attribute_to_natives`; -1: none.
    """
    units, spikes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for unit in np.flatnonzero(matches >= 0):
        mine = found.indices(int(matches[unit]))
        false = mine[assignment.owner[mine] != unit]
        units.append(np.full(false.size, unit, dtype=np.int64))
        spikes.append(false)
    which = np.concatenate(spikes)
    injected = assignment.owner[which].astype(np.int64)
    natives = np.where(injected < 0, native_of_spike[which], -1)
    return Origins(np.concatenate(units), which, natives, injected)


def attribute_to_natives(
    found: Spikes, natives: Spikes, owner: NDArray[np.int32], priority: NDArray[np.float32], delta: int
) -> NDArray[np.int64]:
    """Give each found spike that is no injected event to the native unit that it belongs to.

    Of the native units associated with the found unit that have a spike within `delta`, the one that shares most
    spikes with it; each native spike once.

    Parameters
    ----------
    found, natives : Spikes
    owner : numpy.ndarray of int32, shape (num_found_spikes,)
    priority : numpy.ndarray of float32, shape (num_found, num_natives)
        0: not associated.
    delta : int
        Samples.

    Returns
    -------
    numpy.ndarray of int64, shape (num_found_spikes,)
        Index of the native unit; -1: none.
    """
    taken = np.zeros(natives.num_spikes, dtype=np.bool_)
    ranks = np.ascontiguousarray(priority, dtype=np.float32)
    chosen = choose_near(found.places, found.units, owner < 0, natives.places, natives.units, ranks, delta, taken)
    result = np.full(found.num_spikes, -1, dtype=np.int64)
    result[chosen >= 0] = natives.units[chosen[chosen >= 0]]
    return result


def find_merges(
    true: Spikes,
    found: Spikes,
    natives: Spikes,
    assignment: Assignment,
    native_of_spike: NDArray[np.int64],
) -> pd.DataFrame:
    """Find units that hold at least 20 % of an injected unit's events and 20 % of another unit's spikes.

    Returns
    -------
    pandas.DataFrame
        By index: ``unit``, ``found``, ``kind`` ("native" or "injected"), ``partner``, ``share_of_unit``,
        ``share_of_partner``, ``share_of_found``.
    """
    held = _count_pairs(assignment.owner.astype(np.int64), found.units, true.num_units, found.num_units)
    kept = _count_pairs(native_of_spike, found.units, natives.num_units, found.num_units)
    shares = held / np.maximum(true.counts, 1)[:, None]
    partners = {
        "native": (kept, kept / np.maximum(natives.counts, 1)[:, None]),
        "injected": (held, shares),
    }
    rows = []
    for unit, where in np.argwhere(shares >= MERGE_SHARE):
        for kind, (counts, partner_shares) in partners.items():
            for partner in np.flatnonzero(partner_shares[:, where] >= MERGE_SHARE):
                if kind == "native" or partner != unit:
                    share_of_found = counts[partner, where] / found.counts[where]
                    both = (shares[unit, where], partner_shares[partner, where])
                    rows.append((unit, where, kind, partner, *both, share_of_found))
    names = ["unit", "found", "kind", "partner", "share_of_unit", "share_of_partner", "share_of_found"]
    return pd.DataFrame(rows, columns=names)


def _count_pairs(
    owners: NDArray[np.int64], units: NDArray[np.int32], num_owners: int, num_units: int
) -> NDArray[np.int64]:
    """Count spikes by owner and unit; those without an owner (-1) are left out."""
    flat = (owners + 1) * num_units + units
    counts = np.bincount(flat, minlength=(num_owners + 1) * num_units)
    return counts.reshape(num_owners + 1, num_units)[1:]
