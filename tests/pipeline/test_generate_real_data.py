"""Whole runs on the real and the biophysically simulated recordings of ../shared/data.

locust_tetrode comes with a sorting. mearec_nn32_10s comes with its exact truth, which is written as a phy folder.
neuropixels2_0.5s comes without a sorting; `detect` below makes spike times for it, by a threshold on the two most
active channels. In half a second no single neuron fires 30 times, so a "unit" here is everything that a channel
sees above its threshold, pooled: a multi-unit, which serves to test the path and not to judge realism.
"""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
from hybrid_world import read_rows, write_phy
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

import hybridfactory
from hybridfactory import GenerateResult
from hybridfactory.errors import NothingInjectedError
from hybridfactory.probes import custom_probe

WINDOW = np.arange(-40, 41)


def detect(
    traces: NDArray[np.int16], rate: float, rows: list[int], level: float = 5.0
) -> dict[int, NDArray[np.int64]]:
    """Negative peaks of 300–6000 Hz traces less their median over rows, `level` robust deviations deep.

    Label k + 1 holds the detections on ``rows[k]``, none nearer than a millisecond to another on that row.
    """
    band = butter(3, [300, 6000], "bandpass", fs=rate, output="sos")
    filtered = sosfiltfilt(band, traces.astype(np.float32), axis=0)
    filtered -= np.median(filtered, axis=1, keepdims=True)
    found = {}
    for label, row in enumerate(rows, start=1):
        trace = filtered[:, row]
        deviation = np.median(np.abs(trace)) / 0.6745
        peaks, _ = find_peaks(-trace, height=level * deviation, distance=int(rate / 1000))
        found[label] = peaks.astype(np.int64)
    return found


def assert_consistent(result: GenerateResult, source: NDArray[np.int16], num_rows: int) -> pd.DataFrame:
    """What holds of every run: nothing but events was added, and each where its truth says."""
    hybrid = read_rows(result.recording_paths[0], num_rows)
    difference = hybrid.astype(np.int32) - source
    table = pd.read_csv(result.output_directory / f"artificial_units-{result.session_name}.csv")
    covered = np.zeros(len(source), dtype=bool)
    centers = np.concatenate([unit.samples + unit.window_shift for unit in result.plan.injected_units])
    window = np.arange(-result.parameters.samples_before, result.parameters.samples_after + 1)
    covered[(centers[:, None] + window).ravel()] = True
    assert not difference[~covered].any()
    probe = result.parameters.probe
    assert probe is not None
    assert not difference[:, np.setdiff1d(np.arange(num_rows), probe.connected_rows)].any()
    for label, (rows, mean) in injected_means(result).items():
        mine = table[table["new_unit"] == label]
        height = np.abs(mean).max(axis=0)
        center = int(rows[height.argmax()])
        assert mine["center_channel"].unique().tolist() == [center], f"unit {label}: {np.sort(height)[-2:]}"
        trace = np.abs(mean[:, height.argmax()])
        shift = next(unit.window_shift for unit in result.plan.injected_units if unit.injected_label == label)
        # Two samples of a flat trough may change places by the rounding of the file.
        trough = result.parameters.samples_before - shift
        off = int(trace.argmax()) - trough
        assert trace[trough] >= trace.max() - 0.5, f"unit {label}: its trough lies {off:+d} samples off"
        # What the file shows where this unit is alone agrees with that mean.
        others = table.loc[table["new_unit"] != label, "timestep"].to_numpy()
        own = mine["timestep"].to_numpy()
        gap = np.abs(own[:, None] - others).min(axis=1, initial=999)
        alone = (gap > 160) & (np.diff(own, prepend=-999) > 160) & (np.diff(own, append=10**9) > 160)
        if alone.sum() >= 20:
            shown = difference[own[alone][:, None] + shift + WINDOW][:, :, rows].mean(axis=0)
            first = result.parameters.samples_before - 40
            assert np.corrcoef(shown.ravel(), mean[first : first + 81].ravel())[0, 1] > 0.99
    return table


