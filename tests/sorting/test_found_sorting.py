"""Any sorting in: what the project's own readers know, and whatever SpikeInterface saves."""

import json
import pickle
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from layouts import CHANNEL_MAP, LAYOUTS, RATE, TIMES, UNITS, Layout, make_templates, rez_kilosort2
from matlab_files import write_v73
from numpy.typing import NDArray
from spikeinterface.core import NpzSortingExtractor, NumpySorting, create_sorting_analyzer, generate_recording

from hybridfactory.errors import HybridFactoryError, MissingFileError, SortingError
from hybridfactory.sorting import FoundSorting, read_found_sorting, read_stored_templates

IDS = np.array(["a1", "b2", "c3", "d4", "e5"])


def spikes_of(found: FoundSorting, segment: int = 0) -> list[tuple[int, Any]]:
    part = found.segments[segment]
    return sorted(zip(part.samples.tolist(), found.unit_ids[part.units].tolist(), strict=True))


def expected(times: NDArray[Any], labels: NDArray[Any]) -> list[tuple[int, Any]]:
    return sorted(zip(times.tolist(), labels.tolist(), strict=True))


@pytest.fixture
def sorting() -> NumpySorting:
    """Two segments, the second without spikes of the last unit; text for ids."""
    first = np.isin(np.arange(TIMES.size) % 2, 0)
    rest = ~first & (UNITS < 5)
    return NumpySorting.from_samples_and_labels(
        [TIMES[first], TIMES[rest]], [IDS[UNITS[first] - 1], IDS[UNITS[rest] - 1]], RATE, unit_ids=IDS
    )


def check(found: FoundSorting) -> None:
    first = np.isin(np.arange(TIMES.size) % 2, 0)
    rest = ~first & (UNITS < 5)
    assert found.unit_ids.tolist() == IDS.tolist()
    assert spikes_of(found, 0) == expected(TIMES[first], IDS[UNITS[first] - 1])
    assert spikes_of(found, 1) == expected(TIMES[rest], IDS[UNITS[rest] - 1])
    assert found.sampling_frequency == RATE
    assert found.source_format == "spikeinterface"
    assert not found.counts_over_files
    assert all(np.all(np.diff(segment.samples) >= 0) for segment in found.segments)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_own_formats_keep_the_ids_that_their_program_shows(layout: Layout, tmp_path: Path) -> None:
    layout.write(tmp_path)
    found = read_found_sorting(tmp_path)
    if layout.source_format == "phy":
        ids = layout.labels - 1 if layout.phy_ids is None else layout.phy_ids
        kept = ids >= 0
    else:
        ids, kept = layout.labels, layout.labels >= 1
    assert spikes_of(found) == expected(layout.times[kept], ids[kept])
    assert found.counts_over_files
    assert found.spike_templates is None or found.spike_templates.size == found.num_spikes


@pytest.mark.parametrize(
    "layout", [item for item in LAYOUTS if item.source_format != "phy"], ids=lambda item: item.name
)
def test_a_mat_file_can_be_named_itself(layout: Layout, tmp_path: Path) -> None:
    layout.write(tmp_path)
    path = next(iter(sorted(tmp_path.glob("*.mat"))))
    assert spikes_of(read_found_sorting(path)) == spikes_of(read_found_sorting(tmp_path))


def test_params_py_stands_for_its_folder(tmp_path: Path) -> None:
    LAYOUTS[0].write(tmp_path)
    assert spikes_of(read_found_sorting(tmp_path / "params.py")) == spikes_of(read_found_sorting(tmp_path))


def test_a_sorting_in_memory(sorting: NumpySorting) -> None:
    check(read_found_sorting(sorting))


