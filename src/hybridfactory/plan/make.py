"""Make the injection plan from event models: each unit's place, times and amplitudes, or why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import PlacementError
from hybridfactory.events.alignment import NUM_PHASES
from hybridfactory.events.learn import RefusedUnit
from hybridfactory.events.model import EventModel
from hybridfactory.plan.amplitudes import draw_amplitude_factors
from hybridfactory.plan.placement import Move, ProbeSites, choose_move, requested_move, valid_moves
from hybridfactory.plan.plan import InjectionPlan, PlannedUnit, RefusedEvents
from hybridfactory.plan.spike_times import (
    NO_WAVEFORM,
    EventTimes,
    TimingRules,
    jittered_times,
    nearest_clean,
    renewal_times,
)

__all__ = ["PlanSettings", "make_plan", "place_events"]

PLACEMENT, TIMES, AMPLITUDES = 1, 2, 3
CLEARLY_SEEN_SHARE_OF_PEAK = 0.1
MIN_USEFUL_SNR = 3.0


@dataclass(frozen=True)
class PlanSettings:
    """What the user asked for; see the parameters of the same names.

    `synthetic_rates_hz` maps donor labels to rates; empty: the donors' own times. Nothing that is drawn depends
    on `label_base`, the label that the sorting's first unit has.
    """

    channel_shift: int | None
    synthetic_rates_hz: Mapping[int, float]
    time_jitter: float
    amplitude_scale_min: float
    amplitude_scale_max: float
    seed: int
    max_label: int
    label_base: int = 1

    def random(self, label: int, purpose: int) -> np.random.Generator:
        """Random numbers of one donor for one purpose."""
        # Seeds must not be negative; a label below the base wraps round to a number that no other label has.
        return np.random.default_rng([self.seed, (label - self.label_base) % 2**64, purpose])

    @property
    def label_offset(self) -> int:
        """Smallest power of ten above every label, counted from 1: donor 17 of 64 units becomes 117."""
        return int(10 ** len(str(max(self.max_label - self.label_base + 1, 0))))


def make_plan(
    models: Mapping[int, EventModel | RefusedUnit],
    spike_counts: Mapping[int, int],
    sites: ProbeSites,
    crowd_rows: NDArray[np.int64],
    rules: TimingRules,
    settings: PlanSettings,
) -> InjectionPlan:
    """Plan the injection of every donor.

    Parameters
    ----------
    models : mapping of int to EventModel or RefusedUnit
        By donor label.
    spike_counts : mapping of int to int
        Spikes of each donor in the sorting.
    sites : ProbeSites
    crowd_rows : numpy.ndarray of int64
        Main row of every unit of the sorting, as far as known.
    rules : TimingRules
    settings : PlanSettings

    Returns
    -------
    InjectionPlan
        Units in ascending order of label. What is planned for one does not depend on the others.
    """
    units: list[PlannedUnit] = []
    for label in sorted(models):
        model = models[label]
        if isinstance(model, RefusedUnit):
            units.append(_refused(label, model.reason, spike_counts[label], None))
            continue
        try:
            move = _find_move(model, sites, crowd_rows, settings)
        except PlacementError as error:
            units.append(_refused(label, str(error), spike_counts[label], model))
            continue
        units.append(_planned(model, move, spike_counts[label], sites, rules, settings))
    return InjectionPlan(tuple(units), rules.samples_before, rules.samples_after)


def _find_move(model: EventModel, sites: ProbeSites, crowd_rows: NDArray[np.int64], settings: PlanSettings) -> Move:
    if settings.channel_shift is not None:
        return requested_move(sites, model.rows, model.mean, settings.channel_shift)
    moves = valid_moves(sites, model.rows, model.mean)
    if not moves:
        raise PlacementError(
            "no translation, rotation or reflection maps this unit's sites on other connected sites of the same "
            "geometry"
        )
    height = np.abs(model.mean).max(axis=0)
    clearly_seen = model.rows[height >= CLEARLY_SEEN_SHARE_OF_PEAK * height.max()]
    return choose_move(moves, sites, clearly_seen, crowd_rows, settings.random(model.label, PLACEMENT))


def _planned(
    model: EventModel,
    move: Move,
    num_donor_spikes: int,
    sites: ProbeSites,
    rules: TimingRules,
    settings: PlanSettings,
) -> PlannedUnit:
    times = _event_times(model, rules, settings)
    if times.samples.size == 0:
        return _refused(model.label, "no event fits into the recording", num_donor_spikes, model)
    factors = draw_amplitude_factors(
        times.samples.size,
        settings.amplitude_scale_min,
        settings.amplitude_scale_max,
        settings.random(model.label, AMPLITUDES),
    )
    planned = place_events(
        model, move, times, factors, sites, model.label + settings.label_offset, num_donor_spikes=num_donor_spikes
    )
    if planned is None:
        return _refused(model.label, "its events are zero or not finite", num_donor_spikes, model)
    return replace(planned, notes=(*model.notes, *_notes_on(model, move, settings)))


def place_events(
    model: EventModel,
    move: Move,
    times: EventTimes,
    factors: NDArray[np.float32],
    sites: ProbeSites,
    injected_label: int,
    *,
    num_donor_spikes: int,
) -> PlannedUnit | None:
    """Put a unit's events where a move carries them, timed by the trough of their mean.

    Parameters
    ----------
    model : EventModel
    move : Move
    times : EventTimes
        Centres of the events' windows, and the donor spikes they look like; not empty.
    factors : numpy.ndarray of float32, shape (num_events,)
        Amplitude factors.
    sites : ProbeSites
    injected_label : int
    num_donor_spikes : int
        Spikes of the donor in the sorting.

    Returns
    -------
    PlannedUnit or None
        None where the events come to nothing, or to no finite number.
    """
    height = np.abs(_mean_of_events(model, move.footprint, times.donors, factors))
    # Written so that NaN fails.
    if not (0 < height.max() < np.inf):
        return None
    column = int(height.max(axis=0).argmax())
    lateness = int(height[:, column].argmax()) - model.samples_before
    return PlannedUnit(
        donor_label=model.label,
        injected_label=injected_label,
        reason="",
        notes=model.notes,
        num_donor_spikes=num_donor_spikes,
        num_training_spikes=model.num_training_spikes,
        rank=len(model.components),
        snr=model.snr,
        donor_row=int(model.rows[model.main_column]),
        center_row=int(sites.rows[move.channels[column]]),
        displacement_um=move.displacement_um,
        move=move.kind,
        rows=sites.rows[move.channels],
        footprint=move.footprint,
        samples=times.samples + lateness,
        donor_events=times.donors,
        donor_samples=model.donor_samples[times.donors] + lateness,
        amplitude_factors=factors,
        refused=RefusedEvents(times.refused.donor_samples + lateness, times.refused.reasons),
        window_shift=-lateness,
    )


def _event_times(model: EventModel, rules: TimingRules, settings: PlanSettings) -> EventTimes:
    """When the unit fires (centres of windows), and the clean donor spikes that its events look like."""
    random = settings.random(model.label, TIMES)
    rate = settings.synthetic_rates_hz.get(model.label)
    guard = rules.donor_distance
    clean = np.flatnonzero(model.is_clean)
    if rate is None:
        times = jittered_times(model.donor_samples, settings.time_jitter, rules, random)
        wanted = times.donors
        guard = guard if settings.time_jitter else 0
    elif clean.size:
        times = renewal_times(model.donor_samples[clean], rate, rules, random)
        wanted = clean[times.donors]
    else:
        nothing = np.zeros(0, dtype=np.int64)
        return EventTimes(nothing, nothing, RefusedEvents(nothing, ()))
    donors = nearest_clean(model.donor_samples, model.is_clean, wanted, times.samples, guard)
    has_donor = donors >= 0
    refused = times.refused
    if rate is None:
        # With a synthetic rate an event stands for no donor spike, and is just not drawn.
        lost = model.donor_samples[wanted[~has_donor]]
        refused = RefusedEvents(
            np.concatenate([refused.donor_samples, lost]), (*refused.reasons, *[NO_WAVEFORM] * lost.size)
        )
    return EventTimes(times.samples[has_donor], donors[has_donor], refused)


def _mean_of_events(
    model: EventModel, footprint: NDArray[np.int64], donors: NDArray[np.int64], factors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean waveform of the events as they will be rendered; shape (num_samples, num_footprint_rows).

    Their amplitudes, components and phases shift it against the model's own mean, and the ground truth is to
    say where the injected events are.
    """
    bank = model.waveform_bank(footprint)
    weights = np.zeros(bank.shape[:2])
    own = factors[:, None].astype(np.float64) * np.insert(model.coefficients[donors], 0, 1, axis=1)
    np.add.at(weights, model.phases[donors] + NUM_PHASES // 2, own)
    return np.asarray(np.tensordot(weights / donors.size, bank.astype(np.float64), axes=2))


def _notes_on(model: EventModel, move: Move, settings: PlanSettings) -> Sequence[str]:
    notes = []
    if not model.snr >= MIN_USEFUL_SNR:
        notes.append(f"SNR {model.snr:.1f}: a sorter will hardly find it")
    if settings.channel_shift is not None and settings.channel_shift != move.channel_shift:
        direction = "downwards" if move.channel_shift < 0 else "upwards"
        notes.append(
            f"channel_shift {settings.channel_shift} fits only {direction}: moved by {move.channel_shift:+d}"
        )
    if move.kind != "translation":
        notes.append(f"moved by a {move.kind} of its sites, since the probe has no translation for it")
    if move.energy_share < 1 - 1e-3:
        notes.append(f"{1 - move.energy_share:.1%} of its energy fell on no connected site and is left out")
    if move.num_blind_sites:
        notes.append(
            f"{move.num_blind_sites} site(s) near its new centre had no counterpart at the donor's place, "
            "and show nothing of it"
        )
    return notes


def _refused(label: int, reason: str, num_donor_spikes: int, model: EventModel | None) -> PlannedUnit:
    none = np.zeros(0, dtype=np.int64)
    return PlannedUnit(
        donor_label=label,
        injected_label=None,
        reason=reason,
        notes=model.notes if model else (),
        num_donor_spikes=num_donor_spikes,
        num_training_spikes=model.num_training_spikes if model else 0,
        rank=len(model.components) if model else 0,
        snr=model.snr if model else float("nan"),
        donor_row=int(model.rows[model.main_column]) if model else None,
        center_row=None,
        displacement_um=(float("nan"), float("nan")),
        move="",
        rows=none,
        footprint=none,
        samples=none,
        donor_events=none,
        donor_samples=none,
        amplitude_factors=np.zeros(0, dtype=np.float32),
        refused=RefusedEvents(none, ()),
    )