def injected_means(result: GenerateResult) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Raw rows and mean of all events (samples × rows) of each injected unit, from the arrays of injection-….npz."""
    with np.load(result.output_directory / f"injection-{result.session_name}.npz") as archive:
        stored = {name: archive[name] for name in archive.files}
    means = {}
    filters = stored["filters"].reshape(9, -1)
    for unit, label in enumerate(stored["labels"].tolist()):
        width = int(stored["window"].sum()) + 1
        shape = (stored["num_waveforms"][unit], width, stored["num_columns"][unit])
        start = stored["waveform_starts"][unit]
        waveforms = stored["waveforms"][start : start + np.prod(shape)].reshape(shape)
        events = np.flatnonzero(stored["units"] == unit)
        weights = stored["weights"][stored["weight_starts"][events][:, None] + np.arange(shape[0])]
        total = np.zeros(shape[1:])
        for phase in range(9):
            mine = np.tensordot(weights[stored["phases"][events] == phase].sum(axis=0), waveforms, 1)
            total += scipy.ndimage.correlate1d(mine, filters[phase], axis=0, mode="constant")
        first = stored["row_starts"][unit]
        means[label] = (stored["rows"][first : first + shape[2]], total / events.size)
    return means


def donor_likeness(result: GenerateResult, source: NDArray[np.int16], num_rows: int, label: int) -> float:
    """Correlation of the injected mean on its centre row with the same donor spikes' mean on the donor's row."""
    hybrid = read_rows(result.recording_paths[0], num_rows)
    table = pd.read_csv(result.output_directory / f"artificial_units-{result.session_name}.csv")
    units = pd.read_csv(result.output_directory / f"units-{result.session_name}.csv").set_index("true_unit")
    mine = table[table["true_unit"] == label]
    others = table.loc[table["true_unit"] != label, "timestep"].to_numpy()
    mine = mine[np.abs(mine["timestep"].to_numpy()[:, None] - others).min(axis=1, initial=999) > 81]
    injected = (hybrid.astype(np.int32) - source)[mine["timestep"].to_numpy()[:, None] + WINDOW]
    donors = source[mine["donor_spike"].to_numpy()[:, None] + WINDOW].astype(float)
    mean = injected[:, :, int(units.loc[label, "center_channel"])].mean(axis=0)
    donor = donors[:, :, int(units.loc[label, "donor_channel"])].mean(axis=0)
    # Slow after-potentials outlast the window, at whose end the injected ones are faded out.
    return float(np.corrcoef(mean[:71], donor[:71])[0, 1])


def test_locust_tetrode(shared_data: Path, tmp_path: Path) -> None:
    """Four sites have no translation: the units are turned or mirrored, and the tables say so."""
    folder = shared_data / "locust_tetrode"
    positions = np.round(np.load(folder / "phy_trial_01" / "channel_positions.npy"), 6)
    result = hybridfactory.generate(
        {
            "data_directory": folder / "phy_trial_01",
            "raw_source_file": folder / "locust_trial_01.raw",
            "data_type": np.int16,
            "sample_rate": 15_000,
            "ground_truth_units": [1, 2, 3, 4, 5, 6, 7],
            "start_time": 0,
            "probe": custom_probe(range(4), [True] * 4, positions),
            "random_seed": 1,
            "session_name": "locust",
            "output_directory": tmp_path,
        }
    )
    source = read_rows(folder / "locust_trial_01.raw", 4)
    table = assert_consistent(result, source, 4)
    units = pd.read_csv(tmp_path / "units-locust.csv").set_index("true_unit")
    assert units.loc[1, "status"] == "refused"
    assert "only" in units.loc[1, "reason"]
    injected = units[units["status"] == "injected"]
    assert len(injected) >= 5
    assert set(injected["move"]) <= {"rotation", "reflection"}
    assert injected["notes"].str.contains("rotation|reflection").all()
    hybrid = read_rows(result.recording_paths[0], 4)
    assert (np.abs(np.median(hybrid, axis=0) - 2048) < 60).all()
    assert table["clipped_samples"].sum() == result.num_clipped_samples == 0
    strongest = injected["snr"].idxmax()
    assert donor_likeness(result, source, 4, int(strongest)) > 0.98


def test_mearec_with_its_own_truth(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mearec_nn32_10s"
    times, ids = np.load(folder / "gt_spike_times_samples.npy"), np.load(folder / "gt_unit_ids.npy")
    raw = folder / "recording.dat"
    trains = {int(unit) + 1: np.sort(times[ids == unit]) for unit in np.unique(ids)}
    write_phy(tmp_path / "sorted", trains, raw=str(raw), num_rows=32, rate=32_000.0)
    positions = np.load(folder / "channel_positions_yz.npy")[:, 1:]
    result = hybridfactory.generate(
        {
            "data_directory": tmp_path / "sorted",
            "raw_source_file": raw,
            "data_type": "int16",
            "sample_rate": 32_000,
            "ground_truth_units": [*list(trains)[::2], 10, 12],
            "start_time": 0,
            "probe": custom_probe(range(32), [True] * 32, positions),
            "random_seed": 2,
            "session_name": "mearec",
            "output_directory": tmp_path / "out",
        }
    )
    source = read_rows(raw, 32)
    assert_consistent(result, source, 32)
    units = pd.read_csv(tmp_path / "out" / "units-mearec.csv").set_index("true_unit")
    injected = units[units["status"] == "injected"]
    assert len(injected) >= 6
    # The donor's channel is the one on which its true template is largest.
    templates = np.load(folder / "gt_templates_uV.npy")  # unit, copy, site, time
    heights = np.abs(templates).max(axis=(1, 3))
    second, first = np.sort(heights, axis=1)[:, -2:].T
    clear = [label for label in injected.index if first[label - 1] > 1.2 * second[label - 1]]
    agree = [heights[label - 1].argmax() == injected.loc[label, "donor_channel"] for label in clear]
    assert np.mean(agree) > 0.9
    strong = injected.index[injected["snr"] > 5]
    likeness = [donor_likeness(result, source, 32, int(label)) for label in strong]
    assert len(strong) >= 3
    assert min(likeness) > 0.97


@pytest.fixture(scope="module")
def neuropixels(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GenerateResult]:
    """A run on half a second of a Neuropixels 2.0 recording; probe, rows and start time come from the .meta."""
    top = tmp_path_factory.mktemp("neuropixels")
    folder = top / "recording"  # SpikeGLX readers look into folders below as well
    folder.mkdir()
    (name,) = (path.name for path in (shared_data / "neuropixels2_0.5s").glob("*.bin"))
    for suffix in (".bin", ".meta"):
        source_file = (shared_data / "neuropixels2_0.5s" / name).with_suffix(suffix)
        shutil.copyfile(source_file, (folder / name).with_suffix(suffix))
    source = np.fromfile(folder / name, "<i2").reshape(-1, 385)
    trains = detect(source[:, :384], 30_000, [83, 284])
    assert min(train.size for train in trains.values()) >= 45
    write_phy(top / "sorted", trains, raw=f"../recording/{name}", num_rows=385, rate=30_000.0)
    result = hybridfactory.generate(
        {
            "data_directory": top / "sorted",
            "raw_source_file": folder / name,
            "data_type": "int16",
            "sample_rate": 30_000,
            "ground_truth_units": [1, 2],
            "random_seed": 3,
            "session_name": "np2",
            "output_directory": top / "out",
        }
    )
    return folder / name, result


def test_neuropixels_rows_and_bytes(neuropixels: tuple[Path, GenerateResult]) -> None:
    raw, result = neuropixels
    before, after = raw.read_bytes(), result.recording_paths[0].read_bytes()
    assert len(before) == len(after)
    source, hybrid = (np.frombuffer(data, "<i2").reshape(-1, 385) for data in (before, after))
    np.testing.assert_array_equal(source[:, 384], hybrid[:, 384])
    assert (source != hybrid).any()
    times = result.truth[1].astype(np.int64)
    changed = np.flatnonzero((source != hybrid).any(axis=1))
    later = changed[:, None] - times
    assert (
        ((later >= -result.parameters.samples_before) & (later <= result.parameters.samples_after)).any(axis=1).all()
    )


def test_neuropixels_units_stay_on_their_shank(neuropixels: tuple[Path, GenerateResult]) -> None:
    _, result = neuropixels
    probe = result.parameters.probe
    assert probe is not None
    assert probe.shank_ids is not None
    for unit in result.plan.injected_units:
        assert probe.shank_ids[unit.donor_row or 0] == probe.shank_ids[unit.center_row or 0]
    assert len(result.plan.injected_units) == 2


def test_spikeinterface_opens_the_hybrid_as_spikeglx(neuropixels: tuple[Path, GenerateResult]) -> None:
    from spikeinterface.extractors import read_spikeglx

    raw, result = neuropixels
    hybrid = read_rows_of(result.recording_paths[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Neo's and probeinterface's own
        ours = read_spikeglx(result.output_directory, stream_id="imec0.ap")
        theirs = read_spikeglx(raw.parent, stream_id="imec0.ap")
        sync = read_spikeglx(result.output_directory, stream_id="imec0.ap-SYNC")
    np.testing.assert_array_equal(ours.get_traces(), hybrid[:, :384])
    np.testing.assert_array_equal(sync.get_traces()[:, 0], hybrid[:, 384])
    np.testing.assert_array_equal(ours.get_channel_locations(), theirs.get_channel_locations())
    np.testing.assert_array_equal(ours.get_channel_gains(), theirs.get_channel_gains())
    assert ours.get_num_samples() == theirs.get_num_samples() == 15_000


def read_rows_of(path: Path) -> NDArray[np.int16]:
    return np.fromfile(path, "<i2").reshape(-1, 385)


def test_neuropixels_truth_holds(neuropixels: tuple[Path, GenerateResult]) -> None:
    raw, result = neuropixels
    difference = read_rows_of(result.recording_paths[0]).astype(int) - read_rows_of(raw)
    for unit in result.plan.injected_units:
        mean = difference[unit.samples[:, None] + WINDOW].mean(axis=0)
        assert np.abs(mean).max(axis=0).argmax() == unit.center_row
        assert mean[:, unit.center_row].argmin() == 40
        assert np.diff(unit.samples).min() >= 60
    files = {path.name for path in result.output_directory.iterdir()}
    assert f"{raw.stem}.GT.meta" in files


def test_neuropixels_too_few_spikes_are_refused_clearly(
    neuropixels: tuple[Path, GenerateResult], tmp_path: Path
) -> None:
    raw, result = neuropixels
    write_phy(tmp_path / "sorted", {1: np.arange(500, 14_000, 900)}, raw=str(raw), num_rows=385, rate=30_000.0)
    changes = {"data_directory": tmp_path / "sorted", "ground_truth_units": [1], "output_directory": tmp_path / "out"}
    given = {name: getattr(result.parameters, name) for name in ("raw_source_file", "data_type", "sample_rate")}
    with pytest.raises(NothingInjectedError, match="only 15 spikes"):
        hybridfactory.generate(given | changes)
    assert not (tmp_path / "out").exists()
