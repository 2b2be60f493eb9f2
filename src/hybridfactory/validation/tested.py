"""A sorting that is to be tested, laid on the run's timeline."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.sorting import FoundSorting
from hybridfactory.validation.kernel import lag_counts
from hybridfactory.validation.spikes import Spikes, sorted_spikes
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Truth

__all__ = ["Tested", "lay_on_timeline"]

SLACK_MS = 2.0
MAX_RATE_DISAGREEMENT = 1e-3
REACH_MS = 2.0


@dataclass(frozen=True, eq=False)
class Tested:
    """A sorting, placed.

    Parameters
    ----------
    name : str
    found : FoundSorting
    spikes : Spikes
        As found, lag included; units by the order of `FoundSorting.unit_ids`.
    spike_templates : numpy.ndarray of int64, shape (num_spikes,), or None
        In the order of `spikes`.
    notes : tuple of str
    """

    name: str
    found: FoundSorting
    spikes: Spikes
    spike_templates: NDArray[np.int64] | None
    notes: tuple[str, ...]

    @cached_property
    def ids(self) -> list[object]:
        """Ids of the units as Python objects, None at the end, so that index -1 is none."""
        return [*self.found.unit_ids.tolist(), None]

    def id_column(self, indices: NDArray[np.int64]) -> NDArray[np.object_]:
        """Ids of some units; None for -1."""
        ids = np.empty(len(self.ids), dtype=object)
        ids[:] = self.ids
        return ids[indices]


def lay_on_timeline(found: FoundSorting, name: str, truth: Truth) -> Tested:
    """Find out on which timeline a sorting counts, and check that it is one of this recording.

    A SpikeInterface sorting has a segment per file, or one for all files together, which are then concatenated.
    Other sorters count on over the files without gaps, or follow the timeline that the run's start times state.
    Where these differ and both hold all spikes, the one counts on which more spikes lie within 2 ms of an event.

    Raises
    ------
    SortingError
        Its sampling rate is another, its segments are not the files, or spikes lie beyond the recording's end.
    """
    timeline = truth.timeline
    rate = found.sampling_frequency
    if rate is not None and abs(rate / timeline.sampling_frequency - 1) > MAX_RATE_DISAGREEMENT:
        raise SortingError(
            f"{found.source}: has a sampling rate of {rate:g} Hz, the hybrid one of {timeline.sampling_frequency:g} "
            "Hz; give a sorting of this hybrid"
        )
    notes = list(found.warnings)
    slack = round(SLACK_MS / 1000 * timeline.sampling_frequency)
    if len(found.segments) > 1:
        places = _of_segments(found, timeline, slack)
    else:
        places, note = _of_one_segment(found, truth, slack)
        notes += [note] if note else []
    units = np.concatenate([segment.units for segment in found.segments])
    outside = int((places < 0).sum())
    if outside:
        notes.append(f"{outside} spikes lie in gaps between the files and do not count")
    templates = found.spike_templates
    if templates is not None:
        order = np.argsort(places, kind="stable")
        templates = templates[order][places[order] >= 0]
    return Tested(name, found, sorted_spikes(places, units, found.unit_ids.size), templates, tuple(notes))


def _of_segments(found: FoundSorting, timeline: Timeline, slack: int) -> NDArray[np.int64]:
    if len(found.segments) != timeline.lengths.size:
        raise SortingError(
            f"{found.source}: has {len(found.segments)} segments, but the hybrid {timeline.lengths.size} file(s); "
            "give a sorting of this hybrid, with a segment per file or one for all of them"
        )
    for index, (segment, length) in enumerate(zip(found.segments, timeline.lengths, strict=True)):
        last = int(segment.samples.max(initial=0))
        if last >= length + slack:
            raise _beyond(found, last, int(length), f"file {index + 1} of the hybrid")
    offsets = zip(found.segments, timeline.offsets, strict=True)
    return np.concatenate([segment.samples + offset for segment, offset in offsets])


def _of_one_segment(found: FoundSorting, truth: Truth, slack: int) -> tuple[NDArray[np.int64], str]:
    """Places, and a note on the timeline if there was a choice."""
    timeline, samples = truth.timeline, found.segments[0].samples
    concatenated = timeline.place(samples, timeline.concatenated, slack)
    fits = samples[-1] < timeline.num_samples + slack
    if timeline.is_concatenated or not found.counts_over_files:
        if not fits:
            raise _beyond(found, int(samples[-1]), timeline.num_samples, "the hybrid")
        return concatenated, ""
    stop = int(timeline.starts[-1] + timeline.lengths[-1])
    stated_fits = samples[-1] < stop + slack and samples[0] >= timeline.starts[0] - slack
    if not fits and not stated_fits:
        raise _beyond(found, int(samples[-1]), max(stop, timeline.num_samples), "the hybrid")
    stated = timeline.place(samples, timeline.starts, slack)
    if not (fits and stated_fits):
        chosen, words = (concatenated, "without gaps") if fits else (stated, "on the timeline of start_time")
        return chosen, f"its times count over the files {words}"
    near = [_num_near(places, truth) for places in (concatenated, stated)]
    chosen, words = (stated, "on the timeline of start_time") if near[1] > near[0] else (concatenated, "without gaps")
    return chosen, f"its times count over the files {words}: there, {max(near)} spikes lie within 2 ms of an event"


def _num_near(places: NDArray[np.int64], truth: Truth) -> int:
    reach = round(REACH_MS / 1000 * truth.timeline.sampling_frequency)
    far = np.full(truth.spikes.num_spikes, np.iinfo(np.int64).max // 4)
    return int(lag_counts(truth.spikes.places, far, np.sort(places[places >= 0]), reach).sum())


def _beyond(found: FoundSorting, last: int, length: int, what: str) -> SortingError:
    return SortingError(
        f"{found.source}: has a spike at sample {last}, but {what} ends at {length}; give a sorting of this hybrid"
    )
