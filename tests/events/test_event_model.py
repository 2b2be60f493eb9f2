"""What the model learns, against the truth of a simulated recording."""

import numpy as np
import pytest

from hybridfactory.events.alignment import NUM_PHASES, filtered, phase_filters, shift
from hybridfactory.events.derivative import fit_derivative
from hybridfactory.events.settings import ModelSettings

REACH, BEFORE, AFTER = 60, 40, 40
CENTER = slice(REACH - BEFORE, REACH + AFTER + 1)


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def offsets_of(model, stated):
    return model.donor_samples - stated + model.phases / NUM_PHASES


def modelled_events(model, stated):
    """Every modelled event on the axes of the true ones: windows around the stated times, all rows."""
    aligned = model.mean + np.tensordot(model.coefficients, model.components, axes=1)
    placed = [shift(event, offset) for event, offset in zip(aligned, offsets_of(model, stated), strict=True)]
    events = np.zeros((len(aligned), BEFORE + 1 + AFTER, 16), dtype=np.float32)
    events[:, :, model.rows] = placed
    return events


def centred(events):
    flat = events.reshape(len(events), -1).astype(np.float64)
    return flat - flat.mean(axis=0)


def leading_directions(events, count):
    """Right singular vectors of flat, centred events, by way of the smaller Gram matrix."""
    vectors = np.linalg.eigh(events @ events.T)[1][:, ::-1][:, :count]
    directions = vectors.T @ events
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def covariance_distance(a, b):
    """Frobenius norm of the difference of two populations' covariances, without forming them."""
    gram = [[np.sum((p @ q.T) ** 2) for q in (a, b)] for p in (a, b)]
    return np.sqrt(max(gram[0][0] - 2 * gram[0][1] + gram[1][1], 0)) / len(a)


