"""The whole measure on a recording whose truth is known: it is low for our events, and high for bad ones."""

import numpy as np
import pytest
from scipy.signal import lfilter

from hybridfactory.events.settings import ModelSettings
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.realism.hints import hint_for, is_poor
from hybridfactory.realism.measure import Effort, measure_realism
from hybridfactory.recording.flat import open_flat_recording

RATE = 30_000.0
POSITIONS = np.column_stack([np.tile([0.0, 20.0], 8), 20.0 * np.repeat(np.arange(8), 2)])
SITES = ProbeSites(np.arange(16), POSITIONS, np.zeros(16, dtype=np.int64), np.ones(16, dtype=np.bool_))
QUICK = Effort(max_events=200, max_donors=400, min_events_once=150)


def train_of(random, count, first=1000):
    return np.cumsum(np.concatenate([[first], random.integers(400, 2600, count - 1)])).astype(np.int64)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Fifteen seconds; unit 1 varies in amplitude, unit 2 is two neurons that a sorter took for one."""
    random = np.random.default_rng(4)
    num_samples = 700_000
    noise = lfilter([0.8], [1, -0.6], random.standard_normal((num_samples, 16), dtype=np.float32), axis=0)
    traces = (8 * noise + 200 * np.sin(np.arange(num_samples) / 3000)[:, None]).astype(np.float32)
    t = np.arange(-40, 61)
    shapes = [-np.exp(-((t / w) ** 2)) + 0.3 * np.exp(-(((t - 14) / (3 * w)) ** 2)) for w in (4.0, 3.0, 6.0)]
    places = [np.exp(-np.linalg.norm(POSITIONS - xy, axis=1) / 25) for xy in ((0, 40), (20, 120), (0, 120))]
    trains = {1: train_of(random, 420), 2: train_of(random, 420, 1700)}
    for sample in trains[1]:
        event = np.outer(shapes[0], places[0]) * 150 * random.normal(1, 0.12)
        traces[sample - 40 : sample + 61] += event.astype(np.float32)
    for index, sample in enumerate(trains[2]):
        kind = 1 + index % 2
        traces[sample - 40 : sample + 61] += (120 * np.outer(shapes[kind], places[kind])).astype(np.float32)
    path = tmp_path_factory.mktemp("realism") / "traces.bin"
    np.rint(traces).astype("<i2").tofile(path)
    recording = open_flat_recording(
        [path], start_samples=[0], dtype=np.dtype("<i2"), num_rows=16, sampling_frequency=RATE
    )
    return recording, trains


def measured(world, model="shrunk_svd", trains=None, seed=1):
    recording, all_trains = world
    settings = ModelSettings(40, 40, 6, model, seed)
    return {
        unit.donor_label: unit for unit in measure_realism(recording, trains or all_trains, SITES, settings, QUICK)
    }


@pytest.fixture(scope="module")
def ours(world):
    return measured(world)


def test_our_events_are_hardly_told_apart(ours):
    assert ours[1].separation.largest < 0.62
    assert ours[1].hint == ""
    assert ours[1].num_real > 150
    assert ours[1].num_injected > 150


def test_the_construction_of_2018_is_told_apart_more_easily(world, ours):
    theirs = measured(world, "derivative_svd", {1: world[1][1]})[1]
    assert theirs.separation.largest > ours[1].separation.largest + 0.03


def test_a_unit_does_not_depend_on_the_others(world, ours):
    assert measured(world, trains={1: world[1][1]})[1] == ours[1]


def test_too_few_spikes_are_no_score(world):
    unit = measured(world, trains={1: world[1][1][:50]})[1]
    assert unit.separation is None
    assert "an event model needs 30" in unit.reason


def test_a_unit_that_never_rests_has_no_score(world):
    recording, trains = world
    busy = np.sort(np.concatenate([trains[1], np.arange(2000, recording.num_samples - 2000, 300)]))
    unit = measured(world, trains={1: busy})[1]
    assert unit.separation is None
    assert unit.reason


class TestHints:
    def test_a_good_score_needs_none(self, world, ours):
        assert not is_poor(ours[1].separation)

    @pytest.mark.parametrize(
        ("what", "hint"), [("few", "few spikes"), ("double", "contaminated"), ("drift", "drift")]
    )
    def test_what_a_poor_score_may_come_from(self, world, what, hint):
        from dataclasses import replace

        from hybridfactory.events.learn import learn_event_models
        from hybridfactory.events.settings import Sites
        from hybridfactory.realism.classify import CLASSIFIERS, Separation

        recording, trains = world
        sites = Sites(SITES.rows, SITES.positions_um, SITES.shanks)
        model = learn_event_models(recording, {1: trains[1]}, sites, ModelSettings(40, 40, 6, "shrunk_svd", 1))[1]
        poor = Separation(dict.fromkeys(CLASSIFIERS, 0.8), dict.fromkeys(CLASSIFIERS, 0.02))
        train = trains[1]
        if what == "few":
            model = replace(model, num_training_spikes=40)
        elif what == "double":
            train = np.sort(np.concatenate([train, train[:50] + 20]))
        elif what == "cut":
            mean = model.mean.copy()
            mean[-4:] += np.float32(0.1) * np.abs(mean).max()
            model = replace(model, mean=mean)
        else:
            # The first component is amplitude: let it fall from the first spike to the last.
            fall = np.linspace(1, -1, len(model.coefficients)).astype(np.float32)
            strength = np.abs(model.mean).max() / np.abs(model.components[0]).max()
            model = replace(model, coefficients=0.3 * strength * fall[:, None] * np.eye(1, len(model.components)))
        assert hint in hint_for(poor, model, train, RATE)
        assert "look at its figure" not in hint_for(poor, model, train, RATE)
