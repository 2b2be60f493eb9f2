"""The flat arrays of all events: their order, the ranges they touch, and their file."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.events.alignment import shift
from hybridfactory.injection.script import load_script, save_script, write_script

BEFORE, AFTER = 12, 18
TIMES = st.lists(st.integers(0, 3000), min_size=1, max_size=25, unique=True)


def test_events_are_sorted_by_time_then_label(scene_of):
    script = scene_of(lambda label: [100, 50 * label, 700]).script
    assert (np.diff(script.samples) >= 0).all()
    together = script.samples == 700
    assert script.labels[script.units[together]].tolist() == [102, 105, 109]


def test_weights_and_phases_stay_with_their_events(scene):
    script = scene.script
    units = {unit.injected_label: unit for unit in scene.plan.injected_units}
    for event in range(script.samples.size):
        index = script.units[event]
        unit = units[script.labels[index]]
        model = scene.models[unit.donor_label]
        own = script.weights[script.weight_starts[event] :][: script.num_waveforms[index]]
        candidates = np.flatnonzero(unit.samples == script.samples[event])
        expected = [
            (
                [factor := unit.amplitude_factors[k], *(factor * model.coefficients[unit.donor_events[k]])],
                model.phases[unit.donor_events[k]] + 4,
            )
            for k in candidates
        ]
        assert any(np.array_equal(own, w) and script.phases[event] == phase for w, phase in expected)


def test_rows_and_waveforms_belong_to_their_units(scene):
    script = scene.script
    for unit in scene.plan.injected_units:
        index = script.unit_of(unit.injected_label)
        start = script.row_starts[index]
        assert np.array_equal(script.rows[start : start + script.num_columns[index]], unit.rows)
        waveforms = scene.models[unit.donor_label].waveforms(unit.footprint)
        bank, rows = script.bank_of(index)
        assert np.array_equal(bank[4], waveforms) and np.array_equal(rows, unit.rows)
        for phase in range(9):
            assert bank[phase, 0] == pytest.approx(shift(waveforms[0], (phase - 4) / 8), abs=1e-3)
    assert script.unit_of(99) == script.unit_of(None) == -1


def test_order_of_the_plan_s_units_does_not_matter(scene):
    turned = replace(scene.plan, units=scene.plan.units[::-1])
    other = write_script(turned, scene.models)
    for item in fields(other):
        assert getattr(other, item.name).tobytes() == getattr(scene.script, item.name).tobytes(), item.name


@given(TIMES, TIMES, st.integers(-50, 3100), st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_events_in_a_range_are_those_whose_windows_touch_it(scene_of, first, second, start, length):
    script = scene_of(lambda label: first if label == 2 else second).script
    found = np.arange(*script.events_in(start, start + length))
    touching = (script.samples - BEFORE < start + length) & (script.samples + AFTER >= start)
    assert np.array_equal(found, np.flatnonzero(touching))


def test_events_at_the_borders_of_a_range(scene_of):
    """Windows reach from 88 to 118: ranges that share one sample with that, and those that just miss it."""
    script = scene_of(lambda label: [100] if label == 2 else [5000]).script
    found = {edges: script.events_in(*edges) == (0, 1) for edges in ((80, 88), (80, 89), (118, 130), (119, 130))}
    assert found == {(80, 88): False, (80, 89): True, (118, 130): True, (119, 130): False}


@given(TIMES, TIMES)
@settings(max_examples=25, deadline=None)
def test_ranges_cover_exactly_the_windows(scene_of, first, second):
    script = scene_of(lambda label: first if label == 2 else second).script
    ranges = script.ranges()
    assert (ranges[:, 1] > ranges[:, 0]).all()
    assert (ranges[1:, 0] >= ranges[:-1, 1]).all()
    covered = np.zeros(4000, dtype=bool)
    for start, stop in ranges + 100:
        covered[start:stop] = True
    windows = np.zeros(4000, dtype=bool)
    for sample in script.samples + 100:
        windows[sample - BEFORE : sample + AFTER + 1] = True
    assert np.array_equal(covered, windows)


def test_windows_that_only_touch_are_not_merged(scene_of):
    """The one may be the last of a file, the other the first of the next."""
    script = scene_of(lambda label: [100, 100 + BEFORE + AFTER + 1]).script
    assert script.ranges().tolist() == [[88, 119], [119, 150]]


def test_no_events_no_ranges(scene):
    assert scene.script.part(0, 0).ranges().shape == (0, 2)


def test_saved_and_loaded_again(scene, tmp_path):
    save_script(scene.script, tmp_path / "script.npz")
    loaded = load_script(tmp_path / "script.npz")
    for item in fields(loaded):
        ours, theirs = getattr(scene.script, item.name), getattr(loaded, item.name)
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs), item.name
    assert (loaded.samples_before, loaded.samples_after) == (BEFORE, AFTER)


@pytest.mark.parametrize("phase", [-4, 0, 4])
def test_every_phase_has_its_filter(scene_of, phase):
    scene = scene_of(lambda label: [100])
    models = {
        label: replace(model, phases=np.full_like(model.phases, phase)) for label, model in scene.models.items()
    }
    script = write_script(scene.plan, models)
    assert (script.phases == phase + 4).all()
