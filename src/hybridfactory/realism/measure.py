"""How lifelike a donor's events are: half of its spikes against events made from the other half."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.model import EventModel, RefusedUnit
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.injection.render import render
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.realism.classify import Separation, combine, tell_apart
from hybridfactory.realism.hints import hint_for
from hybridfactory.realism.trial import Trial, deal
from hybridfactory.realism.trial_events import events_in_place
from hybridfactory.realism.view import ReadTraces, View, spikes_in_view
from hybridfactory.recording.flat import FlatRecording

__all__ = ["NUM_NEAR", "Effort", "UnitRealism", "measure_realism"]

QUIET_S = 0.008
NUM_NEAR = 12
MIN_SPIKES = 30
GUARD_S = 0.001


@dataclass(frozen=True)
class Effort:
    """How much is looked at.

    Parameters
    ----------
    max_events : int
        Spikes of either class, for each exchange of the halves.
    max_donors : int
        Spikes that teach the model.
    min_events_once : int
        With so many spikes in both classes the halves are not exchanged.
    """

    max_events: int
    max_donors: int
    min_events_once: int

    @classmethod
    def quick(cls) -> "Effort":
        """A few hundred events of each unit."""
        return cls(max_events=400, max_donors=2000, min_events_once=400)

    @classmethod
    def thorough(cls) -> "Effort":
        """All events, and both halves in either part."""
        return cls(max_events=2**62, max_donors=2**62, min_events_once=2**62)


@dataclass(frozen=True)
class UnitRealism:
    """What classifiers make of one donor's events.

    Parameters
    ----------
    donor_label : int
    separation : Separation or None
        None where the unit could not be measured.
    num_real, num_injected : int
        Spikes of the two classes, all exchanges together.
    reason : str
        Why the unit could not be measured; empty where it was.
    hint : str
        What a poor score may come from; empty for a good one.
    """

    donor_label: int
    separation: Separation | None
    num_real: int = 0
    num_injected: int = 0
    reason: str = ""
    hint: str = ""


def measure_realism(
    recording: FlatRecording,
    trains: Mapping[int, NDArray[np.int64]],
    sites: ProbeSites,
    settings: ModelSettings,
    effort: Effort,
    *,
    progress: ProgressCallback = no_progress,
) -> list[UnitRealism]:
    """Let classifiers try to tell a donor's own spikes from events built as a hybrid's are.

    Parameters
    ----------
    recording : FlatRecording
        The untouched source.
    trains : mapping of int to numpy.ndarray of int64
        Label → spike times as the sorting states them.
    sites : ProbeSites
    settings : ModelSettings
        As for the hybrid.
    effort : Effort
    progress : ProgressCallback

    Returns
    -------
    list of UnitRealism
        In ascending order of label.
    """
    connected = Sites(sites.rows[sites.connected], sites.positions_um[sites.connected], sites.shanks[sites.connected])
    parts: dict[int, list[_Part]] = {label: [] for label in sorted(trains)}
    reasons: dict[int, str] = {}
    for swap in (False, True):
        trials = {
            label: _deal(recording, train, label, settings, effort, swap)
            for label, train in trains.items()
            if not parts[label] or min(parts[label][0].num_spikes) < effort.min_events_once
        }
        halves = {label: trial.donors for label, trial in trials.items()}
        models = learn_event_models(recording, halves, connected, settings, progress=progress)
        for done, (label, model) in enumerate(models.items(), start=1):
            outcome = _judge(recording, trials[label], model, sites, settings)
            if isinstance(outcome, str):
                reasons[label] = outcome
            else:
                parts[label].append(outcome)
            progress("telling real from injected", done, len(models))
    return [_summarize(label, parts[label], reasons.get(label, ""), trains[label], recording) for label in parts]


@dataclass(frozen=True, eq=False)
class _Part:
    separation: Separation
    num_spikes: tuple[int, int]
    model: EventModel


def _deal(
    recording: FlatRecording,
    train: NDArray[np.int64],
    label: int,
    settings: ModelSettings,
    effort: Effort,
    swap: bool,
) -> Trial:
    frequency = recording.sampling_frequency
    return deal(
        recording,
        train,
        quiet_samples=round(QUIET_S * frequency),
        # The view reaches farthest, but for the time that the trough may be off the stated one.
        margin_samples=round(0.02 * frequency) + settings.samples_before + settings.samples_after,
        max_donors=effort.max_donors,
        max_events=effort.max_events,
        random=np.random.default_rng([settings.seed, (label - settings.label_base) % 2**64, 4]),
        swap=swap,
    )


def _judge(
    recording: FlatRecording,
    trial: Trial,
    model: EventModel | RefusedUnit,
    sites: ProbeSites,
    settings: ModelSettings,
) -> _Part | str:
    """Build and add the events of one half, and hold them against the other; or why that cannot be done."""
    if isinstance(model, RefusedUnit):
        return f"half of its spikes make no event model: {model.reason}"
    guard = round(GUARD_S * recording.sampling_frequency)
    placed = events_in_place(model, trial, sites, guard)
    if placed is None:
        return "no moment was found at which the unit is silent"
    if min(placed.samples.size, trial.real.size) < MIN_SPIKES:
        return f"only {placed.samples.size} events found a silent moment, {MIN_SPIKES} are needed"
    view = view_of(recording, sites, int(model.rows[model.main_column]))
    lag = int(np.median(model.donor_samples - trial.donors))
    with recording.reader() as reader:

        def read_hybrid(start: int, stop: int) -> NDArray[np.generic]:
            return render(reader.read_timeline(start, stop), start, placed.script)

        separation = compare(view, reader.read_timeline, read_hybrid, trial, lag, placed.samples, placed.bursts)
    return _Part(separation, (trial.real.size, placed.samples.size), model)


def compare(
    view: View,
    read_source: ReadTraces,
    read_hybrid: Callable[[int, int], NDArray[np.generic]],
    trial: Trial,
    lag: int,
    samples: NDArray[np.int64],
    bursts: NDArray[np.int64],
) -> Separation:
    """Look at the real class in the source and at events in the hybrid, and let classifiers tell them apart.

    Parameters
    ----------
    view : View
    read_source, read_hybrid : callable
        Read timeline samples [start, stop) of either.
    trial : Trial
    lag : int
        Samples from the stated times to the trough.
    samples, bursts : numpy.ndarray of int64, shape (num_events,)
        The events, at their trough, and their bursts.
    """
    real = spikes_in_view(view, read_source, trial.real + lag)
    injected = spikes_in_view(view, read_hybrid, samples)
    return tell_apart(real, injected, trial.real_bursts, bursts, seed=0)


def view_of(recording: FlatRecording, sites: ProbeSites, main_row: int) -> View:
    """Look at the sites around a unit's main channel, as a sorter that takes a common median off all connected."""
    rows, positions = sites.rows[sites.connected], sites.positions_um[sites.connected]
    shanks = sites.shanks[sites.connected]
    main = int(np.flatnonzero(rows == main_row)[0])
    distance = np.linalg.norm(positions - positions[main], axis=1)
    distance[shanks != shanks[main]] = np.inf
    distance[main] = -1
    near = np.argsort(distance, kind="stable")[: min(NUM_NEAR, int(np.isfinite(distance).sum()))]
    return View(recording.sampling_frequency, rows, near)


def _summarize(
    label: int, parts: list[_Part], reason: str, train: NDArray[np.int64], recording: FlatRecording
) -> UnitRealism:
    if not parts:
        return UnitRealism(label, None, reason=reason)
    separation = combine([part.separation for part in parts])
    counts = np.array([part.num_spikes for part in parts]).sum(axis=0)
    hint = hint_for(separation, parts[0].model, train, recording.sampling_frequency)
    return UnitRealism(label, separation, int(counts[0]), int(counts[1]), hint=hint)
