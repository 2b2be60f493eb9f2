"""Several units from one donor, units as large as asked for, and what is taken out of the hybrid."""

from dataclasses import replace

import numpy as np
import pytest

from hybridfactory.injection.script import write_script
from hybridfactory.plan.amplitudes import AmplitudeTarget
from hybridfactory.plan.make import PlanSettings, make_plan
from hybridfactory.plan.plan import InjectionPlan

LINE = [[0, 20 * k] for k in range(40)]
SETTINGS = PlanSettings(None, {}, 100.0, 1.0, 1.0, seed=5, max_label=64)
NOISE = 2.0 + np.arange(40) / 10


@pytest.fixture
def plan_of(make_sites, make_rules):
    """Plan models on a line of 40 sites."""

    def plan(*models, positions=LINE, rules=None, **changes):
        return make_plan(
            {model.label: model for model in models},
            {model.label: model.donor_samples.size for model in models},
            make_sites(positions),
            np.zeros(0, dtype=np.int64),
            rules or make_rules((0, 100_000)),
            replace(SETTINGS, **changes),
        )

    return plan


@pytest.fixture
def model(make_model):
    return make_model(3, [4, 5, 6], [40, 100, 30])


def test_units_of_one_donor_on_the_same_columns_share_their_waveforms(plan_of, model, make_model):
    models = {3: model, 17: make_model(17, [9, 10, 11], [60, 90, 30])}
    plan = plan_of(*models.values(), units_per_donor=4)
    script = write_script(plan, models)
    kinds = {(unit.donor_label, tuple(unit.footprint)) for unit in plan.injected_units}
    assert len(kinds) < len(script.labels)
    assert np.unique(script.waveform_starts).size == len(kinds)
    for unit in plan.injected_units:
        bank, rows = script.bank_of(script.unit_of(unit.injected_label))
        assert np.array_equal(bank[4], models[unit.donor_label].waveforms(unit.footprint))
        assert np.array_equal(rows, unit.rows)
    assert script.waveforms.size == sum(31 * 3 * len(columns) for _, columns in kinds)


def target(low, high=None, *, name="target_snr", largest=32768.0, is_whole=True):
    return AmplitudeTarget(name, low, low if high is None else high, NOISE, is_whole, largest)


def same(one, other):
    return np.array_equal(one.samples, other.samples) and one.center_row == other.center_row


def test_copies_have_labels_places_and_times_of_their_own(plan_of, model, make_model):
    other = make_model(17, [9, 10, 11], [60, 90, 30])
    plan = plan_of(model, other, units_per_donor=4)
    assert [unit.injected_label for unit in plan] == [103, 203, 303, 403, 117, 217, 317, 417]
    assert [unit.donor_label for unit in plan] == [3] * 4 + [17] * 4
    for mine, donor_row in ((plan.units[:4], 5), (plan.units[4:], 10)):
        rows = [donor_row, *(unit.center_row for unit in mine)]
        # None is where another one is clearly seen, one site to either side.
        assert np.abs(np.subtract.outer(rows, rows))[~np.eye(5, dtype=bool)].min() > 1
        for k, unit in enumerate(mine):
            assert unit.num_events > 450
            for later in mine[k + 1 :]:
                assert np.isin(unit.samples, later.samples).mean() < 0.1


def test_the_first_ones_do_not_depend_on_how_many_follow(plan_of, model):
    one, two, five = (plan_of(model, units_per_donor=count).units for count in (1, 2, 5))
    assert same(one[0], two[0]) and all(same(a, b) for a, b in zip(two, five, strict=False))
    with_rate = plan_of(model, units_per_donor=2, synthetic_rates_hz={3: 50.0}).units
    assert not np.array_equal(with_rate[0].samples, with_rate[1].samples)


def test_what_finds_no_place_is_refused_in_one_line(plan_of, make_model):
    model = make_model(3, [0, 1], [100, 20])
    plan = plan_of(model, positions=LINE[:4], units_per_donor=5)
    rows = [unit.center_row for unit in plan.injected_units]
    # Three other sites, of which the last has room for 96 % of the energy; never the same one twice.
    assert sorted(rows) == [1, 2, 3]
    assert [unit.injected_label for unit in plan.injected_units] == [103, 203, 303]
    refused = plan.units[-1]
    assert len(plan.units) == 4 and not refused.is_injected
    assert "units 4 to 5" in refused.reason and "3 other places" in refused.reason


@pytest.mark.parametrize("seed", range(5))
def test_near_places_serve_where_there_are_no_others(plan_of, make_model, seed):
    model = make_model(3, [0, 1, 2], [60, 100, 60])
    plan = plan_of(model, positions=LINE[:8], units_per_donor=6, seed=seed)
    rows = [unit.center_row for unit in plan.injected_units]
    assert len(set(rows)) == len(rows) == 5 and 1 not in rows
    # The second keeps off the first and off the donor: possible from wherever the first is, on this line.
    free = set(range(2, 7)) - {rows[0] - 1, rows[0], rows[0] + 1, 0, 1, 2}
    assert rows[1] in free


def peak_of(unit, model):
    """Peak of the planned events' mean on the centre row."""
    script = write_script(InjectionPlan((unit,), 15, 15), {model.label: model})
    bank, _ = script.bank_of(0)
    weights = script.weights[script.weight_starts[:, None] + np.arange(3)]
    events = np.einsum(
        "ek,ekt->et", weights, bank[script.phases][..., np.flatnonzero(unit.rows == unit.center_row)[0]]
    )
    return np.abs(events.mean(axis=0)).max()


