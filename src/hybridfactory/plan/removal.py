"""Which spikes of a donor are taken out of the hybrid at their old place, and with which waveforms."""

import math

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.model import EventModel
from hybridfactory.plan.plan import Removal
from hybridfactory.plan.spike_times import TimingRules, nearest_clean

__all__ = ["notes_on_removal", "plan_removal"]

SAME_SPIKE_MS = 0.5
"""Two spikes of a unit that are nearer than this are one that the sorter found twice."""


def plan_removal(model: EventModel, rules: TimingRules) -> Removal:
    """Choose what is subtracted to take a donor out.

    Every spike whose window lies in one file goes, at its own time and phase. A clean one goes with its own shares
    of the components, any other with those of the clean spike nearest to it in time.

    Parameters
    ----------
    model : EventModel
        With a clean spike at least.
    rules : TimingRules
    """
    gap = math.ceil(rules.recording.sampling_frequency * SAME_SPIKE_MS / 1000)
    times = model.donor_samples
    fits = rules.fits(times)
    clean = np.flatnonzero(fits & model.is_clean)
    clean = clean[_first_of_each(times[clean], gap)]
    others = np.flatnonzero(fits & ~model.is_clean)
    others = others[_distances(times[others], times[clean]) >= gap]
    others = others[_first_of_each(times[others], gap)]
    spikes = np.sort(np.concatenate([clean, others]))
    shares = nearest_clean(times, model.is_clean, spikes, times[spikes], 0)
    return Removal(model.label, model.rows, times[spikes], spikes, shares, int(fits.sum()))


def notes_on_removal(removal: Removal, num_donor_spikes: int) -> list[str]:
    """Say which spikes of the donor are not taken out."""
    notes = []
    left, doubled = num_donor_spikes - removal.num_fitting, removal.num_fitting - removal.spikes.size
    if left:
        notes.append(f"{left} of its donor's spikes stay, since their windows lie over the edge of a file")
    if doubled:
        notes.append(
            f"{doubled} of its donor's spikes come within {SAME_SPIKE_MS:g} ms of another: that was taken out, and "
            "nothing a second time"
        )
    return notes


def _first_of_each(times: NDArray[np.int64], gap: int) -> NDArray[np.bool_]:
    """Which of ascending times stay when each keeps a distance from the last that stayed."""
    stays = np.ones(times.size, dtype=np.bool_)
    # Only where neighbours are near each other is there anything to decide.
    for index in np.flatnonzero(np.diff(times) < gap) + 1:
        last = index - 1
        while not stays[last]:
            last -= 1
        stays[index] = times[index] - times[last] >= gap
    return stays


def _distances(times: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distance of each time from the nearest of some others, ascending; far where there are none."""
    far = np.iinfo(np.int64).max // 4
    padded = np.concatenate([[-far], others, [far]])
    after = np.searchsorted(others, times) + 1
    return np.asarray(np.minimum(times - padded[after - 1], padded[after] - times), dtype=np.int64)
