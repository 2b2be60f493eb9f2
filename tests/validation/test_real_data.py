"""A hybrid of a real recording, with the templates that a real sorter stored; skipped where the data are absent."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from sorted_run import compare

import hybridfactory
from hybridfactory.probes import custom_probe
from hybridfactory.sorting import read_found_sorting, read_stored_templates

BEFORE, AFTER = 15, 30


@pytest.fixture(scope="module")
def tetrode(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[hybridfactory.HybridRun, Path]:
    """A run on the locust tetrode, and the perfect sorting of its hybrid, with templates of the filtered hybrid."""
    source = shared_data / "locust_tetrode"
    original = source / "phy_trial_01"
    positions = np.round(np.load(original / "channel_positions.npy"), 6)
    result = hybridfactory.generate(
        {
            "data_directory": original,
            "raw_source_file": source / "locust_trial_01.raw",
            "data_type": np.int16,
            "sample_rate": 15_000,
            "ground_truth_units": [2, 3, 4, 5, 6, 7],
            "start_time": 0,
            "probe": custom_probe(range(4), [True] * 4, positions),
            "random_seed": 1,
            "session_name": "locust",
            "output_directory": tmp_path_factory.mktemp("locust") / "hybrid",
        }
    )
    run = hybridfactory.load(result.output_directory)
    band = butter(3, [300, 6000], "bandpass", fs=15_000, output="sos")
    hybrid = np.fromfile(result.recording_paths[0], dtype="<i2").reshape(-1, 4).astype(np.float32)
    filtered = sosfiltfilt(band, hybrid, axis=0)
    folder = tmp_path_factory.mktemp("perfect") / "perfect"
    shutil.copytree(original, folder)
    times, clusters = np.load(folder / "spike_times.npy").ravel(), np.load(folder / "spike_clusters.npy").ravel()
    templates = list(read_stored_templates(folder, "phy").waveforms)
    width = templates[0].shape[0]
    events = run.artificial_units
    for _, part in events.groupby("new_unit"):
        steps = part["timestep"].to_numpy()
        index = steps[:, None] + np.arange(-width // 3, width - width // 3)
        inside = (index.min(axis=1) >= 0) & (index.max(axis=1) < len(filtered))
        clusters = np.append(clusters, np.full(steps.size, len(templates)))
        times = np.append(times, steps)
        templates.append(filtered[index[inside]].mean(axis=0))
    order = np.argsort(times, kind="stable")
    for name, values in (("spike_times", times), ("spike_clusters", clusters), ("spike_templates", clusters)):
        np.save(folder / f"{name}.npy", values[order].astype(np.int64))
    np.save(folder / "templates.npy", np.stack(templates).astype(np.float32))
    for name in ("template_ind", "templates_ind"):
        (folder / f"{name}.npy").unlink(missing_ok=True)
    return run, folder


def test_a_tetrode_whose_units_were_turned(tetrode: tuple[hybridfactory.HybridRun, Path], tmp_path: Path) -> None:
    run, folder = tetrode
    sorter = compare(run, folder, output_directory=tmp_path / "out").sorters[0]
    assert (sorter.units["accuracy"] == 1).all()
    assert (sorter.baseline["accuracy"] > 0.99).all()
    table = sorter.template_units.set_index("new_unit")
    assert set(table["origin"]) == {"stored"}
    # The sorter's template, turned as the unit was, is what the hybrid shows at the new place.
    injected = run.units[run.units["status"] == "injected"].set_index("new_unit")
    clear = injected.index[injected["snr"] > 6]
    assert len(clear) >= 3
    assert (table.loc[clear, "score"] > 0.9).all()
    assert (table.loc[clear, "template_unit"] == sorter.units.set_index("new_unit").loc[clear, "found_unit"]).all()


@pytest.mark.parametrize("name", ["phy_10chan_real", "phy_template_kilosort1", "locust_tetrode/phy_trial_01"])
def test_real_phy_folders_as_tested_sortings(shared_data: Path, name: str) -> None:
    folder = shared_data / name
    found = read_found_sorting(folder)
    clusters = np.load(folder / "spike_clusters.npy").ravel()
    assert found.unit_ids.tolist() == np.unique(clusters).tolist()
    assert found.num_spikes == clusters.size
    stored = read_stored_templates(folder, "phy")
    assert stored is not None
    assert np.isfinite(stored.waveforms).all()
    assert stored.waveforms.shape[:2] == np.load(folder / "templates.npy", mmap_mode="r").shape[:2]
    assert stored.rows is not None
    assert len(stored.rows) == stored.waveforms.shape[2]
