"""A finished run, opened again: recordings and sorting as SpikeInterface takes them."""

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finished_run import FinishedRun
from hybrid_world import RATE, World, read_rows
from spikeinterface.comparison import compare_sorter_to_ground_truth
from spikeinterface.core import NumpySorting, load
from spikeinterface.preprocessing import bandpass_filter, common_reference

import hybridfactory
from hybridfactory.demo import make_demo
from hybridfactory.errors import HybridFactoryError, MissingFileError


@pytest.fixture(scope="module")
def run(finished: FinishedRun) -> hybridfactory.HybridRun:
    return hybridfactory.load(finished.folder)


@pytest.fixture
def foreign_warnings_pass() -> Iterator[None]:
    """SpikeInterface's own warnings say nothing of this project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_the_lazy_recording_is_the_written_file(run: hybridfactory.HybridRun, finished: FinishedRun) -> None:
    recording = run.recording
    rows = run.probe.connected_rows
    assert recording.get_num_channels() == 32
    assert recording.get_sampling_frequency() == RATE
    assert recording.get_dtype() == np.int16
    assert list(recording.channel_ids) == rows.tolist()
    np.testing.assert_array_equal(recording.get_channel_locations(), run.probe.channel_positions[run.probe.connected])
    total = recording.get_num_samples()
    assert total == len(finished.hybrid)
    rng = np.random.default_rng(0)
    for start, last in [(0, 1), (total - 7, total), *np.sort(rng.integers(0, total, (40, 2)), axis=1).tolist()]:
        stop = min(last, start + 20_000)
        np.testing.assert_array_equal(
            recording.get_traces(start_frame=start, end_frame=stop), finished.hybrid[start:stop, rows]
        )
    few = recording.get_traces(start_frame=500, end_frame=900, channel_ids=[rows[3], rows[0]])
    np.testing.assert_array_equal(few, finished.hybrid[500:900][:, [rows[3], rows[0]]])


def test_the_written_recording_is_the_same(run: hybridfactory.HybridRun) -> None:
    lazy, written = run.recording, run.written_recording
    assert list(lazy.channel_ids) == list(written.channel_ids)
    np.testing.assert_array_equal(lazy.get_traces(), written.get_traces())
    np.testing.assert_array_equal(lazy.get_channel_locations(), written.get_channel_locations())


def test_the_sorting_is_the_truth(run: hybridfactory.HybridRun, finished: FinishedRun) -> None:
    sorting = run.sorting
    events = finished.table("artificial_units")
    assert sorted(sorting.unit_ids) == sorted(events["new_unit"].unique())
    for unit in sorting.unit_ids:
        mine = events[events["new_unit"] == unit]
        np.testing.assert_array_equal(sorting.get_unit_spike_train(unit), mine["timestep"])
        place = list(sorting.unit_ids).index(unit)
        assert sorting.get_property("true_unit")[place] == mine["true_unit"].iloc[0]
        assert sorting.get_property("center_channel")[place] == mine["center_channel"].iloc[0]
    assert sorting.get_sampling_frequency() == RATE


@pytest.mark.usefixtures("foreign_warnings_pass")
def test_a_perfect_sorter_is_perfect(run: hybridfactory.HybridRun) -> None:
    truth = run.sorting
    spikes = truth.to_spike_vector()
    tested = NumpySorting.from_samples_and_labels(
        [spikes["sample_index"]], [spikes["unit_index"] + 50], truth.get_sampling_frequency()
    )
    performance = compare_sorter_to_ground_truth(truth, tested, exhaustive_gt=False).get_performance()
    assert len(performance) == 5
    assert (performance[["accuracy", "precision", "recall"]] == 1).all(axis=None)


@pytest.mark.usefixtures("foreign_warnings_pass")
def test_preprocessing_and_saving(run: hybridfactory.HybridRun, tmp_path: Path) -> None:
    recording = run.recording
    filtered = common_reference(bandpass_filter(recording, freq_min=300, freq_max=6000))
    assert np.isfinite(filtered.get_traces(start_frame=1000, end_frame=3000)).all()
    part = recording.frame_slice(start_frame=10_000, end_frame=40_000)
    saved = part.save(folder=tmp_path / "saved", n_jobs=1, progress_bar=False, verbose=False)
    np.testing.assert_array_equal(saved.get_traces(), recording.get_traces(start_frame=10_000, end_frame=40_000))
    for name in ("lazy.json", "lazy.pkl"):
        recording.dump(tmp_path / name)
        again = load(tmp_path / name)
        np.testing.assert_array_equal(
            again.get_traces(start_frame=5000, end_frame=9000), recording.get_traces(start_frame=5000, end_frame=9000)
        )
        np.testing.assert_array_equal(again.get_channel_locations(), recording.get_channel_locations())
    again = load(recording.to_dict())
    assert again.get_num_samples() == recording.get_num_samples()


def test_a_run_may_be_moved(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path / "out", ground_truth_units=[2])
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    run = hybridfactory.load(str(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(
        run.recording.get_traces(end_frame=9000), run.written_recording.get_traces(end_frame=9000)
    )


def test_without_source_or_hybrid_the_other_serves(small_world: World, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(tmp_path / "out", raw_source_file=raw, ground_truth_units=[2])
    hybrid = read_rows(tmp_path / "out" / "raw.GT.bin")
    raw.unlink()
    run = hybridfactory.load(tmp_path / "out")
    with pytest.raises(MissingFileError, match="written_recording"):
        _ = run.recording
    assert run.written_recording.get_num_samples() == len(hybrid)
    (tmp_path / "out" / "raw.GT.bin").unlink()
    with pytest.raises(MissingFileError, match=r"raw\.GT\.bin"):
        _ = hybridfactory.load(tmp_path / "out").written_recording


def test_a_source_that_changed_is_not_rendered_in_silence(small_world: World, tmp_path: Path) -> None:
    """The lazy hybrid is made of the source: with other samples in it, it is not the hybrid any more."""
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(tmp_path / "out", raw_source_file=raw, ground_truth_units=[2])
    small_world.source[::-1].tofile(raw)
    with pytest.raises(HybridFactoryError, match=r"raw\.bin"):
        _ = hybridfactory.load(tmp_path / "out").recording


def test_what_is_no_run_is_refused(small_world: World, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        hybridfactory.load(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match=r"manifest\.json"):
        hybridfactory.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(HybridFactoryError, match="damaged"):
        hybridfactory.load(tmp_path)
    (tmp_path / "manifest.json").unlink()
    small_world.run(tmp_path, ground_truth_units=[2])
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "firings_true.npy").unlink()
    with pytest.raises(MissingFileError, match=r"firings_true\.npy"):
        hybridfactory.load(tmp_path)
    manifest["format_version"] = 99
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(HybridFactoryError, match="99"):
        hybridfactory.load(tmp_path)


def test_gains_come_from_the_meta_file(demo_run: hybridfactory.HybridRun) -> None:
    for recording in (demo_run.recording, demo_run.written_recording):
        assert recording.get_channel_gains() == pytest.approx(2.34375)
        assert recording.get_channel_offsets() == pytest.approx(0)
        traces = recording.get_traces(end_frame=30, return_in_uV=True)
        assert traces == pytest.approx(recording.get_traces(end_frame=30) * 2.34375)


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> hybridfactory.HybridRun:
    parameters = make_demo(tmp_path_factory.mktemp("demo"), duration_s=8)
    return hybridfactory.load(hybridfactory.generate(parameters).output_directory)


def test_output_below_a_spikeglx_recording_is_remarked_upon(tmp_path: Path) -> None:
    parameters = hybridfactory.load_parameters(make_demo(tmp_path, duration_s=8))
    below = replace(parameters, output_directory=parameters.raw_source_file.parent / "hybrid")
    assert any("SpikeGLX" in warning for warning in hybridfactory.generate(below).warnings)
    assert not any("SpikeGLX" in warning for warning in hybridfactory.generate(parameters).warnings)
