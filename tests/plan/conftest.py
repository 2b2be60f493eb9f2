"""Event models made by hand, on layouts of every kind."""

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings

from hybridfactory.events.model import EventModel
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.plan.spike_times import TimingRules
from hybridfactory.recording.flat import FlatFile, FlatRecording

# Machines under load are slow; what takes long is seen by --durations.
hypothesis_settings.register_profile("patient", deadline=None, max_examples=40)
hypothesis_settings.load_profile("patient")


def sites_at(positions, *, rows=None, connected=None, shanks=None):
    positions = np.asarray(positions, dtype=np.float64)
    count = len(positions)
    return ProbeSites(
        np.arange(count) if rows is None else np.asarray(rows),
        positions,
        np.zeros(count, dtype=np.int64) if shanks is None else np.asarray(shanks),
        np.ones(count, dtype=bool) if connected is None else np.asarray(connected),
    )


def mean_of(heights, num_samples=31):
    return np.outer(-np.hanning(num_samples), heights).astype(np.float32)


def model_of(label, rows, heights, *, donor_samples=None, is_clean=None):
    samples = np.arange(200, 90_000, 180) if donor_samples is None else np.asarray(donor_samples)
    count = samples.size
    random = np.random.default_rng(label)
    return EventModel(
        label=label,
        rows=np.asarray(rows, dtype=np.int64),
        mean=mean_of(heights),
        components=random.standard_normal((2, 31, len(rows))).astype(np.float32),
        samples_before=15,
        donor_samples=samples.astype(np.int64),
        phases=random.integers(-4, 4, count),
        coefficients=random.standard_normal((count, 2)).astype(np.float32),
        is_clean=np.ones(count, dtype=bool) if is_clean is None else np.asarray(is_clean),
        num_training_spikes=count,
        noise_level=1.0,
        notes=("a note",),
    )


def rules_of(*spans, frequency=30_000.0, refractory=60, before=15, after=15):
    """Timing rules of a recording whose files are (start, stop) on the timeline; they are never opened."""
    files = tuple(FlatFile(None, start, stop - start) for start, stop in spans)  # type: ignore[arg-type]
    return TimingRules(FlatRecording(files, np.dtype("<i2"), 4, frequency), before, after, refractory)


@pytest.fixture(scope="session")
def make_sites():
    return sites_at


@pytest.fixture(scope="session")
def make_mean():
    return mean_of


@pytest.fixture(scope="session")
def make_model():
    return model_of


@pytest.fixture(scope="session")
def make_rules():
    return rules_of
