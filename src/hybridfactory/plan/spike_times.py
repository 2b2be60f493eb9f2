"""When an injected unit fires, and which donor spike each of its events looks like."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hybridfactory.plan.plan import RefusedEvents
from hybridfactory.recording.flat import FlatRecording

__all__ = ["NO_WAVEFORM", "EventTimes", "TimingRules", "jittered_times", "nearest_clean", "renewal_times"]

MAX_DRAWS = 50
NUM_NEAR_DONORS = 5
MIN_DISTANCE_TO_DONOR_MS = 1

NO_ROOM = "its window would lie over the edge of a file or a gap"
TOO_CLOSE = "no time was found that keeps the refractory period"
NO_WAVEFORM = "its waveform is unknown, and all spikes that could lend it theirs are within 1 ms of the event"


@dataclass(frozen=True)
class TimingRules:
    """What every event's time must keep to.

    Parameters
    ----------
    recording : FlatRecording
    samples_before, samples_after : int
        An event's window must lie wholly in one file.
    refractory_samples : int
        Smallest distance between two events of one injected unit.
    """

    recording: FlatRecording
    samples_before: int
    samples_after: int
    refractory_samples: int

    @property
    def donor_distance(self) -> int:
        """Samples that an event keeps from the donor spike it looks like: at least 1 ms."""
        return math.ceil(self.recording.sampling_frequency * MIN_DISTANCE_TO_DONOR_MS / 1000)

    def fits(self, samples: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether an event's window at each sample lies in one file."""
        return self.recording.holds_window(samples, self.samples_before, self.samples_after)


@dataclass(frozen=True, eq=False)
class EventTimes:
    """Times of one injected unit's events, ascending, and the donor spikes behind them.

    Parameters
    ----------
    samples : numpy.ndarray of int64, shape (num_events,)
    donors : numpy.ndarray of int64, shape (num_events,)
        Indices of donor spikes.
    refused : RefusedEvents
    """

    samples: NDArray[np.int64]
    donors: NDArray[np.int64]
    refused: RefusedEvents


def jittered_times(
    donor_samples: NDArray[np.int64], time_jitter: float, rules: TimingRules, random: np.random.Generator
) -> EventTimes:
    """Give each donor spike an event, a normally distributed time away from it.

    Bursts, pauses and changes of rate survive as long as the jitter is short against them. No event comes
    closer than 1 ms to its own donor spike, unless `time_jitter` is 0: then times are the donor's own.

    Parameters
    ----------
    donor_samples : numpy.ndarray of int64, shape (num_spikes,)
        Ascending.
    time_jitter : float
        Standard deviation of the shift before the 1 ms around zero is cut out, in samples.
    rules : TimingRules
    random : numpy.random.Generator
    """
    guard = rules.donor_distance
    shifts = _guarded_normal(donor_samples.size, time_jitter, guard, random)
    samples = donor_samples + shifts
    pending = _offenders(samples, rules)
    for _ in range(MAX_DRAWS if time_jitter > 0 else 0):
        if pending.size == 0:
            break
        samples[pending] = donor_samples[pending] + _guarded_normal(pending.size, time_jitter, guard, random)
        pending = _offenders(samples, rules)
    refused = ~_first_come(samples, rules) if pending.size else np.zeros(samples.size, dtype=bool)
    lost = np.flatnonzero(refused)
    reasons = tuple(TOO_CLOSE if fits else NO_ROOM for fits in rules.fits(samples[lost]))
    kept = np.flatnonzero(~refused)
    order = kept[np.argsort(samples[kept], kind="stable")]
    return EventTimes(samples[order], order, RefusedEvents(donor_samples[lost], reasons))