class TestVariedUnit:
    """SNR near 20, three ways to vary, sub-sample jitter, coloured noise, drift, an offset of 2048."""

    def test_mean(self, varied_unit):
        unit, model, _ = varied_unit
        truth = unit.mean[CENTER][:, model.rows]
        assert correlation(model.mean, truth) > 0.99
        assert np.abs(model.mean).max() == pytest.approx(np.abs(truth).max(), rel=0.05)

    def test_main_row_and_trough(self, varied_unit):
        unit, model, _ = varied_unit
        assert model.rows[model.main_column] == np.abs(unit.mean).max(axis=0).argmax()
        assert abs(int(model.mean[:, model.main_column].argmin()) - model.samples_before) <= 1

    def test_footprint_has_the_rows_that_see_the_unit(self, varied_unit):
        unit, model, _ = varied_unit
        height = np.abs(unit.mean).max(axis=0)
        assert set(np.flatnonzero(height > 0.05 * height.max())) <= set(model.rows)
        assert (np.diff(model.rows) > 0).all()

    def test_mean_and_components_end_in_nothing(self, varied_unit):
        _, model, _ = varied_unit
        assert not model.mean[[0, -1]].any()
        assert not model.components[:, [0, -1]].any()

    def test_shifted_waveforms_end_without_a_step(self, varied_unit):
        _, model, _ = varied_unit
        waveforms, filters = model.waveforms(np.arange(model.rows.size)), phase_filters()
        assert waveforms.shape == (1 + len(model.components), BEFORE + 1 + AFTER, model.rows.size)
        assert len(filters) == NUM_PHASES + 1
        bank = np.stack([filtered(waveforms, np.full(len(waveforms), phase), filters) for phase in range(9)])
        assert bank[NUM_PHASES // 2, 0] == pytest.approx(model.mean, abs=1e-4)
        peak = np.abs(model.mean).max()
        assert np.abs(bank[:, 0, [0, -1]]).max() < 0.002 * peak
        typical = model.coefficients.std(axis=0)[:, None]
        assert (np.abs(bank[:, 1:, [0, -1]]).max(axis=(0, 2, 3)) * typical[:, 0] < 0.01 * peak).all()

    def test_second_moments(self, varied_unit):
        """The population varies as much as the true one, and in the same direction; plain PCA's does not."""
        unit, model, windows = varied_unit
        some = slice(None, None, 5)
        truth = centred(unit.events[some, CENTER])
        ours = centred(modelled_events(model, unit.times)[some])
        noisy = centred(windows[some])
        directions = leading_directions(noisy, 6)
        pca = noisy @ directions.T @ directions
        assert np.sum(ours**2) == pytest.approx(np.sum(truth**2), rel=0.25)
        leading = [leading_directions(events, 1)[0] for events in (truth, ours)]
        assert abs(leading[0] @ leading[1]) > 0.9
        assert covariance_distance(ours, truth) < 0.5 * covariance_distance(pca, truth)

    def test_each_event_is_its_own_spike(self, varied_unit):
        """Event by event, amplitude on the main row and the whole waveform follow the donor spike."""
        unit, model, _ = varied_unit
        truth = unit.events[:, CENTER]
        ours = modelled_events(model, unit.times)
        main = model.rows[model.main_column]
        clean = model.is_clean
        assert correlation(ours[clean, :, main].min(axis=1), truth[clean, :, main].min(axis=1)) > 0.8
        assert correlation(centred(ours)[clean], centred(truth)[clean]) > 0.85

    def test_offsets(self, varied_unit):
        unit, model, _ = varied_unit
        offsets = offsets_of(model, unit.times)
        assert correlation(offsets[model.is_clean], unit.offsets[model.is_clean]) > 0.75
        assert offsets.std() == pytest.approx(unit.offsets.std(), rel=0.25)

    def test_slow_drift_travels_along(self, varied_unit):
        unit, model, _ = varied_unit
        scores = np.linalg.lstsq(
            np.column_stack([model.coefficients, np.ones(len(model.coefficients))]),
            unit.coefficients[:, 2],
            rcond=None,
        )[0]
        fitted = np.column_stack([model.coefficients, np.ones(len(model.coefficients))]) @ scores
        assert correlation(fitted[model.is_clean], unit.coefficients[model.is_clean, 2]) > 0.9

    def test_events_without_collision_are_clean(self, varied_unit):
        _, model, _ = varied_unit
        assert model.is_clean.mean() > 0.98

    def test_noise_level_and_snr(self, varied_unit):
        _, model, _ = varied_unit
        assert model.noise_level == pytest.approx(10, rel=0.15)
        assert model.snr == pytest.approx(np.abs(model.mean).max() / 10, rel=0.15)

    def test_shapes_and_types(self, varied_unit):
        unit, model, _ = varied_unit
        count = len(unit.times)
        assert model.mean.dtype == model.components.dtype == model.coefficients.dtype == np.float32
        assert model.coefficients.shape == (count, len(model.components))
        assert model.donor_samples.shape == model.phases.shape == model.is_clean.shape == (count,)
        assert (np.diff(model.donor_samples) >= 0).all()
        assert np.abs(model.phases).max() <= NUM_PHASES // 2
        assert model.energy.sum() == pytest.approx(1)
        assert model.notes == ()


class TestOffsets:
    def test_identical_spikes_get_no_offsets(self, bench):
        """At high SNR nothing but the rounding to an eighth of a sample is left."""
        unit = bench.unit(bench.times(1000), amplitude=280, variation=(0, 0, 0), jitter=0)
        bench.add(unit)
        model = bench.learn_one(unit.times)
        assert offsets_of(model, unit.times).std() < 0.1

    def test_large_offsets_are_found(self, bench):
        """A stated time is searched for two samples to either side."""
        unit = bench.unit(bench.times(800), amplitude=560, variation=(0, 0, 0), jitter=1.5)
        bench.add(unit)
        model = bench.learn_one(unit.times)
        assert correlation(offsets_of(model, unit.times), unit.offsets) > 0.97

    @pytest.mark.parametrize("jitter", [0, 0.5])
    def test_noise_in_the_estimate_is_not_injected(self, bench, jitter):
        """At SNR 4 an offset can hardly be told: estimates must be drawn in until they vary as the truth does."""
        noise, excess = bench.traces.copy(), []
        for _ in range(4):
            bench.traces[:] = noise
            unit = bench.unit(bench.times(1500), amplitude=60, variation=(0, 0, 0), jitter=jitter)
            bench.add(unit)
            model = bench.learn_one(unit.times)
            excess.append(offsets_of(model, unit.times)[model.is_clean].var() - jitter**2 / 3)
        assert -0.05 < np.mean(excess) < 0.12

    def test_lag_of_the_sorter_is_corrected_and_noted(self, bench):
        unit = bench.unit(bench.times(400))
        bench.add(unit)
        model = bench.learn_one(unit.times - 7)
        assert model.notes and "+7 samples" in model.notes[0]
        assert np.median(model.donor_samples - unit.times) == 0
        assert abs(int(model.mean[:, model.main_column].argmin()) - BEFORE) <= 1

    def test_times_off_by_more_than_is_looked_for_are_noted(self, bench):
        unit = bench.unit(bench.times(600), amplitude=560, variation=(0, 0, 0), jitter=0)
        bench.add(unit)
        sloppy = unit.times + np.where(bench.random.random(600) < 0.4, 4, 0)
        assert "off the stated time" in " ".join(bench.learn_one(sloppy).notes)


class TestNoiseIsNotInjected:
    @pytest.mark.parametrize("count", [100, 1000])
    @pytest.mark.parametrize("max_rank", [6, None], ids=["six", "auto"])
    def test_identical_spikes_have_no_components(self, bench, count, max_rank):
        """A unit that never varies, in noise: what the components hold is less than 1 % of the noise's energy."""
        unit = bench.unit(bench.times(count), variation=(0, 0, 0), jitter=0)
        bench.add(unit)
        model = bench.learn_one(unit.times, settings=ModelSettings(BEFORE, AFTER, max_rank, "shrunk_svd", 1))
        events = np.tensordot(model.coefficients[model.is_clean], model.components, axes=1)
        energy = np.mean(np.sum(events.astype(np.float64) ** 2, axis=(1, 2)))
        assert energy < 0.01 * 81 * model.rows.size * 10**2

    def test_rank_is_a_limit(self, bench):
        unit = bench.unit(bench.times(500))
        bench.add(unit)
        ranks = [
            len(bench.learn_one(unit.times, settings=ModelSettings(BEFORE, AFTER, rank, "shrunk_svd", 1)).components)
            for rank in (1, 3)
        ]
        # The amplitude, and at most so many singular vectors; this unit varies in three ways.
        assert ranks == [2, 3]


@pytest.mark.parametrize("dtype", [">i2", "<u2", "<i4", "<i8", "<f4", "<f8", "<f2"])
def test_every_sample_type_gives_the_same_model(short_bench, dtype):
    unit = short_bench.unit(short_bench.times(150))
    short_bench.add(unit)
    short_bench.traces += 1000
    short_bench.traces = np.rint(short_bench.traces)
    reference, model = short_bench.learn_one(unit.times), short_bench.learn_one(unit.times, dtype)
    assert np.array_equal(model.rows, reference.rows)
    assert model.mean == pytest.approx(reference.mean, abs=0.1)
    assert np.array_equal(model.donor_samples, reference.donor_samples)


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e4])
def test_volts_and_counts_give_the_same_model(short_bench, scale):
    unit = short_bench.unit(short_bench.times(150))
    short_bench.add(unit)
    counts = short_bench.learn_one(unit.times, "<f8")
    short_bench.traces = short_bench.traces * scale
    other = short_bench.learn_one(unit.times, "<f8")
    assert other.mean / scale == pytest.approx(counts.mean, rel=1e-3, abs=0.05)
    assert other.snr == pytest.approx(counts.snr, rel=1e-3)
    assert len(other.components) == len(counts.components)


