"""Which spikes teach the model, which are marked as unknown, and which units are refused."""

import numpy as np
import pytest

from hybridfactory.events.settings import ModelSettings

NOTHING = (0, 0, 0)


def test_collisions_with_a_larger_unit_are_not_clean_and_do_not_train(bench):
    unit = bench.unit(bench.times(600), amplitude=150)
    bench.add(unit)
    hit = np.arange(0, 600, 6)
    larger = bench.unit(unit.times[hit] + bench.random.integers(-15, 16, hit.size), y_um=90, amplitude=600)
    bench.add(larger)
    model = bench.learn_one(unit.times)
    assert model.is_clean[hit].mean() < 0.05
    others = np.setdiff1d(np.arange(600), hit)
    assert model.is_clean[others].mean() > 0.97
    assert model.num_training_spikes <= others.size + 5
    truth = unit.mean[20:101][:, model.rows]
    assert np.corrcoef(model.mean.ravel(), truth.ravel())[0, 1] > 0.99


def test_outliers_of_their_own_unit_are_not_clean(bench):
    """A twentieth of the spikes are of somebody else, larger and upside down."""
    times = bench.times(500)
    unit, stray = bench.unit(times), bench.unit(times, y_um=100, amplitude=-250)
    is_stray = np.arange(500) % 20 == 0
    bench.add(unit, ~is_stray)
    bench.add(stray, is_stray)
    model = bench.learn_one(times)
    assert not model.is_clean[is_stray].any()
    assert model.is_clean[~is_stray].mean() > 0.97


@pytest.mark.parametrize("amplitude", [120, 400])
def test_bursts_are_no_outliers(bench, amplitude):
    """A seventh of the spikes have half the amplitude, as in bursts: they are the unit's own, and stay."""
    unit = bench.unit(bench.times(1000), amplitude=amplitude, variation=NOTHING)
    in_burst = np.arange(1000) % 7 == 0
    unit.events[in_burst] *= 0.5
    bench.add(unit)
    model = bench.learn_one(unit.times)
    assert model.is_clean[in_burst].mean() > 0.9
    events = model.mean + np.tensordot(model.coefficients, model.components, axes=1)
    height = np.abs(events[:, :, model.main_column]).max(axis=1)
    ratio = height[in_burst & model.is_clean].mean() / height[~in_burst].mean()
    assert ratio == pytest.approx(0.5, abs=0.1)


def test_clean_does_not_depend_on_where_between_two_samples_a_spike_lies(bench):
    unit = bench.unit(bench.times(1500), variation=NOTHING)
    bench.add(unit)
    model = bench.learn_one(unit.times)
    near, far = np.abs(unit.offsets) < 0.25, np.abs(unit.offsets) >= 0.25
    assert model.is_clean.mean() > 0.98
    assert model.is_clean[near].mean() == pytest.approx(model.is_clean[far].mean(), abs=0.02)


def test_spikes_over_the_edge_of_the_file_are_not_clean(short_bench):
    unit = short_bench.unit(short_bench.times(100))
    short_bench.add(unit)
    last = len(short_bench.traces) - 1
    times = np.concatenate([[3, 30], unit.times, [last - 20, last]])
    model = short_bench.learn_one(times)
    assert not model.is_clean[[0, 1, -2, -1]].any()
    assert model.is_clean[2:-2].mean() > 0.9
    assert np.array_equal(model.donor_samples[[0, 1, -2, -1]], times[[0, 1, -2, -1]])


class TestRefused:
    @pytest.mark.parametrize("count", [1, 12, 29])
    def test_too_few_spikes(self, short_bench, count):
        reason = short_bench.refusal(short_bench.times(count))
        assert str(count) in reason
        assert f"{30 - count} are missing" in reason

    def test_too_few_away_from_the_ends(self, short_bench):
        last = len(short_bench.traces) - 1
        times = np.concatenate([np.arange(10), short_bench.times(25), last - np.arange(10)[::-1]])
        assert "5 are missing" in short_bench.refusal(times)

    def test_too_few_clean_spikes(self, short_bench):
        """Forty spikes, of which a quarter collide with something much larger."""
        unit = short_bench.unit(short_bench.times(36), amplitude=150)
        short_bench.add(unit)
        hit = np.arange(0, 36, 4)
        short_bench.add(short_bench.unit(unit.times[hit] + 9, y_um=80, amplitude=900))
        reason = short_bench.refusal(unit.times)
        assert "clean" in reason and "missing" in reason

    def test_enough_is_enough(self, short_bench):
        """What few spikes share by chance must not make outliers of the others."""
        unit = short_bench.unit(short_bench.times(34), variation=NOTHING)
        short_bench.add(unit)
        assert short_bench.learn_one(unit.times).num_training_spikes >= 30

    def test_times_at_which_nothing_happens(self, bench):
        """A label without a waveform is noise; to inject it would be to inject nothing."""
        assert bench.refusal(bench.times(500))

    @pytest.mark.parametrize("dtype", ["<i2", "<f4"])
    def test_recording_without_a_signal(self, short_bench, dtype):
        short_bench.traces[:] = 0
        assert short_bench.refusal(short_bench.times(100), dtype)


def test_spikes_of_both_signs_do_not_fail(short_bench):
    """Two units under one label, upside down to each other: refused, or one of the two is learned."""
    unit = short_bench.unit(short_bench.times(200), variation=NOTHING)
    unit.events[::2] *= -1
    short_bench.add(unit)
    (result,) = short_bench.learn({5: unit.times}).values()
    assert result.label == 5


def test_stretch_without_numbers_is_left_out(short_bench):
    """Float recordings may hold NaN where an artefact was blanked."""
    unit = short_bench.unit(short_bench.times(200))
    short_bench.add(unit)
    short_bench.traces[60_000:60_500] = np.nan
    model = short_bench.learn_one(unit.times, "<f4")
    blanked = np.abs(unit.times - 60_250) < 250
    assert not model.is_clean[blanked].any()
    assert np.isfinite(model.mean).all() and np.isfinite(model.coefficients[model.is_clean]).all()
    assert model.is_clean[~blanked].mean() > 0.9


@pytest.mark.parametrize("variation", [NOTHING, (0.12, 0.1, 0.25)], ids=["identical", "varied"])
@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
def test_recording_without_noise(short_bench, dtype, variation):
    """As in a first toy example: exact zeros between the spikes."""
    short_bench.traces[:] = 0
    unit = short_bench.unit(short_bench.times(100), variation=variation, jitter=0)
    short_bench.add(unit)
    model = short_bench.learn_one(unit.times, dtype)
    truth = unit.mean[20:101][:, model.rows]
    assert np.corrcoef(model.mean.ravel(), truth.ravel())[0, 1] > 0.99
    if dtype == "<i2":
        assert model.noise_level > 0.2


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 20), (10, 5)])
def test_short_windows(short_bench, before, after):
    unit = short_bench.unit(short_bench.times(100))
    short_bench.add(unit)
    (result,) = short_bench.learn({5: unit.times}, settings=ModelSettings(before, after, 6, "shrunk_svd", 1)).values()
    assert result.label == 5


def test_no_units(short_bench):
    assert short_bench.learn({}) == {}
