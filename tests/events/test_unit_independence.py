"""What is learned, planned and written for one unit depends on no other, and on the seed alone."""

import weakref
from dataclasses import fields, replace

import numpy as np
import pytest

from hybridfactory.events import find_donors
from hybridfactory.events import learn as learn_module
from hybridfactory.events.model import EventModel
from hybridfactory.injection.render import render
from hybridfactory.injection.script import write_script
from hybridfactory.plan.make import PlanSettings, make_plan
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.plan.spike_times import TimingRules

SETTINGS = PlanSettings(None, {}, 100.0, 0.9, 1.1, seed=7, max_label=20)


@pytest.fixture
def trained(short_bench, monkeypatch):
    monkeypatch.setattr(find_donors, "MAX_TRAINING_SPIKES", 150)
    monkeypatch.setattr(learn_module, "NUM_BACKGROUND_WINDOWS", 150)
    bench = short_bench
    first = bench.unit(bench.times(400), y_um=60)
    second = bench.unit(bench.times(200), y_um=110, amplitude=150)
    third = bench.unit(bench.times(100), y_um=40, amplitude=350)
    for unit in (first, second, third):
        bench.add(unit)
    recording = bench.save()
    return bench, recording, {3: first.times, 11: second.times, 14: third.times}


def run(bench, recording, trains, seed=7):
    models = learn_module.learn_event_models(recording, trains, bench.sites, replace(bench.settings, seed=seed))
    sites = ProbeSites(bench.sites.rows, bench.sites.positions_um, bench.sites.shanks, np.ones(16, dtype=bool))
    plan = make_plan(
        models,
        {label: train.size for label, train in trains.items()},
        sites,
        np.array([6, 11, 4]),
        TimingRules(recording, 40, 40, 60),
        replace(SETTINGS, seed=seed),
    )
    return models, plan


def same(one, other):
    """Whether two dataclass instances agree in every bit."""
    for item in fields(one):
        a, b = getattr(one, item.name), getattr(other, item.name)
        if isinstance(a, np.ndarray):
            if a.dtype != b.dtype or a.tobytes() != b.tobytes():
                return False
        elif hasattr(a, "__dataclass_fields__"):
            if not same(a, b):
                return False
        elif a != b:
            return False
    return True


def changes(recording, models, plan, label):
    """What the script of one unit of the plan adds to an empty recording."""
    alone = replace(plan, units=tuple(unit for unit in plan if unit.donor_label == label))
    empty = np.zeros((60_000, recording.num_rows), dtype=np.float32)
    return render(empty, 40_000, write_script(alone, models))


def test_other_units_and_their_order_change_nothing(trained, monkeypatch):
    bench, recording, trains = trained
    models, plan = run(bench, recording, trains)
    assert all(isinstance(model, EventModel) for model in models.values())
    assert models[3].num_training_spikes <= 150 < models[3].donor_samples.size
    assert list(models) == [3, 11, 14]
    for labels in ([3], [11, 3], [14, 11]):
        # With many units, some are encoded before others are fitted.
        monkeypatch.setattr(learn_module, "LEARNED_BYTES", 1 if labels == [14, 11] else 64 << 20)
        some_models, some_plan = run(bench, recording, {label: trains[label] for label in labels})
        assert list(some_models) == sorted(labels)
        for unit in some_plan:
            label = unit.donor_label
            assert same(some_models[label], models[label])
            assert same(unit, next(other for other in plan if other.donor_label == label))
            assert np.array_equal(
                changes(recording, some_models, some_plan, label), changes(recording, models, plan, label)
            )


def test_the_seed_decides(trained):
    bench, recording, trains = trained
    (first,) = run(bench, recording, {3: trains[3]})[1].units
    (again,) = run(bench, recording, {3: trains[3]})[1].units
    (other,) = run(bench, recording, {3: trains[3]}, seed=8)[1].units
    assert same(first, again)
    assert not np.array_equal(first.samples, other.samples)
    assert not np.array_equal(first.amplitude_factors, other.amplitude_factors)


def test_spikes_beyond_the_training_sample_are_encoded_alike(trained):
    """Those that the model learned from and those it did not: same accuracy, same spread."""
    bench, recording, trains = trained
    model = run(bench, recording, {3: trains[3]})[0][3]
    inside = np.zeros(400, dtype=bool)
    inside[np.linspace(0, 399, 150).round().astype(int)] = True
    # What a collision leaves in the others' coefficients is nobody's.
    known, unknown = inside & model.is_clean, ~inside & model.is_clean
    ratio = model.coefficients[known].std(axis=0) / model.coefficients[unknown].std(axis=0)
    assert ratio[:3] == pytest.approx(1, abs=0.25)
    assert model.is_clean[~inside].mean() == pytest.approx(model.is_clean[inside].mean(), abs=0.08)


def test_source_file_is_not_touched(trained):
    bench, recording, trains = trained
    before = recording.files[0].path.read_bytes()
    run(bench, recording, trains)
    assert recording.files[0].path.read_bytes() == before


def test_models_of_a_pass_are_gone_before_the_next_is_fitted(short_bench, monkeypatch):
    """Memory does not grow with the number of donors whose spikes have to be read again."""
    monkeypatch.setattr(find_donors, "MAX_TRAINING_SPIKES", 60)
    monkeypatch.setattr(learn_module, "NUM_BACKGROUND_WINDOWS", 60)
    monkeypatch.setattr(learn_module, "LEARNED_BYTES", 1)
    monkeypatch.setattr(learn_module.os, "sched_getaffinity", lambda process: {0}, raising=False)
    alive, most, fit = weakref.WeakSet(), [0], learn_module.fit_unit

    def fit_and_count(*arguments, **options):
        outcome = fit(*arguments, **options)
        alive.add(outcome[0])
        most[0] = max(most[0], len(alive))
        return outcome

    monkeypatch.setattr(learn_module, "fit_unit", fit_and_count)
    unit = short_bench.unit(short_bench.times(300))
    short_bench.add(unit)
    recording = short_bench.save()
    trains = {label: unit.times[label % 3 :: 3] for label in range(12)}
    models = learn_module.learn_event_models(recording, trains, short_bench.sites, short_bench.settings)
    assert all(isinstance(model, EventModel) for model in models.values())
    # One that is enough, and those that were begun before it was.
    assert most[0] <= 2 + learn_module.NUM_WORKERS