def test_upright_unit_is_aligned_on_its_peak(bench):
    unit = bench.unit(bench.times(400), amplitude=-280)
    bench.add(unit)
    model = bench.learn_one(unit.times)
    assert abs(int(model.mean[:, model.main_column].argmax()) - BEFORE) <= 1
    assert correlation(model.mean, unit.mean[CENTER][:, model.rows]) > 0.99
    assert np.abs(model.donor_samples - unit.times).max() <= 2


def test_only_near_rows_of_the_same_shank_are_looked_at(bench):
    unit = bench.unit(bench.times(200))
    bench.add(unit)
    shanks = (np.arange(16) >= 10).astype(np.int64)
    object.__setattr__(bench, "sites", type(bench.sites)(bench.sites.rows, bench.sites.positions_um, shanks))
    assert bench.learn_one(unit.times).rows.max() < 10


def test_progress_reaches_its_end(short_bench):
    from hybridfactory.events.learn import learn_event_models

    unit = short_bench.unit(short_bench.times(100))
    short_bench.add(unit)
    calls = []
    learn_event_models(
        short_bench.save(),
        {5: unit.times},
        short_bench.sites,
        short_bench.settings,
        progress=lambda *call: calls.append(call),
    )
    assert all(0 <= done <= total for _, done, total in calls)
    last = {step: (done, total) for step, done, total in calls}
    assert all(done == total for done, total in last.values())
    # That units are being learned is said before the first one is.
    assert next(call for call in calls if call[0] == "learning units") == ("learning units", 0, 1)