def renewal_times(
    donor_samples: NDArray[np.int64], rate_hz: float, rules: TimingRules, random: np.random.Generator
) -> EventTimes:
    """Draw a Poisson process with a dead time, and for each event one of the donor spikes nearest in time.

    Parameters
    ----------
    donor_samples : numpy.ndarray of int64, shape (num_spikes,)
        Clean donor spikes, ascending, at least one.
    rate_hz : float
        Mean rate; its inverse must exceed the refractory period.
    rules : TimingRules
    random : numpy.random.Generator
    """
    frequency = rules.recording.sampling_frequency
    dead = rules.refractory_samples
    mean_excess = max(frequency / rate_hz - dead, 0.0)
    pieces = []
    for file in rules.recording.files:
        expected = file.num_samples / frequency * rate_hz
        count = int(expected + 6 * np.sqrt(expected) + 10)
        # The first interval starts anywhere within one, so that the rate is right from the first sample on.
        first = random.uniform(0, frequency / rate_hz)
        intervals = dead + random.exponential(mean_excess, size=count)
        times = np.ceil(first + np.concatenate([[0.0], np.cumsum(intervals)])).astype(np.int64)
        pieces.append(file.start_sample + times[times < file.num_samples])
    samples = np.concatenate(pieces)
    samples = samples[_first_come(samples, rules)]
    position = np.searchsorted(donor_samples, samples)
    reach = min(NUM_NEAR_DONORS, donor_samples.size)
    lowest = np.clip(position - reach // 2, 0, donor_samples.size - reach)
    donors = lowest + random.integers(reach, size=samples.size)
    nothing = RefusedEvents(np.zeros(0, dtype=np.int64), ())
    return EventTimes(samples, donors, nothing)


def nearest_clean(
    donor_samples: NDArray[np.int64],
    is_clean: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    events: NDArray[np.int64],
    guard: int,
) -> NDArray[np.int64]:
    """For each event the donor spike that lends it its waveform: the wanted one, or the nearest that can.

    Only clean spikes can, whose waveform is known, and none nearer to the event than `guard`: the same
    waveform twice within a moment would be one spike that came out doubled.

    Parameters
    ----------
    donor_samples : numpy.ndarray of int64, shape (num_spikes,)
        Ascending.
    is_clean : numpy.ndarray of bool, shape (num_spikes,)
    wanted : numpy.ndarray of int64, shape (num_events,)
        Index of a donor spike for each event.
    events : numpy.ndarray of int64, shape (num_events,)
        Timeline samples.
    guard : int

    Returns
    -------
    numpy.ndarray of int64, shape (num_events,)
        Indices of donor spikes; -1 where no spike can.
    """
    clean = np.flatnonzero(is_clean)
    if clean.size == 0:
        return np.full(events.size, -1, dtype=np.int64)
    times, near = donor_samples[clean], donor_samples[wanted]
    # The first beyond the wanted spike on either side; where the event is too near to that, the first beyond it.
    position = np.stack(
        [
            np.searchsorted(times, near, side="left"),
            np.searchsorted(times, near, side="right") - 1,
            np.searchsorted(times, events + guard, side="left"),
            np.searchsorted(times, events - guard, side="right") - 1,
        ]
    )
    exists = (position >= 0) & (position < clean.size)
    position = np.clip(position, 0, clean.size - 1)
    exists &= np.abs(times[position] - events) >= guard
    cost = np.where(exists, np.abs(times[position] - near), np.iinfo(np.int64).max)
    best = cost.argmin(axis=0), np.arange(events.size)
    found = np.where(exists[best], clean[position[best]], -1)
    return np.where(is_clean[wanted] & (np.abs(near - events) >= guard), wanted, found)


def _guarded_normal(size: int, deviation: float, guard: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Whole samples from a centred normal distribution without the part nearer to zero than `guard`."""
    if deviation == 0:
        return np.zeros(size, dtype=np.int64)
    sign = np.where(random.random(size) < 0.5, -1, 1)
    tail = math.erfc((guard - 0.5) / deviation / math.sqrt(2)) / 2
    uniform = random.random(size)
    # A jitter so short that nothing of its distribution is left beyond the guard gives the guard's edge.
    distance = np.full(size, float(guard))
    if tail > 1e-300:
        quantile = NormalDist().inv_cdf
        distance = -deviation * np.array([quantile(share) for share in (tail * (1 - uniform)).tolist()])
    return np.asarray(sign * np.maximum(np.rint(distance), guard), dtype=np.int64)


def _offenders(samples: NDArray[np.int64], rules: TimingRules) -> NDArray[np.int64]:
    """Indices of events out of bounds, or within the refractory period after another event."""
    order = np.argsort(samples, kind="stable")
    ordered = samples[order]
    early = np.zeros(samples.size, dtype=bool)
    early[order[1:]] = np.diff(ordered) < rules.refractory_samples
    return np.flatnonzero(early | ~rules.fits(samples))


def _first_come(samples: NDArray[np.int64], rules: TimingRules) -> NDArray[np.bool_]:
    """Which events stay when each that fits keeps the refractory period after the last that stayed."""
    stays = rules.fits(samples)
    last = None
    for index in np.argsort(samples, kind="stable"):
        if stays[index]:
            stays[index] = last is None or samples[index] - last >= rules.refractory_samples
            last = samples[index] if stays[index] else last
    return stays
