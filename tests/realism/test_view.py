"""Spikes as a sorter sees them."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from hybridfactory.realism.view import View, spikes_in_view

RATE = 30_000.0
ROWS = np.array([0, 1, 2, 3, 5, 6])


def view(near=(2, 1, 3)):
    return View(RATE, ROWS, np.array(near))


def seen(traces, samples, looked_at=None):
    return spikes_in_view(looked_at or view(), lambda start, stop: traces[start:stop], np.array(samples))


@pytest.fixture(scope="module")
def traces():
    """Noise on slow waves and a large offset, with a sharp spike on row 2 at sample 2000."""
    random = np.random.default_rng(1)
    values = 2048 + 10 * random.standard_normal((4000, 8)) + 300 * np.sin(np.arange(4000) / 800)[:, None]
    values[:, 4] += 5000  # a row that is not connected
    values[1995:2006, 2] -= 300 * np.hanning(11)
    return np.rint(values).astype(np.int16)


def test_filter_and_reference_are_those_of_a_sorter(traces):
    sections = butter(3, [300, 6000], "bandpass", fs=RATE, output="sos")
    filtered = sosfiltfilt(sections, traces[:, ROWS].astype(float), axis=0)
    referenced = filtered - np.median(filtered, axis=1, keepdims=True)
    before, after = round(0.7e-3 * RATE), round(1.3e-3 * RATE)
    expected = referenced[2000 - before : 2000 + after + 1, [2, 1, 3]]
    found = seen(traces, [2000])[0]
    assert found.shape == view().shape() == (before + 1 + after, 3)
    assert found == pytest.approx(expected, abs=0.5)
    assert found[:, 0].argmin() == before


@pytest.mark.parametrize("off", [-9, -3, 0, 4, 9])
def test_a_time_that_is_off_does_not_show(traces, off):
    assert seen(traces, [2000 + off]) == pytest.approx(seen(traces, [2000]), abs=0.6)


def test_batches_are_no_seams(traces, monkeypatch):
    samples = np.arange(1000, 3000, 37)
    whole = seen(traces, samples)
    monkeypatch.setattr("hybridfactory.realism.view.BATCH_BYTES", 1)
    assert np.array_equal(seen(traces, samples), whole)


def test_low_sampling_rates_have_a_lower_band():
    random = np.random.default_rng(2)
    values = random.standard_normal((2000, 8))
    low = View(10_000.0, ROWS, np.array([0]))
    assert np.isfinite(spikes_in_view(low, lambda start, stop: values[start:stop], np.array([900]))).all()
