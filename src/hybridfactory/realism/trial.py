"""A unit's spikes dealt into two halves: one is the real class, from the other events are made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.recording.flat import FlatRecording

__all__ = ["Trial", "deal"]

MAX_PLACES_TRIED = 4000


@dataclass(frozen=True, eq=False)
class Trial:
    """Who is real and who lends the waveforms, and when the events made from these go in.

    Spikes that follow each other closely stay together, in one half and at one distance from each other: an event
    then has the same neighbours as its donor spike had, and its twin is not among the real ones.

    Parameters
    ----------
    real : numpy.ndarray of int64, shape (num_real,)
        Timeline samples of the real class, ascending.
    real_bursts : numpy.ndarray of int64, shape (num_real,)
        Number of the burst that each belongs to.
    donors : numpy.ndarray of int64, shape (num_donors,)
        Timeline samples of the other half, ascending.
    donor_bursts : numpy.ndarray of int64, shape (num_donors,)
    shifts : numpy.ndarray of int64, shape (num_donors,)
        From each donor spike to the time at which its event goes in: a moment when the unit is silent.
    has_place : numpy.ndarray of bool, shape (num_donors,)
        False where no such moment was found; the spike still teaches the model.
    """

    real: NDArray[np.int64]
    real_bursts: NDArray[np.int64]
    donors: NDArray[np.int64]
    donor_bursts: NDArray[np.int64]
    shifts: NDArray[np.int64]
    has_place: NDArray[np.bool_]

    @property
    def placed(self) -> NDArray[np.int64]:
        """Timeline samples of the events that go in, in the order of their donors."""
        return (self.donors + self.shifts)[self.has_place]

    @property
    def placed_bursts(self) -> NDArray[np.int64]:
        """Burst of each of them."""
        return self.donor_bursts[self.has_place]


def deal(
    recording: FlatRecording,
    train: NDArray[np.int64],
    *,
    quiet_samples: int,
    margin_samples: int,
    max_donors: int,
    max_events: int,
    random: np.random.Generator,
    swap: bool = False,
) -> Trial:
    """Deal a unit's bursts into two halves, and find silent moments for bursts of the second.

    Places near a burst's own time come first, so that slow changes of the recording look alike to both classes.
    Where there are more spikes than asked for, bursts spread over the recording stand for all.

    Parameters
    ----------
    recording : FlatRecording
    train : numpy.ndarray of int64, shape (num_spikes,)
        The unit's spikes on the timeline, ascending.
    quiet_samples : int
        Spikes nearer than this to each other are one burst, and nothing is put nearer than this to a spike.
    margin_samples : int
        Spikes nearer to the edge of a file are left out.
    max_donors : int
        At most about so many spikes lend waveforms.
    max_events : int
        About so many events go in, and so many spikes make the real class.
    random : numpy.random.Generator
    swap : bool
        Exchange the halves.
    """
    spikes = train[recording.holds_window(train, margin_samples, margin_samples)]
    bursts = np.concatenate([[0], np.cumsum(np.diff(spikes) > quiet_samples)])[: spikes.size]
    num_bursts = int(bursts[-1]) + 1 if spikes.size else 0
    is_donor = (random.permutation(num_bursts) % 2 == int(not swap))[bursts]
    real = _thinned(bursts, np.flatnonzero(~is_donor), max_events)
    donors = _thinned(bursts, np.flatnonzero(is_donor), max_donors)
    wanted = _thinned(bursts, donors, max_events)
    # The longest bursts are the hardest to place; which go first must not decide which are heard.
    order = random.permutation(np.unique(bursts[wanted]))
    free = _FreeTime(recording, train, quiet_samples, margin_samples)
    shifts = np.zeros(donors.size, dtype=np.int64)
    has_place = np.zeros(donors.size, dtype=np.bool_)
    for burst in order:
        members = bursts[donors] == burst
        shift = free.take(spikes[donors[members]], random)
        shifts[members], has_place[members] = shift or 0, shift is not None
    return Trial(spikes[real], bursts[real], spikes[donors], bursts[donors], shifts, has_place)


def _thinned(bursts: NDArray[np.int64], chosen: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Whole bursts, evenly spread, that hold at most about `limit` of the chosen spikes."""
    stride = max(-(-chosen.size // limit), 1)
    rank = np.unique(bursts[chosen], return_inverse=True)[1]
    kept: NDArray[np.int64] = chosen[rank % stride == 0]
    return kept


class _FreeTime:
    """Moments at which a unit is silent and nothing has been put yet."""

    def __init__(
        self, recording: FlatRecording, train: NDArray[np.int64], quiet_samples: int, margin_samples: int
    ) -> None:
        self._recording = recording
        self._quiet, self._margin = quiet_samples, margin_samples
        self._starts, self._stops = train - quiet_samples, train + quiet_samples
        reach = max(recording.num_samples / max(train.size, 1), 4.0 * quiet_samples)
        # Wider and wider around the burst's own time.
        self._spread = reach * np.geomspace(1, 1000, MAX_PLACES_TRIED)

    def take(self, burst: NDArray[np.int64], random: np.random.Generator) -> int | None:
        """How far to move a burst so that it falls into silence; None where there is no room for it."""
        first, length = int(burst[0]), int(burst[-1] - burst[0])
        tried = first + np.rint(self._spread * random.uniform(-1, 1, MAX_PLACES_TRIED)).astype(np.int64)
        fits = self._recording.holds_window(tried, self._margin, self._margin + length)
        position = np.searchsorted(self._starts, tried + length, side="right")
        # All stretches that begin before the burst ends must end before it begins; both are in ascending order.
        before = np.where(position > 0, self._stops[np.maximum(position - 1, 0)], np.iinfo(np.int64).min)
        free = np.flatnonzero(fits & (before <= tried))
        if not free.size:
            return None
        start = int(tried[free[0]])
        where = np.searchsorted(self._starts, start - self._quiet)
        self._starts = np.insert(self._starts, where, start - self._quiet)
        self._stops = np.insert(self._stops, where, start + length + self._quiet)
        return start - first
