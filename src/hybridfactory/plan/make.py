"""Make the injection plan from event models: each unit's place, times and amplitudes, or why it has none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import PlacementError
from hybridfactory.events.alignment import NUM_PHASES, filtered, phase_filters
from hybridfactory.events.model import EventModel, RefusedUnit
from hybridfactory.plan.amplitudes import AmplitudeTarget, draw_amplitude_factors
from hybridfactory.plan.placement import Move, ProbeSites, requested_move
from hybridfactory.plan.places import find_places
from hybridfactory.plan.plan import InjectionPlan, PlannedUnit, RefusedEvents
from hybridfactory.plan.removal import notes_on_removal, plan_removal
from hybridfactory.plan.spike_times import (
    NO_WAVEFORM,
    EventTimes,
    TimingRules,
    jittered_times,
    nearest_clean,
    renewal_times,
)

__all__ = ["PlanSettings", "make_plan", "place_events"]

PLACEMENT, TIMES, AMPLITUDES, TARGET = 1, 2, 3, 4
MIN_USEFUL_SNR = 3.0


@dataclass(frozen=True)
class PlanSettings:
    """What the user asked for; see the parameters of the same names.

    `synthetic_rates_hz` maps donor labels to rates; empty: the donors' own times. Nothing that is drawn depends
    on `label_base`, the label that the sorting's first unit has. `target` is None where units are to be as large as
    their donors.
    """

    channel_shift: int | None
    synthetic_rates_hz: Mapping[int, float]
    time_jitter: float
    amplitude_scale_min: float
    amplitude_scale_max: float
    seed: int
    max_label: int
    label_base: int = 1
    target: AmplitudeTarget | None = None
    units_per_donor: int = 1
    remove_original: bool = False

    def random(self, label: int, purpose: int, place: int = 0) -> np.random.Generator:
        """Random numbers for one purpose of the unit that one donor has at its first, second, … place, from 0."""
        # Seeds must not be negative; a label below the base wraps round to a number that no other label has.
        seeds = [self.seed, (label - self.label_base) % 2**64, purpose]
        return np.random.default_rng([*seeds, place] if place else seeds)

    def injected_label(self, label: int, place: int) -> int:
        """Label of that unit: as often as it is counted, the offset goes on top of the donor's."""
        return label + (place + 1) * self.label_offset

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
        Units in ascending order of the donor's label. What is planned for one donor does not depend on the others.
    """
    units: list[PlannedUnit] = []
    removals = []
    for label in sorted(models):
        model = models[label]
        if isinstance(model, RefusedUnit):
            units.append(_refused(label, model.reason, spike_counts[label], None))
            continue
        mine = _units_of(model, spike_counts[label], sites, crowd_rows, rules, settings)
        if settings.remove_original and any(unit.is_injected for unit in mine):
            removal = plan_removal(model, rules)
            removals.append(removal)
            mine = [replace(unit, num_removed_spikes=removal.spikes.size) for unit in mine]
            first = next(index for index, unit in enumerate(mine) if unit.is_injected)
            notes = notes_on_removal(removal, spike_counts[label])
            mine[first] = replace(mine[first], notes=(*mine[first].notes, *notes))
        units += mine
    return InjectionPlan(tuple(units), rules.samples_before, rules.samples_after, tuple(removals))


def _units_of(
    model: EventModel,
    num_donor_spikes: int,
    sites: ProbeSites,
    crowd_rows: NDArray[np.int64],
    rules: TimingRules,
    settings: PlanSettings,
) -> list[PlannedUnit]:
    """All units that one donor makes, and a line for those that find no place."""
    asked = settings.units_per_donor
    try:
        if settings.channel_shift is not None:
            moves = [requested_move(sites, model.rows, model.mean, settings.channel_shift)]
        else:
            random = partial(settings.random, model.label, PLACEMENT)
            moves = find_places(model, sites, crowd_rows, asked, random)
    except PlacementError as error:
        return [_refused(model.label, str(error), num_donor_spikes, model)]
    units = [
        _planned(model, move, place, num_donor_spikes, sites, rules, settings) for place, move in enumerate(moves)
    ]
    if len(moves) < asked:
        which = f"unit {asked}" if len(moves) == asked - 1 else f"units {len(moves) + 1} to {asked}"
        reason = (
            f"no place is left for {which} of this donor (units_per_donor = {asked}): its sites fit on "
            f"{len(moves)} other place{'s' * (len(moves) != 1)}"
        )
        units.append(_refused(model.label, reason, num_donor_spikes, model))
    return units


def _planned(
    model: EventModel,
    move: Move,
    place: int,
    num_donor_spikes: int,
    sites: ProbeSites,
    rules: TimingRules,
    settings: PlanSettings,
) -> PlannedUnit:
    times = _event_times(model, rules, settings, settings.random(model.label, TIMES, place))
    if times.samples.size == 0:
        return _refused(model.label, "no event fits into the recording", num_donor_spikes, model)
    factors = draw_amplitude_factors(
        times.samples.size,
        settings.amplitude_scale_min,
        settings.amplitude_scale_max,
        settings.random(model.label, AMPLITUDES, place),
    )
    label = settings.injected_label(model.label, place)
    planned = place_events(model, move, times, factors, sites, label, num_donor_spikes=num_donor_spikes)
    if planned is None:
        return _refused(model.label, "its events are zero or not finite", num_donor_spikes, model)
    snr, notes = model.snr, list(model.notes)
    if settings.target is not None:
        value = settings.target.draw(settings.random(model.label, TARGET, place))
        scaled = _scaled(planned, model, value, settings)
        if isinstance(scaled, str):
            return _refused(model.label, scaled, num_donor_spikes, model)
        planned = scaled
        snr = value if settings.target.name == "target_snr" else model.snr * planned.unit_factor
        notes += filter(None, [settings.target.note(value, planned.unit_factor)])
    return replace(planned, notes=(*notes, *_notes_on(snr, move, settings)))


def _scaled(unit: PlannedUnit, model: EventModel, value: float, settings: PlanSettings) -> PlannedUnit | str:
    """Scale a planned unit to its target, or say why it cannot be."""
    target, row = cast(AmplitudeTarget, settings.target), cast(int, unit.center_row)
    alike = np.ones(unit.num_events, dtype=np.float32)
    mean = _mean_of_events(model, unit.footprint, unit.donor_events, alike)
    peak = float(np.abs(mean[:, int(np.flatnonzero(unit.rows == row)[0])]).max())
    scales = (settings.amplitude_scale_min, settings.amplitude_scale_max)
    reason = target.refusal(value, peak, row, scales)
    if reason:
        return reason
    factor = target.unit_factor(value, peak, row)
    factors = (unit.amplitude_factors.astype(np.float64) * factor).astype(np.float32)
    return replace(unit, amplitude_factors=factors, unit_factor=factor)


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


def _event_times(
    model: EventModel, rules: TimingRules, settings: PlanSettings, random: np.random.Generator
) -> EventTimes:
    """When the unit fires (centres of windows), and the clean donor spikes that its events look like."""
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
    waveforms, filters = model.waveforms(footprint), phase_filters()
    weights = np.zeros((len(filters), len(waveforms)))
    own = factors[:, None].astype(np.float64) * np.insert(model.coefficients[donors], 0, 1, axis=1)
    np.add.at(weights, model.phases[donors] + NUM_PHASES // 2, own)
    by_phase = np.tensordot(weights / donors.size, waveforms, axes=1).astype(np.float32)
    return np.asarray(filtered(by_phase, np.arange(len(filters)), filters).sum(axis=0, dtype=np.float64))


def _notes_on(snr: float, move: Move, settings: PlanSettings) -> Sequence[str]:
    notes = []
    if not snr >= MIN_USEFUL_SNR:
        notes.append(f"SNR {snr:.1f}: a sorter will hardly find it")
    if settings.channel_shift is not None and settings.channel_shift != move.channel_shift:
        direction = "downwards" if move.channel_shift < 0 else "upwards"
        notes.append(
            f"channel_shift {settings.channel_shift} fits only {direction}: moved by {move.channel_shift:+d}"
        )
    if move.kind != "translation":
        notes.append("moved by a rotation or reflection of the sites, since the probe allows no translation")
    if move.energy_share < 1 - 1e-3:
        notes.append(f"{1 - move.energy_share:.1%} of its energy fell on no connected site and is left out")
    if move.num_blind_sites:
        notes.append(
            f"{move.num_blind_sites} site(s) near the new centre had no counterpart at the donor's place, "
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
