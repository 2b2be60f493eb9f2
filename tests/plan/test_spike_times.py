"""When injected units fire."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridfactory.plan.amplitudes import draw_amplitude_factors
from hybridfactory.plan.spike_times import NO_ROOM, TOO_CLOSE, jittered_times, nearest_clean, renewal_times

TWO_FILES = ((1000, 40_000), (55_000, 90_000))
DONORS = st.lists(st.integers(0, 95_000), min_size=1, max_size=120).map(lambda times: np.array(sorted(times)))


def assert_lawful(times, rules, refractory):
    samples = times.samples
    assert samples.dtype == np.int64 and samples.shape == times.donors.shape
    assert (np.diff(samples) >= max(refractory, 1)).all()
    windows = [
        (start + 15 <= sample < stop - 15) or False
        for sample in samples
        for start, stop in [TWO_FILES[0] if sample < 45_000 else TWO_FILES[1]]
    ]
    assert all(windows)


class TestJittered:
    @settings(max_examples=80, deadline=None)
    @given(DONORS, st.sampled_from([1.0, 20.0, 100.0, 5000.0]), st.integers(1, 200), st.integers(0, 2**31 - 1))
    def test_laws(self, make_rules, donors, jitter, refractory, seed):
        rules = make_rules(*TWO_FILES, refractory=refractory)
        times = jittered_times(donors, jitter, rules, np.random.default_rng(seed))
        assert_lawful(times, rules, refractory)
        assert (np.abs(times.samples - donors[times.donors]) >= 30).all()
        assert np.unique(times.donors).size == times.donors.size
        assert len(times.refused.reasons) == times.refused.donor_samples.size
        assert times.samples.size + times.refused.donor_samples.size == donors.size
        together = np.concatenate([donors[times.donors], times.refused.donor_samples])
        assert np.array_equal(np.sort(together), donors)
        assert set(times.refused.reasons) <= {NO_ROOM, TOO_CLOSE}

    @given(DONORS, st.integers(1, 200))
    def test_no_jitter_moves_nothing(self, make_rules, donors, refractory):
        rules = make_rules(*TWO_FILES, refractory=refractory)
        times = jittered_times(donors, 0, rules, np.random.default_rng(1))
        assert np.array_equal(times.samples, donors[times.donors])
        assert_lawful(times, rules, refractory)

    def test_donors_own_times_all_stay_where_they_may(self, make_rules):
        donors = np.arange(1100, 39_000, 61)
        times = jittered_times(donors, 0, make_rules(*TWO_FILES), np.random.default_rng(1))
        assert np.array_equal(times.samples, donors) and not times.refused.reasons

    def test_shifts_are_a_normal_distribution_without_its_middle(self, make_rules):
        donors = np.arange(2000, 40_000_000, 2000)
        rules = make_rules((0, 41_000_000))
        times = jittered_times(donors, 100, rules, np.random.default_rng(2))
        shifts = times.samples - donors[times.donors]
        assert shifts.size == donors.size
        assert abs(shifts.mean()) < 4 * shifts.std() / np.sqrt(shifts.size)
        normal = np.random.default_rng(3).normal(0, 100, 200_000)
        normal = normal[np.abs(normal) >= 29.5]
        assert shifts.std() == pytest.approx(normal.std(), rel=0.02)
        for quantile in (0.1, 0.3, 0.7, 0.9):
            assert np.quantile(shifts, quantile) == pytest.approx(np.quantile(normal, quantile), abs=3)

    @pytest.mark.parametrize("frequency", [24_414.0625, 30_000.0, 30_000.38, 10_000.0])
    @pytest.mark.parametrize("jitter", [0.5, 10.0])
    def test_never_within_a_millisecond_of_the_donor_spike(self, make_rules, frequency, jitter):
        donors = np.arange(2000, 900_000, 2000)
        rules = make_rules((0, 1_000_000), frequency=frequency)
        times = jittered_times(donors, jitter, rules, np.random.default_rng(2))
        nearest = np.abs(times.samples - donors[times.donors]).min()
        # A thousandth of a sample is forgiven: stated rates are not exact.
        assert nearest >= frequency / 1000 - 1e-3

    def test_bursts_and_pauses_survive(self, make_rules):
        bursts = np.sort(np.concatenate([np.arange(20_000, 900_000, 20_000) + k * 150 for k in range(5)]))
        times = jittered_times(bursts, 30, make_rules((0, 1_000_000)), np.random.default_rng(4))
        counts = np.histogram(times.samples, np.arange(10_000, 900_000, 20_000))[0]
        assert times.samples.size == bursts.size and set(counts) == {5}
        long_waits = np.diff(times.samples) > 10_000
        assert long_waits.sum() == 43

    def test_refused_events_say_why(self, make_rules):
        rules = make_rules(*TWO_FILES)
        donors = np.array([500, 1001, 20_000, 20_001, 47_000, 89_999])
        times = jittered_times(donors, 0, rules, np.random.default_rng(1))
        assert times.samples.tolist() == [20_000]
        assert times.refused.donor_samples.tolist() == [500, 1001, 20_001, 47_000, 89_999]
        assert times.refused.reasons == (NO_ROOM, NO_ROOM, TOO_CLOSE, NO_ROOM, NO_ROOM)

    def test_same_seed_same_times(self, make_rules):
        donors = np.arange(2000, 38_000, 90)
        runs = [
            jittered_times(donors, 100, make_rules(*TWO_FILES), np.random.default_rng(seed)).samples
            for seed in (1, 1, 2)
        ]
        assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])

    def test_no_spikes(self, make_rules):
        times = jittered_times(np.zeros(0, dtype=np.int64), 100, make_rules(*TWO_FILES), np.random.default_rng(1))
        assert times.samples.size == 0 and times.refused.reasons == ()


class TestRenewal:
    @settings(max_examples=60, deadline=None)
    @given(
        DONORS,
        st.floats(0.5, 480),
        st.integers(1, 60),
        st.integers(0, 2**31 - 1),
    )
    def test_laws(self, make_rules, donors, rate, refractory, seed):
        rules = make_rules(*TWO_FILES, refractory=refractory)
        times = renewal_times(donors, rate, rules, np.random.default_rng(seed))
        assert_lawful(times, rules, refractory)
        assert ((times.donors >= 0) & (times.donors < donors.size)).all()
        assert times.refused.reasons == ()

    @pytest.mark.parametrize("rate", [0.7, 5.0, 50.0, 300.0, 480.0])
    def test_rate_and_variability(self, make_rules, rate):
        """A Poisson process with a dead time: the mean interval is 1 / rate, its CV is 1 - rate × dead time."""
        rules = make_rules((0, 15_000_000), refractory=60)
        times = renewal_times(np.arange(100, 15_000_000, 3000), rate, rules, np.random.default_rng(5))
        expected = rate * 500
        cv = 1 - rate * 0.002
        assert abs(times.samples.size - expected) < 5 * cv * np.sqrt(expected) + 2
        waits = np.diff(times.samples)
        # At the highest rates rounding to whole samples adds a little of its own.
        assert waits.std() / waits.mean() == pytest.approx(cv, abs=5 / np.sqrt(expected) + 0.01)
        assert np.unique(waits).size > 5

    @pytest.mark.parametrize("rate", [499.0, 500.0])
    def test_just_within_what_the_refractory_period_allows(self, make_rules, rate):
        rules = make_rules((0, 3_000_000), refractory=60)
        times = renewal_times(np.array([7]), rate, rules, np.random.default_rng(6))
        assert times.samples.size == pytest.approx(rate * 100, rel=0.012)
        assert np.diff(times.samples).min() >= 60

    def test_right_from_the_start(self, make_rules):
        """No gap and no crowd at the beginning of a file."""
        rules = make_rules((0, 30_000), before=0, after=0)
        runs = [renewal_times(np.array([7]), 20, rules, np.random.default_rng(seed)).samples for seed in range(400)]
        counts = np.histogram(np.concatenate(runs), np.arange(0, 30_001, 3000))[0]
        assert (np.abs(counts - 800) < 5 * np.sqrt(800)).all()

    def test_donors_are_near_in_time(self, make_rules):
        donors = np.arange(1000, 90_000, 700)
        times = renewal_times(donors, 100, make_rules(*TWO_FILES), np.random.default_rng(7))
        assert np.abs(donors[times.donors] - times.samples).max() <= 4 * 700
        assert np.unique(times.donors).size > 60

    def test_donors_at_both_ends(self, make_rules):
        donors = np.array([50_000, 50_010])
        times = renewal_times(donors, 50, make_rules(*TWO_FILES), np.random.default_rng(7))
        assert set(times.donors) == {0, 1}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.sampled_from([0, 1, 30, 400]), st.data())
def test_nearest_clean(times, guard, data):
    samples = np.array(sorted(times))
    clean = np.array(data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times))))
    shifts = data.draw(st.lists(st.integers(-500, 500), min_size=len(times), max_size=len(times)))
    wanted, events = np.arange(len(times)), samples + np.array(shifts)
    chosen = nearest_clean(samples, clean, wanted, events, guard)
    for index, (event, donor) in enumerate(zip(events, chosen, strict=True)):
        able = clean & (np.abs(samples - event) >= guard)
        if able[index]:
            assert donor == index
        elif able.any():
            assert able[donor]
            assert abs(samples[donor] - samples[index]) == np.abs(samples[able] - samples[index]).min()
        else:
            assert donor == -1


@pytest.mark.parametrize(("frequency", "distance"), [(30_000.0, 30), (24_414.0625, 25), (30_000.6, 31), (20_000, 20)])
def test_a_millisecond_is_rounded_up(make_rules, frequency, distance):
    assert make_rules((0, 100), frequency=frequency).donor_distance == distance


class TestAmplitudes:
    @given(st.integers(0, 200), st.floats(0.01, 10), st.floats(0, 10))
    def test_within_their_limits(self, count, low, width):
        factors = draw_amplitude_factors(count, low, low + width, np.random.default_rng(1))
        assert factors.shape == (count,) and factors.dtype == np.float32
        assert ((factors >= np.float32(low)) & (factors <= np.float32(low + width))).all()

    def test_one_is_exactly_one(self):
        assert (draw_amplitude_factors(1000, 1.0, 1.0, np.random.default_rng(1)) == 1).all()

    def test_uniform(self):
        factors = draw_amplitude_factors(40_000, 0.5, 1.5, np.random.default_rng(1))
        counts = np.histogram(factors, 10, (0.5, 1.5))[0]
        assert (np.abs(counts - 4000) < 5 * np.sqrt(4000)).all()
