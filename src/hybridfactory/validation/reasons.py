"""Why an event may have been missed: one class per missed event, by rules that are checked in order."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.validation.curves import wilson_interval
from hybridfactory.validation.surroundings import Surroundings
from hybridfactory.validation.truth import Truth

__all__ = ["COLLISION_MS", "classify_missed"]

EDGE_MS = 5.0
COLLISION_MS = 0.5
SMALL_SNR = 5.0
SMALL_SHARE = 0.7
DRIFT_UM = 20.0
COLLAPSED_SHARE = 0.5
EVENTS_PER_REGION = 50


def classify_missed(truth: Truth, surroundings: Surroundings, is_hit: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Give each missed event the first class whose rule holds for it; hits get an empty text.

    - ``"edge"``: within 5 ms of an end of its file.
    - ``"collision"``: another unit within 200 µm has a spike within 0.5 ms.
    - ``"small"``: SNR below 5, or amplitude below 70 % of the unit's median.
    - ``"drifted"``: centre of mass more than 20 µm from the unit's median one; or in a stretch of 50 events of
      its unit in which recall is certainly (95 %) below half of the unit's recall elsewhere.
    - ``"other"``: none of these.

    Parameters
    ----------
    truth : Truth
    surroundings : Surroundings
    is_hit : numpy.ndarray of bool, shape (num_events,)
    """
    edge = surroundings.edges <= EDGE_MS / 1000 * truth.timeline.sampling_frequency
    typical = truth.medians(truth.amplitudes)[truth.spikes.units]
    with np.errstate(invalid="ignore"):  # what is not known is NaN, and no comparison with it holds
        collision = surroundings.other_times_ms <= COLLISION_MS
        small = (truth.snrs < SMALL_SNR) | (truth.amplitudes < SMALL_SHARE * typical)
        drifted = (truth.shifts_um > DRIFT_UM) | _in_collapsed_region(truth, is_hit)
    reasons = np.full(is_hit.size, "other", dtype=object)
    for name, holds in (("drifted", drifted), ("small", small), ("collision", collision), ("edge", edge)):
        reasons[holds] = name
    reasons[is_hit] = ""
    return reasons


def _in_collapsed_region(truth: Truth, is_hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether an event lies in a stretch of its unit's events in which hardly any were found, unlike elsewhere."""
    collapsed = np.zeros(is_hit.size, dtype=np.bool_)
    for unit in range(truth.spikes.num_units):
        indices = truth.spikes.indices(unit)
        regions = np.arange(indices.size) // EVENTS_PER_REGION
        events = np.bincount(regions)
        hits = np.bincount(regions, weights=is_hit[indices]).astype(np.int64)
        _, upper = wilson_interval(hits, events)
        elsewhere = (hits.sum() - hits) / np.maximum(events.sum() - events, 1)
        collapsed[indices] = (upper < COLLAPSED_SHARE * elsewhere)[regions]
    return collapsed
