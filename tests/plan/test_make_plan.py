"""The plan of a whole run: what goes in, what does not, and why."""

from dataclasses import fields, replace

import numpy as np
import pytest

from hybridfactory.events.alignment import shift
from hybridfactory.events.model import RefusedUnit
from hybridfactory.injection.script import write_script
from hybridfactory.plan.make import PlanSettings, make_plan
from hybridfactory.plan.plan import InjectionPlan

LINE = [[0, 20 * k] for k in range(16)]
SETTINGS = PlanSettings(None, {}, 100.0, 0.8, 1.2, seed=5, max_label=64)


@pytest.fixture
def planned(make_sites, make_model, make_rules):
    """Plan some of the models 3, 7 and 20 on a line of 16 sites."""
    models = {
        3: make_model(3, [4, 5, 6], [40, 100, 30]),
        7: make_model(7, [9, 10, 11], [60, 90, 30], is_clean=np.arange(499) % 3 != 0),
        20: make_model(20, [1, 2, 3], [50, 70, 10]),
    }

    def plan(labels=(3, 7, 20), positions=LINE, rules=None, extra=None, crowd=(5, 10, 2), **changes):
        chosen = {label: models[label] for label in labels} | (extra or {})
        return make_plan(
            chosen,
            dict.fromkeys(chosen, 510),
            make_sites(positions),
            np.array(crowd),
            rules or make_rules((0, 100_000)),
            replace(SETTINGS, **changes),
        )

    plan.models = models
    return plan


