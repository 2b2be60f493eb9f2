"""Donors from sortings that SpikeInterface loads: the same hybrid as from the phy folder of the same spikes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign_world import spikeinterface_recording, write_open_ephys
from hybrid_world import RATE, World, read_rows
from spikeinterface.core import NumpySorting, create_sorting_analyzer

import hybridfactory
from hybridfactory.errors import HybridFactoryError

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:The extractor is not serializable"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def numpy_sorting(world: World, names: dict[int, Any] | None = None, cut: int | None = None) -> NumpySorting:
    """The sorting of the world with phy's ids, or other names; cut into two segments at a sample."""
    known = names or {label: label - 1 for label in world.stated}
    trains = {known[label]: train for label, train in world.stated.items()}
    if cut is None:
        return NumpySorting.from_unit_dict([trains], RATE)
    first = {unit: train[train < cut] for unit, train in trains.items()}
    second = {unit: train[train >= cut] - cut for unit, train in trains.items()}
    return NumpySorting.from_unit_dict([first, second], RATE)


@pytest.fixture(scope="module")
def from_phy(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("from_phy") / "hybrid"
    return small_world.run(output).recording_paths[0].read_bytes()


def saved(world: World, kind: str, folder: Path) -> Path:
    sorting = numpy_sorting(world)
    if kind == "npz":
        from spikeinterface.core import NpzSortingExtractor

        NpzSortingExtractor.write_sorting(sorting, folder / "sorting.npz")
        return folder / "sorting.npz"
    if kind.startswith("analyzer"):
        place = folder / ("analyzer.zarr" if kind.endswith("zarr") else "analyzer")
        form = "zarr" if kind.endswith("zarr") else "binary_folder"
        create_sorting_analyzer(
            sorting, spikeinterface_recording(world), format=form, folder=place, sparse=False, verbose=False
        )
        return place
    place = folder / ("sorting.zarr" if kind == "zarr" else "sorting")
    sorting.save(folder=place, format={"folder": "numpy_folder", "npz_folder": "npz_folder", "zarr": "zarr"}[kind])
    return place


@pytest.mark.parametrize("kind", ["folder", "npz_folder", "npz", "zarr", "analyzer", "analyzer_zarr"])
def test_the_same_hybrid_as_from_phy(kind: str, small_world: World, from_phy: bytes, tmp_path: Path):
    place = saved(small_world, kind, tmp_path)
    result = small_world.run(tmp_path / "hybrid", data_directory=place)
    assert result.recording_paths[0].read_bytes() == from_phy
    assert hybridfactory.load(tmp_path / "hybrid").artificial_units["true_unit"].isin(range(1, 6)).all()


def test_labels_are_the_ids_with_label_base_0(small_world: World, tmp_path: Path):
    place = saved(small_world, "folder", tmp_path)
    given = small_world.parameters(tmp_path / "hybrid", data_directory=place, label_base=0, ground_truth_units=[2])
    result = hybridfactory.generate(given)
    assert [unit.donor_label for unit in result.plan] == [2]


def test_ids_that_are_names_are_counted_and_told(small_world: World, tmp_path: Path):
    names = {label: f"unit-{'abcdef'[label - 1]}" for label in small_world.stated}
    numpy_sorting(small_world, names).save(folder=tmp_path / "sorting")
    result = small_world.run(tmp_path / "hybrid", data_directory=tmp_path / "sorting", ground_truth_units=[2])
    assert any("unit-b is 2" in warning for warning in result.warnings)
    donors = hybridfactory.load(tmp_path / "hybrid").artificial_units["donor_spike"].to_numpy()
    # Troughs lie some samples beside the stated times.
    assert np.abs(donors[:, None] - small_world.stated[2]).min(axis=1).max() <= 5


def test_segments_of_a_sorting_lie_on_those_of_the_recording(small_world: World, tmp_path: Path):
    cut = 40_000
    source = write_open_ephys(tmp_path / "session", [small_world.source[:cut], small_world.source[cut:]])
    numpy_sorting(small_world, cut=cut).save(folder=tmp_path / "sorting")
    given = small_world.parameters(tmp_path / "one", raw_source_file=source, raw_source_format="openephys")
    given = {name: value for name, value in given.items() if name != "start_time"}
    one = hybridfactory.generate(given)
    other = hybridfactory.generate(
        given | {"output_directory": tmp_path / "other", "data_directory": tmp_path / "sorting"}
    )
    for first, second in zip(one.recording_paths, other.recording_paths, strict=True):
        assert np.array_equal(read_rows(first), read_rows(second))


def test_segments_that_the_recording_does_not_have_are_refused(small_world: World, tmp_path: Path):
    numpy_sorting(small_world, cut=40_000).save(folder=tmp_path / "sorting")
    with pytest.raises(HybridFactoryError, match="the sorting has 2 segments, but the recording 1"):
        small_world.run(tmp_path / "hybrid", data_directory=tmp_path / "sorting")


def test_a_format_by_name(small_world: World, from_phy: bytes, tmp_path: Path):
    from spikeinterface.extractors.mdaextractors import MdaSortingExtractor

    sorting = numpy_sorting(small_world)
    MdaSortingExtractor.write_sorting(sorting, tmp_path / "firings.mda", write_primary_channels=False)
    given = small_world.parameters(
        tmp_path / "hybrid", data_directory=tmp_path / "firings.mda", output_type="spikeinterface:mda"
    )
    # This format states no sampling rate, which the recording does.
    assert hybridfactory.generate(given).recording_paths[0].read_bytes() == from_phy
    with pytest.raises(HybridFactoryError, match="cannot read it as blackrock") as caught:
        hybridfactory.generate(given | {"output_type": "spikeinterface:blackrock"})
    assert "\n" not in str(caught.value)
    with pytest.raises(HybridFactoryError, match="has no reader 'mad'"):
        hybridfactory.generate(given | {"output_type": "spikeinterface:mad"})


def test_the_run_is_validated_and_its_natives_are_known(small_world: World, tmp_path: Path):
    place = saved(small_world, "folder", tmp_path)
    small_world.run(tmp_path / "hybrid", data_directory=place)
    truth = hybridfactory.load(tmp_path / "hybrid").sorting
    result = hybridfactory.validate(tmp_path / "hybrid", [truth], names=["truth"], report=False)
    assert result.sorters[0].median_accuracy == 1


def test_a_recording_in_the_place_of_a_sorting_is_refused(small_world: World, tmp_path: Path):
    spikeinterface_recording(small_world).save(folder=tmp_path / "saved.zarr", format="zarr", n_jobs=1)
    with pytest.raises(HybridFactoryError, match=r"saved\.zarr"):
        small_world.run(tmp_path / "hybrid", data_directory=tmp_path / "saved.zarr")
    assert not (tmp_path / "hybrid").exists()