@pytest.mark.filterwarnings("ignore:The extractor is not serializable")
@pytest.mark.parametrize("kind", ["numpy_folder", "npz_folder", "zarr"])
def test_saved_folders(sorting: NumpySorting, tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("saved.zarr" if kind == "zarr" else "saved")
    if kind == "npz_folder":
        with pytest.warns(FutureWarning):
            sorting.save(folder=path, format=kind)
    else:
        sorting.save(folder=path, format=kind)
    check(read_found_sorting(path))


def test_npz_files(sorting: NumpySorting, tmp_path: Path) -> None:
    NpzSortingExtractor.write_sorting(sorting, tmp_path / "sorting.npz")
    check(read_found_sorting(tmp_path / "sorting.npz"))


def test_json_files(sorting: NumpySorting, tmp_path: Path) -> None:
    NpzSortingExtractor.write_sorting(sorting, tmp_path / "sorting.npz")
    NpzSortingExtractor(tmp_path / "sorting.npz").dump_to_json(tmp_path / "sorting.json")
    check(read_found_sorting(tmp_path / "sorting.json"))


@pytest.mark.filterwarnings("ignore:The extractor is not serializable")
@pytest.mark.parametrize("kind", ["binary_folder", "zarr"])
def test_sorting_analyzers(tmp_path: Path, kind: str) -> None:
    recording = generate_recording(num_channels=4, durations=[2.1], sampling_frequency=RATE)
    one = NumpySorting.from_samples_and_labels([TIMES], [IDS[UNITS - 1]], RATE, unit_ids=IDS)
    path = tmp_path / ("analyzer.zarr" if kind == "zarr" else "analyzer")
    create_sorting_analyzer(one, recording, format=kind, folder=path, sparse=False)
    found = read_found_sorting(path)
    assert spikes_of(found) == expected(TIMES, IDS[UNITS - 1])


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # SpikeInterface leaves its file open
@pytest.mark.parametrize("kind", ["binary", "zarr", "json"])
def test_a_recording_is_no_sorting(tmp_path: Path, kind: str) -> None:
    recording = generate_recording(num_channels=4, durations=[0.1], sampling_frequency=RATE)
    path = tmp_path / ("saved.zarr" if kind == "zarr" else "saved")
    saved = recording.save(folder=path, format="zarr" if kind == "zarr" else "binary", n_jobs=1, progress_bar=False)
    if kind == "json":
        path = tmp_path / "saved.json"
        saved.dump_to_json(path)
    with pytest.raises(SortingError, match="is a recording, and a sorting is wanted here") as caught:
        read_found_sorting(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_units_without_spikes_are_left_out() -> None:
    sorting = NumpySorting.from_samples_and_labels([[5, 9]], [[3, 7]], RATE, unit_ids=[1, 3, 5, 7])
    found = read_found_sorting(sorting)
    assert found.unit_ids.tolist() == [3, 7]
    assert spikes_of(found) == [(5, 3), (9, 7)]


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("sprung").touch, ())


@pytest.mark.filterwarnings("ignore:The extractor is not serializable")
def test_nothing_is_unpickled(sorting: NumpySorting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sorting.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(SortingError, match="is a pickle, which may run code"):
        read_found_sorting(tmp_path / "sorting.pkl")
    sorting.save(folder=tmp_path / "saved", format="numpy_folder")
    np.save(tmp_path / "saved" / "properties" / "trap.npy", np.array([Trap()] * 5, dtype=object), allow_pickle=True)
    check(read_found_sorting(tmp_path / "saved"))
    np.savez(tmp_path / "trap.npz", unit_ids=np.array([Trap()]), num_segment=[1], sampling_frequency=[RATE])
    with pytest.raises(SortingError, match=r"trap\.npz"):
        read_found_sorting(tmp_path / "trap.npz")
    stored = zarr.open_group(str(tmp_path / "trap.zarr"), mode="w")
    stored.array("unit_ids", np.array([Trap()], dtype=object), object_codec=numcodecs.Pickle())
    with pytest.raises(SortingError, match="unit_ids: is a pickle, which may run code"):
        read_found_sorting(tmp_path / "trap.zarr")
    assert not (tmp_path / "sprung").exists()


def test_a_json_file_may_name_classes_of_spikeinterface_alone(tmp_path: Path) -> None:
    content = {"class": "subprocess.Popen", "module": "subprocess", "kwargs": {"args": ["touch", "sprung"]}}
    path = tmp_path / "sorting.json"
    path.write_text(json.dumps(content | {"version": "1", "annotations": {}, "properties": {}}))
    with pytest.raises(SortingError, match=r"names the class subprocess\.Popen"):
        read_found_sorting(path)


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


BAD = {
    "missing": (lambda folder: folder / "nowhere", MissingFileError, "no such file or folder"),
    "empty folder": (lambda folder: folder, MissingFileError, "holds no sorter output"),
    "another file": (lambda folder: write(folder / "notes.txt"), SortingError, "is no sorting that can be read"),
    "not json": (lambda folder: write(folder / "a.json", "{"), SortingError, "SpikeInterface cannot load it"),
    "other json": (lambda folder: write(folder / "a.json", "{}"), SortingError, "SpikeInterface cannot load it"),
    "not npz": (lambda folder: write(folder / "a.npz", "x"), SortingError, "SpikeInterface cannot load it"),
    "failed sorter": (
        lambda folder: write(folder / "spikeinterface_log.json", '{"error": true, "sorter_name": "x"}').parent,
        SortingError,
        "the sorter ended with an error",
    ),
    "a recording's folder": (
        lambda folder: write(folder / "spikeinterface_info.json", '{"object": "Recording"}').parent,
        SortingError,
        "is no sorting",
    ),
    "empty zarr": (lambda folder: write(folder / "a.zarr" / ".zgroup", "{}").parent, SortingError, "cannot load it"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read(case: str, tmp_path: Path) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error, match=message) as caught:
        read_found_sorting(make(tmp_path))
    assert isinstance(caught.value, HybridFactoryError)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_no_sorting(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(SortingError, match="holds no unit_ids"):
        read_found_sorting(tmp_path / "a.npz")


def test_an_empty_sorting() -> None:
    empty = NumpySorting.from_samples_and_labels([np.empty(0, int)], [np.empty(0, int)], RATE, unit_ids=[1])
    with pytest.raises(SortingError, match="holds no spikes"):
        read_found_sorting(empty)


def test_a_time_before_the_start() -> None:
    early = NumpySorting.from_samples_and_labels([[-4, 7]], [[1, 1]], RATE)
    with pytest.raises(SortingError, match=r"lies at sample -4"):
        read_found_sorting(early)


@pytest.mark.parametrize("name", ["phy Kilosort 4", "phy SpikeInterface"])
def test_templates_of_a_phy_folder(name: str, tmp_path: Path) -> None:
    layout = next(item for item in LAYOUTS if item.name == name)
    layout.write(tmp_path)
    stored = read_stored_templates(tmp_path, "phy")
    assert stored is not None
    assert stored.rows is not None
    full = make_templates(61 if name.endswith("4") else 60)[: len(stored.waveforms)].astype(np.float32)
    assert stored.waveforms.shape == full.shape
    if name.endswith("4"):
        assert np.array_equal(stored.waveforms, full)
        assert stored.rows.tolist() == CHANNEL_MAP.tolist()
    else:
        # Sparse: what was kept lies where it belongs, and all else is 0.
        kept = np.any(stored.waveforms != 0, axis=1)
        assert kept.sum(axis=1).max() == 3
        for template, waveform in enumerate(stored.waveforms):
            assert np.array_equal(waveform[:, kept[template]], full[template][:, kept[template]])


def test_templates_of_a_rez_file(tmp_path: Path) -> None:
    contents = rez_kilosort2()
    write_v73(tmp_path / "rez.mat", contents)
    stored = read_stored_templates(tmp_path, "kilosort")
    assert stored is not None
    padded = np.pad(make_templates(61), ((0, 0), (21, 0), (0, 0)))
    assert np.allclose(stored.waveforms, padded, atol=1e-4)
    assert stored.rows is not None
    assert stored.rows.tolist() == CHANNEL_MAP.tolist()
    del contents["rez"]["Wphy"]
    write_v73(tmp_path / "rez2.mat", contents)
    without = read_stored_templates(tmp_path / "rez2.mat", "kilosort")
    assert without is not None
    assert np.allclose(without.waveforms, make_templates(61), atol=1e-4)
    del contents["rez"]["U"]
    write_v73(tmp_path / "rez2.mat", contents)
    assert read_stored_templates(tmp_path / "rez2.mat", "kilosort") is None


def test_sortings_without_templates(tmp_path: Path) -> None:
    assert read_stored_templates(tmp_path, "phy") is None
    assert read_stored_templates(tmp_path, "jrc") is None
    assert read_stored_templates(tmp_path, "spikeinterface") is None