def assert_same(one, other):
    for item in fields(one):
        a, b = getattr(one, item.name), getattr(other, item.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and np.array_equal(a, b), item.name
        elif item.name != "refused":
            assert a == b, item.name


def test_units_are_complete(planned):
    plan = planned()
    assert [unit.donor_label for unit in plan] == [3, 7, 20]
    assert [unit.injected_label for unit in plan] == [103, 107, 120]
    assert plan.num_events == sum(unit.samples.size for unit in plan)
    for unit in plan.injected_units:
        model = planned.models[unit.donor_label]
        count = unit.num_events
        assert count > 450
        assert unit.donor_events.shape == unit.donor_samples.shape == unit.amplitude_factors.shape == (count,)
        assert np.array_equal(unit.donor_samples + unit.window_shift, model.donor_samples[unit.donor_events])
        assert model.is_clean[unit.donor_events].all()
        assert (np.diff(unit.samples) >= 60).all()
        assert ((unit.amplitude_factors >= 0.8) & (unit.amplitude_factors <= np.float32(1.2))).all()
        assert (unit.reason, unit.num_donor_spikes, unit.rank) == ("", 510, 2)
        assert unit.notes[0] == "a note"
        assert unit.donor_row == model.rows[model.main_column]
        assert unit.rows.size == unit.footprint.size
        assert unit.center_row == unit.rows[np.flatnonzero(unit.footprint == model.main_column)[0]]
        assert unit.displacement_um == (0.0, 20.0 * (unit.center_row - unit.donor_row))
        assert unit.snr == pytest.approx(model.snr)


@pytest.mark.parametrize("rates", [{}, {3: 20.0, 7: 3.5, 20: 100.0}], ids=["own times", "synthetic"])
def test_no_unit_depends_on_another(planned, rates):
    alone = {label: planned((label,), synthetic_rates_hz=rates).units[0] for label in (3, 7, 20)}
    for labels in ((20, 7, 3), (7, 3), (3, 20)):
        for unit in planned(labels, synthetic_rates_hz=rates):
            assert_same(unit, alone[unit.donor_label])


def test_the_seed_decides(planned):
    for one, again, other in zip(planned(), planned(), planned(seed=6), strict=True):
        assert_same(one, again)
        assert not np.array_equal(one.samples, other.samples)
        assert not np.array_equal(one.amplitude_factors, other.amplitude_factors)
    centers = {planned((3,), seed=seed).units[0].center_row for seed in range(20)}
    assert len(centers) > 3


def test_units_with_the_same_spikes_do_not_move_together(planned):
    """Seeds derive from the run's seed and the label: two units in step would be found by their correlation."""
    first, second = planned((3, 20)).units
    assert np.array_equal(planned.models[3].donor_samples, planned.models[20].donor_samples)
    assert np.mean(np.isin(first.samples, second.samples)) < 0.1
    assert not np.array_equal(first.amplitude_factors[:9], second.amplitude_factors[:9])


def test_what_is_drawn_for_one_thing_does_not_depend_on_another(planned):
    """Amplitudes do not change the times, and a fixed place changes neither."""
    (one,), (other,), (third,) = (
        planned((3,), **changes).units
        for changes in ({}, {"amplitude_scale_min": 1.0, "amplitude_scale_max": 1.0}, {"channel_shift": 4})
    )
    assert np.array_equal(one.samples, other.samples) and np.array_equal(one.samples, third.samples)
    assert one.center_row == other.center_row
    assert (other.amplitude_factors == 1).all()


def test_no_jitter_keeps_the_donor_s_times(planned):
    for unit in planned(time_jitter=0.0):
        assert np.array_equal(unit.samples + unit.window_shift, planned.models[unit.donor_label].donor_samples)


@pytest.mark.parametrize("rates", [{}, {3: 20.0, 7: 30.0, 20: 100.0}], ids=["own times", "synthetic"])
def test_events_keep_off_the_spike_whose_waveform_they_carry(planned, make_rules, rates):
    """Else a spike would come out doubled. Unit 7 has spikes that borrow a neighbour's waveform."""
    for frequency, distance in ((30_000.0, 30), (24_414.0625, 25)):
        for unit in planned(synthetic_rates_hz=rates, rules=make_rules((0, 100_000), frequency=frequency)):
            assert np.abs(unit.samples - unit.donor_samples).min() >= distance


def test_event_that_can_borrow_no_waveform_is_refused(planned, make_model):
    """The only clean spike is within 1 ms of where the other's event has to go."""
    samples = np.array([5000, 5100])
    model = make_model(4, [5, 6], [100, 40], donor_samples=samples, is_clean=[True, False])
    seen = set()
    for seed in range(60):
        (unit,) = planned((), extra={4: model}, seed=seed, time_jitter=60.0)
        assert (unit.donor_events == 0).all()
        assert unit.num_events + unit.refused.donor_samples.size == 2
        assert (np.abs(unit.samples - unit.donor_samples) >= 30).all()
        seen |= set(unit.refused.reasons)
    assert any("lend" in reason for reason in seen)


@pytest.mark.parametrize("rates", [{}, {4: 20.0}], ids=["own times", "synthetic"])
def test_unit_without_a_clean_spike_is_refused(planned, make_model, rates):
    model = make_model(4, [5, 6], [100, 40], is_clean=np.zeros(499, dtype=bool))
    (unit,) = planned((), extra={4: model}, synthetic_rates_hz=rates)
    assert not unit.is_injected and unit.reason


def test_synthetic_rate(planned):
    plan = planned(synthetic_rates_hz={3: 40.0, 7: 2.0, 20: 300.0})
    for unit, rate in zip(plan, (40, 2, 300), strict=True):
        assert unit.num_events == pytest.approx(rate * 100_000 / 30_000, rel=0.35, abs=5)
        model = planned.models[unit.donor_label]
        assert model.is_clean[unit.donor_events].all()
        assert np.array_equal(unit.donor_samples + unit.window_shift, model.donor_samples[unit.donor_events])


def test_refused_models_stay_in_the_plan(planned):
    plan = planned((3,), extra={5: RefusedUnit(5, "only 12 spikes")})
    kept, refused = plan
    assert kept.is_injected and not refused.is_injected
    assert (refused.donor_label, refused.injected_label, refused.reason) == (5, None, "only 12 spikes")
    assert (refused.num_events, refused.num_donor_spikes, refused.center_row) == (0, 510, None)
    assert plan.injected_units == (kept,)


def test_unit_without_a_place_is_refused_and_others_go_on(planned, make_model):
    irregular = [[0, 0], [17, 5], [40, 31], [3, 60], *([200, 20 * k] for k in range(12))]
    stuck = make_model(9, [0, 1, 2, 3], [100, 80, 70, 60])
    free = make_model(11, [8, 9], [100, 40])
    plan = planned((), positions=irregular, extra={9: stuck, 11: free})
    refused, kept = plan
    assert kept.is_injected and kept.move == "translation"
    assert not refused.is_injected and "geometry" in refused.reason and "\n" not in refused.reason
    assert (refused.num_training_spikes, refused.rank, refused.donor_row) == (499, 2, 0)
    assert refused.snr == pytest.approx(stuck.snr)


def test_channel_shift_is_honoured_or_refused(planned):
    plan = planned(channel_shift=8)
    moved = {unit.donor_label: unit.center_row for unit in plan if unit.is_injected}
    assert moved == {3: 13, 7: 2, 20: 10}
    for unit in planned(channel_shift=12):
        if not unit.is_injected:
            assert "channel_shift 12" in unit.reason
    assert not planned((3,), channel_shift=12).injected_units


def test_a_shift_against_the_asked_direction_is_noted(planned):
    notes = {unit.donor_label: [n for n in unit.notes if "channel_shift" in n] for unit in planned(channel_shift=8)}
    assert notes == {3: [], 7: ["channel_shift 8 fits only downwards: moved by -8"], 20: []}
    notes = {unit.donor_label: [n for n in unit.notes if "channel_shift" in n] for unit in planned(channel_shift=-8)}
    assert notes == {
        3: ["channel_shift -8 fits only upwards: moved by +8"],
        7: [],
        20: ["channel_shift -8 fits only upwards: moved by +8"],
    }


def test_a_unit_that_drowns_in_noise_is_noted(planned, make_model):
    for noise, note in ((40.0, ["SNR 2.5: a sorter will hardly find it"]), (30.0, [])):
        model = replace(make_model(4, [5, 6], [100, 40]), noise_level=noise)
        (unit,) = planned((), extra={4: model})
        assert [text for text in unit.notes if "SNR" in text] == note


@pytest.mark.parametrize("shift", [None, 3])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_model_of_nothing_is_refused(planned, make_model, value, shift):
    model = make_model(4, [5, 6], [100, 40])
    broken = replace(model, mean=np.full_like(model.mean, value))
    refused, kept = planned((7,), extra={4: broken}, channel_shift=shift)
    assert not refused.is_injected and "zero or not finite" in refused.reason
    assert kept.is_injected


def test_components_that_are_no_numbers_are_refused(planned, make_model):
    model = make_model(4, [5, 6], [100, 40])
    (unit,) = planned((), extra={4: replace(model, components=model.components * np.nan)})
    assert not unit.is_injected and "not finite" in unit.reason


def rendered_mean(unit, model):
    """Mean of the planned events, one by one, over window samples and the rows they land on."""
    waveforms = model.waveforms(unit.footprint)
    events = [
        factor
        * shift(
            np.tensordot(np.float32([1, *model.coefficients[donor]]), waveforms, 1), model.phases[donor] / 8
        ).astype(np.float64)
        for donor, factor in zip(unit.donor_events, unit.amplitude_factors, strict=True)
    ]
    return np.mean(events, axis=0)


def test_truth_is_where_the_planned_events_are(planned, make_model):
    """Components that all events share move the mean to another row and three samples later."""
    model = make_model(4, [5, 6], [100, 90])
    components = model.components * 0
    components[0, :, 1] = np.roll(model.mean[:, 1], 3) - model.mean[:, 1]
    components[1, :, 1] = np.roll(model.mean[:, 1], 3)
    model = replace(model, components=components, coefficients=np.tile(np.float32([1, 0.5]), (499, 1)))
    (unit,) = planned((), extra={4: model}, time_jitter=0.0)
    mean = rendered_mean(unit, model)
    assert np.abs(mean).max(axis=0).argmax() == 1 and np.abs(mean[:, 1]).argmax() == 18
    assert unit.window_shift == -3
    assert unit.center_row == unit.rows[1] and unit.donor_row == 5
    assert np.array_equal(unit.samples, model.donor_samples + 3)
    assert np.array_equal(unit.donor_samples, model.donor_samples + 3)
    script = write_script(InjectionPlan((unit,), 15, 15), {4: model})
    assert np.array_equal(script.samples, model.donor_samples)


@pytest.mark.parametrize("rates", [{}, {3: 3.0, 7: 3.0, 20: 3.0}], ids=["own times", "synthetic"])
def test_truth_of_every_unit(planned, rates):
    for unit in planned(synthetic_rates_hz=rates):
        height = np.abs(rendered_mean(unit, planned.models[unit.donor_label]))
        column = height.max(axis=0).argmax()
        assert unit.center_row == unit.rows[column]
        assert unit.window_shift == 15 - height[:, column].argmax()


def test_labels_that_count_from_zero_give_the_same_hybrid(planned):
    ones = planned(max_label=100)
    zeros = planned(
        (), extra={k - 1: replace(v, label=k - 1) for k, v in planned.models.items()}, max_label=99, label_base=0
    )
    for one, zero in zip(ones, zeros, strict=True):
        assert (one.donor_label, one.injected_label) == (zero.donor_label + 1, zero.injected_label + 1)
        assert_same(one, replace(zero, donor_label=one.donor_label, injected_label=one.injected_label))


def test_labels_below_the_base_have_seeds_of_their_own(planned, make_model):
    models = {label: replace(make_model(3, [4, 5, 6], [40, 100, 30]), label=label) for label in (0, 1)}
    units = planned((), extra=models).units
    assert not np.array_equal(units[0].samples, units[1].samples)


def test_tetrode_says_that_it_turned_the_unit(planned, make_model):
    square = [[0, 0], [25, 0], [0, 25], [25, 25]]
    (unit,) = planned((), positions=square, crowd=(2,), extra={4: make_model(4, [0, 1, 2, 3], [100, 70, 60, 50])})
    assert unit.move in ("rotation", "reflection")
    assert unit.move in " ".join(unit.notes)
    assert unit.center_row != unit.donor_row


def test_energy_that_is_left_out_is_noted(planned, make_model):
    model = make_model(4, list(range(14)), [10] * 6 + [100] + [10] * 7)
    (unit,) = planned((), extra={4: model})
    assert unit.rows.size < 14
    assert any("is left out" in note for note in unit.notes)


def test_events_that_find_no_time_are_refused_with_a_reason(planned, make_rules, make_model):
    model = make_model(4, [5, 6], [100, 40], donor_samples=np.arange(1000, 2000))
    (unit,) = planned((), extra={4: model}, rules=make_rules((0, 20_000)))
    assert unit.num_events + len(unit.refused.reasons) == 1000
    assert all(unit.refused.reasons) and unit.refused.donor_samples.size == len(unit.refused.reasons)


def test_unit_without_a_single_event_is_refused(planned, make_rules, make_model):
    model = make_model(4, [5, 6], [100, 40], donor_samples=np.array([5, 9]))
    (unit,) = planned((), extra={4: model}, rules=make_rules((0, 20)), time_jitter=0.0)
    assert not unit.is_injected and "no event fits" in unit.reason


@pytest.mark.parametrize(("largest", "offset"), [(0, 10), (9, 10), (10, 100), (64, 100), (99, 100), (100, 1000)])
def test_injected_labels_are_above_all_real_ones(planned, largest, offset):
    assert planned((3,), max_label=largest).units[0].injected_label == 3 + offset
