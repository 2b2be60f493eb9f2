"""What surrounds each injected event: how fast its unit fires, and which other spike is nearest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.validation.kernel import nearest_others
from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.truth import Natives, Truth

__all__ = ["NEAR_UM", "Surroundings", "distances_um", "survey"]

NEAR_UM = 200.0
"""Two spikes nearer than this overlap for a sorter: common ones take one spike within 150 µm and more at a time."""

RATE_WINDOW_S = 0.5
REACH_MS = 100.0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Per injected event; NaN where there is nothing within reach, or nothing is known.

    Parameters
    ----------
    local_rates_hz : numpy.ndarray of float64, shape (num_events,)
        Other events of the unit within 0.5 s, over the length of that window inside the file.
    other_times_ms : numpy.ndarray of float64, shape (num_events,)
        Time to the nearest spike of another unit whose main row lies within 200 µm, up to 100 ms.
    other_distances_um : numpy.ndarray of float64, shape (num_events,)
        Distance to that row.
    other_units : numpy.ndarray of object, shape (num_events,)
        Name of that unit: "native 5", "injected 103"; empty if there is none.
    edges : numpy.ndarray of int64, shape (num_events,)
        Samples to the nearer end of the file.
    """

    local_rates_hz: NDArray[np.float64]
    other_times_ms: NDArray[np.float64]
    other_distances_um: NDArray[np.float64]
    other_units: NDArray[np.object_]
    edges: NDArray[np.int64]


def survey(truth: Truth, natives: Natives) -> Surroundings:
    """Look around every event.

    Where the positions of the injected units are not known, any other unit counts as near, at a distance of NaN.
    Native units whose position is not known are left out.
    """
    frequency = truth.timeline.sampling_frequency
    every = _together(truth.spikes, natives.spikes)
    positions = np.concatenate([truth.positions_um, natives.positions_um])
    apart = distances_um(truth.positions_um, positions)
    is_near = apart <= NEAR_UM
    if np.isnan(truth.positions_um).all():
        is_near = np.ones_like(is_near)
    np.fill_diagonal(is_near, False)
    reach = round(REACH_MS / 1000 * frequency)
    places, units = truth.spikes.places, truth.spikes.units
    nearest = nearest_others(places, units, every.places, every.units, is_near, reach)
    found = nearest >= 0
    others = every.units[nearest]
    names = np.array(
        [f"injected {label}" for label in truth.labels] + [f"native {label}" for label in natives.labels] + [""],
        dtype=object,
    )
    return Surroundings(
        local_rates_hz=_local_rates(truth),
        other_times_ms=np.where(found, np.abs(every.places[nearest] - places) / frequency * 1000, np.nan),
        other_distances_um=np.where(found, apart[units, others], np.nan),
        other_units=names[np.where(found, others, -1)],
        edges=truth.timeline.edge_distance(places),
    )


def distances_um(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of every first position from every second; shape (num_first, num_second)."""
    return np.asarray(np.linalg.norm(first[:, None] - second[None], axis=2))


def _together(injected: Spikes, natives: Spikes) -> Spikes:
    """Spikes of both in one array; native units are numbered after the injected ones."""
    places = np.concatenate([injected.places, natives.places])
    units = np.concatenate([injected.units, natives.units + np.int32(injected.num_units)])
    order = np.argsort(places, kind="stable")
    return Spikes(places[order], units[order], injected.num_units + natives.num_units)


def _local_rates(truth: Truth) -> NDArray[np.float64]:
    half = round(RATE_WINDOW_S * truth.timeline.sampling_frequency)
    rates = np.empty(truth.spikes.num_spikes)
    for unit in range(truth.spikes.num_units):
        indices = truth.spikes.indices(unit)
        train = truth.spikes.places[indices]
        # Files lie two seconds apart: no window reaches into the next.
        around = np.searchsorted(train, train + half, side="right") - np.searchsorted(train, train - half)
        rates[indices] = around - 1
    return rates / (_window_inside(truth, half) / truth.timeline.sampling_frequency)


def _window_inside(truth: Truth, half: int) -> NDArray[np.int64]:
    """Samples of the window around each event that lie in its file."""
    places, timeline = truth.spikes.places, truth.timeline
    file = timeline.file_of(places)
    within = places - timeline.offsets[file]
    before = np.minimum(within, half)
    after = np.minimum(timeline.lengths[file] - 1 - within, half)
    return np.asarray(np.maximum(before + after, 1))
