"""The compiled loops of validation: one pass over two sorted arrays of spikes each."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "add_correlograms",
    "best_scores",
    "choose_near",
    "lag_counts",
    "match_events",
    "nearest_others",
]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def match_events(
    places: NDArray[np.int64],
    units: NDArray[np.int32],
    found_places: NDArray[np.int64],
    found_units: NDArray[np.int32],
    matches: NDArray[np.int64],
    delta: int,
) -> NDArray[np.int64]:
    """Find for each event the spike of its matched unit that SpikeInterface's matching counts it with.

    The rule is that of ``spikeinterface.comparison.make_match_count_matrix``: in order of time, each event takes
    the first spike within `delta` that the event before has not taken. -1: none.
    """
    result = np.full(places.size, -1, dtype=np.int64)
    last = np.full(matches.size, -1, dtype=np.int64)
    start = 0
    for event in range(places.size):
        unit = units[event]
        while start < found_places.size and found_places[start] < places[event] - delta:
            start += 1
        spike = start
        while spike < found_places.size and found_places[spike] <= places[event] + delta:
            if found_units[spike] == matches[unit] and spike != last[unit]:
                last[unit] = spike
                result[event] = spike
                break
            spike += 1
    return result


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def choose_near(
    places: NDArray[np.int64],
    units: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    other_places: NDArray[np.int64],
    other_units: NDArray[np.int32],
    priority: NDArray[np.float32],
    delta: int,
    taken: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Choose for each wanted spike one of the others within `delta` that is free, and take it.

    The one with the highest ``priority[unit, other unit]`` above 0, and of those the nearest. -1: none.
    """
    result = np.full(places.size, -1, dtype=np.int64)
    start = 0
    for spike in range(places.size):
        while start < other_places.size and other_places[start] < places[spike] - delta:
            start += 1
        if not wanted[spike]:
            continue
        best, highest, nearest = -1, np.float32(0), delta + 1
        other = start
        while other < other_places.size and other_places[other] <= places[spike] + delta:
            rank = priority[units[spike], other_units[other]]
            distance = abs(other_places[other] - places[spike])
            if rank > 0 and not taken[other] and (rank > highest or (rank == highest and distance < nearest)):
                best, highest, nearest = other, rank, distance
            other += 1
        if best >= 0:
            taken[best] = True
            result[spike] = best
    return result


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def lag_counts(
    places: NDArray[np.int64],
    away_from: NDArray[np.int64],
    found_places: NDArray[np.int64],
    reach: int,
) -> NDArray[np.int64]:
    """Count found spikes by their lag behind the events, from -reach to +reach.

    A found spike that lies nearer to ``away_from`` (one place per event) than to the event is not counted.
    """
    counts = np.zeros(2 * reach + 1, dtype=np.int64)
    start = 0
    for event in range(places.size):
        place = places[event]
        while start < found_places.size and found_places[start] < place - reach:
            start += 1
        spike = start
        while spike < found_places.size and found_places[spike] <= place + reach:
            lag = found_places[spike] - place
            if abs(found_places[spike] - away_from[event]) >= abs(lag):
                counts[lag + reach] += 1
            spike += 1
    return counts


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_correlograms(
    places: NDArray[np.int64],
    units: NDArray[np.int32],
    found_places: NDArray[np.int64],
    found_units: NDArray[np.int32],
    matches: NDArray[np.int64],
    reach: int,
) -> NDArray[np.int64]:
    """Pairs of every unit with its match by found minus true time, a sample each from -reach to reach."""
    counts = np.zeros((matches.size, 2 * reach + 1), dtype=np.int64)
    start = 0
    for event in range(places.size):
        unit = units[event]
        while start < found_places.size and found_places[start] < places[event] - reach:
            start += 1
        if matches[unit] < 0:
            continue
        spike = start
        while spike < found_places.size and found_places[spike] <= places[event] + reach:
            if found_units[spike] == matches[unit]:
                counts[unit, found_places[spike] - places[event] + reach] += 1
            spike += 1
    return counts


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def nearest_others(
    places: NDArray[np.int64],
    units: NDArray[np.int32],
    other_places: NDArray[np.int64],
    other_units: NDArray[np.int32],
    is_near: NDArray[np.bool_],
    reach: int,
) -> NDArray[np.int64]:
    """Find for each event the nearest spike of a unit for which ``is_near[unit, other unit]``; -1 beyond `reach`."""
    result = np.full(places.size, -1, dtype=np.int64)
    middle = 0
    for event in range(places.size):
        place, unit = places[event], units[event]
        while middle < other_places.size and other_places[middle] < place:
            middle += 1
        nearest = reach + 1
        right = middle
        while right < other_places.size and other_places[right] - place < nearest:
            if is_near[unit, other_units[right]]:
                nearest = other_places[right] - place
                result[event] = right
                break
            right += 1
        left = middle - 1
        while left >= 0 and place - other_places[left] < nearest:
            if is_near[unit, other_units[left]]:
                nearest = place - other_places[left]
                result[event] = left
                break
            left -= 1
    return result


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def best_scores(
    places: NDArray[np.int64],
    units: NDArray[np.int32],
    found_places: NDArray[np.int64],
    found_units: NDArray[np.int32],
    scores: NDArray[np.float64],
    reach: int,
) -> NDArray[np.int64]:
    """Find for each event the spike within `reach` whose unit scores highest, of those the nearest; -1: none.

    A score of minus infinity is none.
    """
    result = np.full(places.size, -1, dtype=np.int64)
    start = 0
    for event in range(places.size):
        while start < found_places.size and found_places[start] < places[event] - reach:
            start += 1
        highest, nearest = -np.inf, reach + 1
        spike = start
        while spike < found_places.size and found_places[spike] <= places[event] + reach:
            score = scores[units[event], found_units[spike]]
            distance = abs(found_places[spike] - places[event])
            if score > highest or (score == highest > -np.inf and distance < nearest):
                result[event], highest, nearest = spike, score, distance
            spike += 1
    return result
