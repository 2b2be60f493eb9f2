"""Real files, as sorters left them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hybridfactory.errors import MissingFileError, SortingError
from hybridfactory.sorting import detect_format, read_sorting


def test_spikeinterface_export_of_a_real_tetrode(shared_data: Path) -> None:
    folder, raw = (
        shared_data / "locust_tetrode/phy_trial_01",
        shared_data / "locust_tetrode/locust_trial_01.raw",
    )
    sorting = read_sorting(folder, source_paths=[raw])
    stored = np.load(folder / "spike_times.npy").ravel()
    np.testing.assert_array_equal(sorting.spike_times, stored)
    assert sorting.labels.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (sorting.sampling_frequency, sorting.num_rows, sorting.warnings) == (15000.0, 4, ())

    traces = np.memmap(raw, np.int16, "r").reshape(-1, 4).astype(float)
    for label, row in sorting.unit_main_rows.items():
        train = sorting.spike_train(label)
        train = train[(train > 20) & (train < len(traces) - 20)]
        mean = np.mean([traces[time - 20 : time + 21] for time in train], axis=0)
        largest = np.sort(np.ptp(mean, axis=0))[-2:]
        # The templates are of filtered traces: nearly equal rows may swap.
        assert np.ptp(mean[:, row]) >= 0.9 * largest[1]
        assert abs(int(np.argmin(mean[:, row])) - 20) <= 1


def test_real_phy_folder_of_ten_channels(shared_data: Path) -> None:
    folder = shared_data / "phy_10chan_real"
    sorting = read_sorting(folder)
    assert (sorting.spike_times.size, len(sorting.labels)) == (60161, 29)
    assert sorting.spike_times[0] == 1
    assert (sorting.sampling_frequency, sorting.num_rows) == (20000.0, None)
    assert set(sorting.unit_main_rows) == set(sorting.labels.tolist())
    assert read_sorting(folder, source_paths=[Path("data.bin")]).num_rows == 10


def test_real_phy_folder_of_kilosort_1(shared_data: Path) -> None:
    folder = shared_data / "phy_template_kilosort1"
    sorting = read_sorting(folder, source_paths=[Path("elsewhere/sim_binary.dat")])
    np.testing.assert_array_equal(sorting.spike_times, np.load(folder / "spike_times.npy").ravel().astype(int) - 1)
    assert (sorting.sampling_frequency, sorting.num_rows, sorting.warnings) == (25000.0, 34, ())
    templates, channel_map = np.load(folder / "templates.npy"), np.load(folder / "channel_map.npy").ravel()
    for label, row in sorting.unit_main_rows.items():
        assert row == channel_map[np.ptp(templates[label - 1], axis=0).argmax()]


@pytest.mark.parametrize(
    "name",
    [
        "zach_rez.mat",
        "zach_filteredData_ksSettings.mat",
        "zach_manualData_ksSettings.mat",
        "zach_testdata_ksSettings.mat",
    ],
)
def test_real_matlab_files_without_a_sorting(shared_data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(shared_data / "matlab_kilosort2_unsorted" / name, tmp_path / "rez.mat")
    with pytest.raises(SortingError, match="holds no rez") as caught:
        read_sorting(tmp_path)
    assert "\n" not in str(caught.value)


def test_real_folder_without_a_sorting(shared_data: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no sorter output"):
        detect_format(shared_data / "matlab_kilosort2_unsorted")
