"""On a drifting recording an injected unit moves as the tissue does: at its new place, and at the same time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hybrid_world import write_phy
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

import hybridfactory
from hybridfactory.probes import custom_probe

RATE = 20_000.0
SECONDS = 40
DRIFT_UM = 12.0
POSITIONS = np.column_stack([np.tile([0.0, 16.0], 16), 20.0 * np.repeat(np.arange(16), 2)])
WINDOW = np.arange(-40, 41)


def motion_um(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the tissue is against the probe: a slow swing and a way in one direction."""
    time = samples / RATE / SECONDS
    return DRIFT_UM * (np.sin(3 * np.pi * time) + 2 * time - 1)


def events_at(heights_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spikes of a unit at some heights; shape (num_spikes, 81, 32)."""
    course = -180 * np.exp(-((WINDOW / 4.0) ** 2)) + 60 * np.exp(-(((WINDOW - 14) / 8.0) ** 2))
    distance = np.hypot(POSITIONS[:, 0] - 6, POSITIONS[:, 1] - heights_um[:, None])
    return course[:, None] * np.exp(-distance / 22.0)[:, None, :]


def center_um(events: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Centre of mass of each event's deflections, weighted by their squares; µm along the probe."""
    power = np.ptp(events[:, :, rows], axis=1) ** 2
    return np.asarray((power * POSITIONS[rows, 1]).sum(axis=1) / power.sum(axis=1))


@pytest.fixture(scope="module")
def drifting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.int64]]:
    random = np.random.default_rng(8)
    num_samples = int(SECONDS * RATE)
    traces = 8 * lfilter([0.8], [1, -0.6], random.standard_normal((num_samples, 32), dtype=np.float32), axis=0)
    times = 300 + np.cumsum(random.integers(300, 1100, 1100)).astype(np.int64)
    times = times[times < num_samples - 300]
    for time, event in zip(times, events_at(100 + motion_um(times)), strict=True):
        traces[time - 40 : time + 41] += event
    folder = tmp_path_factory.mktemp("drift")
    np.rint(traces).astype("<i2").tofile(folder / "raw.bin")
    write_phy(folder / "sorted", {1: times}, num_rows=32)
    hybridfactory.generate(
        {
            "data_directory": folder / "sorted",
            "raw_source_file": folder / "raw.bin",
            "data_type": np.int16,
            "sample_rate": RATE,
            "ground_truth_units": [1],
            "start_time": 0,
            "probe": custom_probe(np.arange(32), np.ones(32, dtype=bool), POSITIONS),
            "random_seed": 3,
            "output_directory": folder / "out",
            "session_name": "drift",
            "channel_shift": 10,
        }
    )
    return folder, times


def test_the_injected_unit_follows_the_motion(drifting: tuple[Path, NDArray[np.int64]]) -> None:
    folder, _ = drifting
    source = np.fromfile(folder / "raw.bin", "<i2").reshape(-1, 32)
    hybrid = np.fromfile(folder / "out" / "raw.GT.bin", "<i2").reshape(-1, 32)
    difference = hybrid.astype(float) - source
    events = pd.read_csv(folder / "out" / "artificial_units-drift.csv")
    samples = events["timestep"].to_numpy()
    shown = difference[samples[:, None] + WINDOW]
    # Every event near its own trough only, where no neighbour overlaps.
    rows = np.flatnonzero(np.ptp(shown[:, 30:50], axis=1).mean(axis=0) > 2)
    injected = center_um(shown[:, 30:50], rows)
    donor = center_um(events_at(100 + motion_um(samples))[:, 30:50], rows - 10)
    assert rows.min() >= 10
    # The displacement is that of the move, and the course in time that of the recording.
    assert np.mean(injected - donor) == pytest.approx(100.0, abs=1.5)
    assert np.corrcoef(uniform_filter1d(injected, 15), uniform_filter1d(donor, 15))[0, 1] > 0.98
    slope = np.polyfit(donor - donor.mean(), injected - injected.mean(), 1)[0]
    assert slope == pytest.approx(1, abs=0.1)
    assert np.corrcoef(injected, donor)[0, 1] > 0.9


def test_spikeinterface_sees_the_same_motion_in_both(drifting: tuple[Path, NDArray[np.int64]]) -> None:
    """Where SpikeInterface localises the events of the hybrid, against where it localises the donor's spikes."""
    from spikeinterface.core import NumpySorting, create_sorting_analyzer

    folder, times = drifting
    run = hybridfactory.load(folder / "out")
    injected = run.sorting.get_unit_spike_train(run.sorting.unit_ids[0])
    both = NumpySorting.from_unit_dict({"donor": times, "injected": injected}, RATE)
    analyzer = create_sorting_analyzer(both, run.recording, sparse=False, return_in_uV=False)
    analyzer.compute(["random_spikes", "templates"])
    analyzer.compute("spike_locations", method="center_of_mass")
    places = analyzer.get_extension("spike_locations").get_data(outputs="by_unit")[0]
    courses = []
    for unit, train in (("donor", times), ("injected", injected)):
        place = pd.Series(places[unit]["y"]).rolling(41, center=True, min_periods=1).median()
        courses.append(np.interp(np.arange(0, SECONDS * RATE, RATE / 4), train, place))
    assert np.corrcoef(*courses)[0, 1] > 0.9