class TestDerivative:
    """The construction of 2018, against the naive way to write it down."""

    @pytest.fixture
    def windows(self, short_bench):
        unit = short_bench.unit(short_bench.times(300))
        short_bench.add(unit)
        reach = np.arange(-BEFORE - 8, AFTER + 9)
        quiet = unit.times[:-1][np.diff(unit.times) > 300] + 150
        return tuple(
            np.rint(short_bench.traces)[times[:, None] + reach].astype("<i2") for times in (unit.times, quiet)
        )

    @pytest.mark.parametrize("max_rank", [3, None])
    def test_repeats_the_naive_construction(self, windows, max_rank):
        spikes, quiet = windows
        fitted, _ = fit_derivative(
            spikes, quiet, samples_before=BEFORE, fade_samples=2, max_rank=max_rank, random=np.random.default_rng(1)
        )
        values = spikes[:, 8:-8][:, :, fitted.columns].astype(np.float64)
        ramp = np.linspace(0, 1, values.shape[1])[:, None]
        detrended = values - values[:, :1] - ramp * (values[:, -1:] - values[:, :1])
        steps = np.diff(detrended, axis=1)
        flat = steps.reshape(len(steps), -1)
        rank = max_rank or 6
        # The projection on the leading left singular vectors: the best approximation of that rank.
        left = np.linalg.eigh(flat @ flat.T)[1][:, -rank:]
        low = (left @ (left.T @ flat)).reshape(steps.shape)
        naive = np.concatenate([np.zeros_like(low[:, :1]), low.cumsum(axis=1)], axis=1)
        phases, coefficients, clean = fitted.encode(spikes)
        ours = fitted.mean + np.tensordot(coefficients, fitted.components, axes=1)
        assert len(fitted.components) == rank
        assert np.abs(ours - naive).max() < 2e-5 * np.abs(naive).max()
        assert not phases.any() and clean.all()
        assert np.abs(coefficients.mean(axis=0)).max() < 1e-3 * np.abs(coefficients).max()

    def test_learned_from_a_recording(self, short_bench):
        unit = short_bench.unit(short_bench.times(300))
        short_bench.add(unit)
        settings = ModelSettings(BEFORE, AFTER, 6, "derivative_svd", 1)
        model = short_bench.learn_one(unit.times, settings=settings)
        assert np.array_equal(model.donor_samples, unit.times)
        assert not model.mean[0].any()
        assert correlation(model.mean, unit.mean[CENTER][:, model.rows]) > 0.98
        shrunk = short_bench.learn_one(unit.times)
        assert len(np.intersect1d(model.rows, shrunk.rows)) > 0.8 * shrunk.rows.size > 4


def test_a_window_longer_than_the_recording_is_told_as_such(short_bench):
    unit = short_bench.unit(short_bench.times(100))
    short_bench.add(unit)
    reason = short_bench.refusal(unit.times, settings=ModelSettings(200_000, 40, 6, "shrunk_svd", 7))
    assert reason.startswith("only 0 spikes with a whole window (200000 + 1 + 40 samples) inside a file")
