"""Events made from one half of a unit's spikes by the way a hybrid is made, but left at their own sites."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.model import EventModel
from hybridfactory.injection.script import InjectionScript, write_script
from hybridfactory.plan.make import place_events
from hybridfactory.plan.placement import Move, ProbeSites
from hybridfactory.plan.plan import InjectionPlan, RefusedEvents
from hybridfactory.plan.spike_times import EventTimes, nearest_clean
from hybridfactory.realism.trial import Trial

__all__ = ["EventsInPlace", "events_in_place"]


@dataclass(frozen=True, eq=False)
class EventsInPlace:
    """What goes in at the donor's own sites.

    Parameters
    ----------
    script : InjectionScript
    samples : numpy.ndarray of int64, shape (num_events,)
        Timeline samples of the events.
    bursts : numpy.ndarray of int64, shape (num_events,)
        The burst that each belongs to.
    """

    script: InjectionScript
    samples: NDArray[np.int64]
    bursts: NDArray[np.int64]


def events_in_place(model: EventModel, trial: Trial, sites: ProbeSites, guard_samples: int) -> EventsInPlace | None:
    """Put one event of a model at each of the trial's places.

    Parameters
    ----------
    model : EventModel
        Learned from ``trial.donors`` alone.
    trial : Trial
    sites : ProbeSites
    guard_samples : int
        Distance that an event keeps from a spike that lends it its waveform.

    Returns
    -------
    EventsInPlace or None
        None where no donor spike has a waveform to lend.
    """
    # The model sorts spikes by its own estimate of their times: within a burst at most, whose shift is one.
    wanted = np.flatnonzero(trial.has_place)
    samples = model.donor_samples[wanted] + trial.shifts[wanted]
    donors = nearest_clean(model.donor_samples, model.is_clean, wanted, samples, guard_samples)
    has_donor = donors >= 0
    samples, donors, bursts = samples[has_donor], donors[has_donor], trial.donor_bursts[wanted[has_donor]]
    if not samples.size:
        return None
    order = np.argsort(sites.rows)
    channels = order[np.searchsorted(sites.rows, model.rows, sorter=order)]
    main = int(channels[model.main_column])
    stay = Move("none", main, main, (0.0, 0.0), np.arange(model.rows.size), channels, 1.0, 0)
    unit = place_events(
        model,
        stay,
        EventTimes(samples, donors, RefusedEvents(np.zeros(0, dtype=np.int64), ())),
        np.ones(samples.size, dtype=np.float32),
        sites,
        model.label,
        num_donor_spikes=model.donor_samples.size,
    )
    if unit is None:
        return None
    after = model.mean.shape[0] - 1 - model.samples_before
    script = write_script(InjectionPlan((unit,), model.samples_before, after), {model.label: model})
    return EventsInPlace(script, samples, bursts)