@pytest.mark.parametrize("place", range(3))
def test_target_snr_is_met_on_the_new_row(plan_of, model, place):
    unit = plan_of(model, units_per_donor=3, target=target(12.5)).units[place]
    assert peak_of(unit, model) == pytest.approx(12.5 * NOISE[unit.center_row], rel=1e-4)
    plain = plan_of(model, units_per_donor=3).units[place]
    assert same(unit, plain) and unit.unit_factor == pytest.approx(unit.amplitude_factors[0], rel=1e-6)


def test_every_unit_draws_its_own_from_a_range(plan_of, model, make_model):
    other = make_model(17, [9, 10, 11], [60, 90, 30])
    both = plan_of(model, other, units_per_donor=2, target=target(8, 20)).units
    reached = [peak_of(unit, {3: model, 17: other}[unit.donor_label]) / NOISE[unit.center_row] for unit in both]
    assert len({round(value, 3) for value in reached}) == 4
    assert all(8 <= value <= 20 for value in reached)
    alone = plan_of(other, target=target(8, 20)).units[0]
    assert alone.unit_factor == both[2].unit_factor


def test_the_target_multiplies_the_scale_of_single_events(plan_of, model):
    scales = {"amplitude_scale_min": 0.5, "amplitude_scale_max": 1.5}
    plain = plan_of(model, **scales).units[0]
    unit = plan_of(model, target=target(20), **scales).units[0]
    assert unit.unit_factor != 1
    assert np.allclose(unit.amplitude_factors, plain.amplitude_factors * unit.unit_factor, rtol=1e-6)


def test_what_cannot_be_is_refused_with_a_reason(plan_of, model):
    for changes, words in (
        ({"target": target(1000)}, "scale it up"),
        ({"target": replace(target(100), largest_counts=150.0)}, "data type"),
        ({"target": target(0.1)}, "less than one count"),
        ({"target": replace(target(5), counts_of_one=NOISE * 0)}, "no noise"),
        ({"target": replace(target(5), counts_of_one=NOISE * np.nan)}, "no noise"),
    ):
        (unit,) = plan_of(model, remove_original=True, **changes).units
        assert not unit.is_injected and words in unit.reason and unit.num_removed_spikes == 0
        assert "\n" not in unit.reason
    assert plan_of(model, target=target(0.1, is_whole=False)).units[0].is_injected


def test_scaling_up_is_noted_and_a_small_unit_as_well(plan_of, model):
    (large,) = plan_of(model, target=target(90)).units
    assert large.unit_factor > 2 and any("scales it up" in note for note in large.notes)
    (small,) = plan_of(model, target=target(2.5)).units
    assert "SNR 2.5: a sorter will hardly find it" in small.notes
    (fine,) = plan_of(replace(model, noise_level=80.0), target=target(10)).units
    assert not any("SNR" in note or "scales" in note for note in fine.notes)


def test_what_is_taken_out(plan_of, make_rules, make_model):
    """Spikes over an edge stay, one found twice goes once, and unclean ones borrow shares but keep their times."""
    times = np.array([5, 400, 1000, 1008, 2000, 2009, 3000])
    clean = np.array([True, True, False, True, False, False, True])
    model = make_model(3, [4, 5, 6], [40, 100, 30], donor_samples=times, is_clean=clean)
    plan = plan_of(model, rules=make_rules((0, 10_000)), remove_original=True, units_per_donor=2)
    (removal,) = plan.removals
    assert removal.donor_label == 3 and np.array_equal(removal.rows, [4, 5, 6])
    assert removal.spikes.tolist() == [1, 3, 4, 6]
    assert removal.samples.tolist() == [400, 1008, 2000, 3000]
    assert removal.shares.tolist() == [1, 3, 3, 6]
    assert [unit.num_removed_spikes for unit in plan] == [4, 4]
    first, second = (" ".join(unit.notes) for unit in plan)
    assert "1 of its donor's spikes stay" in first and "2 of its donor's spikes come within 0.5 ms" in first
    assert "stay" not in second
    assert not plan_of(model, rules=make_rules((0, 10_000))).removals


def test_a_refused_donor_is_not_taken_out(plan_of, model, make_model):
    stuck = make_model(9, [8, 9, 10], [100, 80, 70])
    plan = plan_of(model, stuck, remove_original=True, channel_shift=31)
    assert [unit.is_injected for unit in plan] == [True, False]
    assert [removal.donor_label for removal in plan.removals] == [3]


def test_the_script_tells_truth_from_what_is_taken_out(plan_of, model, make_model):
    models = {3: model, 17: make_model(17, [9, 10, 11], [60, 90, 30])}
    plan = plan_of(*models.values(), remove_original=True)
    script = write_script(plan, models)
    assert script.labels.tolist() == [-18, -4, 103, 117]
    assert (np.diff(script.samples) >= 0).all()
    alone = write_script(replace(plan, removals=()), models)
    injected = script.injected
    for name in ("samples", "units", "phases", "labels", "num_waveforms", "num_columns", "filters"):
        assert np.array_equal(getattr(injected, name), getattr(alone, name)), name
    for unit in range(2):
        assert all(map(np.array_equal, injected.bank_of(unit), alone.bank_of(unit)))
    assert np.array_equal(injected.rows, alone.rows) and np.array_equal(injected.row_starts, alone.row_starts)
    for event in range(0, injected.samples.size, 50):
        mine = slice(injected.weight_starts[event], injected.weight_starts[event] + 3)
        theirs = slice(alone.weight_starts[event], alone.weight_starts[event] + 3)
        assert np.array_equal(injected.weights[mine], alone.weights[theirs])
    out = np.flatnonzero(script.units == 1)
    assert np.array_equal(script.samples[out], model.donor_samples)
    weights = script.weights[script.weight_starts[out][:, None] + np.arange(3)]
    assert np.array_equal(weights, -np.insert(model.coefficients, 0, 1, axis=1))
    assert np.array_equal(script.phases[out], model.phases + 4)
