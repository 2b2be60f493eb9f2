"""Sources that SpikeInterface opens: the same plan and the same bytes as from a flat file, and all that follows."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from foreign_world import BLACKROCK_RATE, GAIN_UV, save, spikeinterface_recording, write_blackrock, write_open_ephys
from hybrid_world import NUM_ROWS, RATE, World, read_rows, write_phy

import hybridfactory
from hybridfactory.errors import HybridFactoryError
from hybridfactory.probes import custom_probe

# SpikeInterface leaves files that it has written or mapped to be closed when nobody needs them.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def flat(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on the flat file, to compare with."""
    output = tmp_path_factory.mktemp("flat") / "hybrid"
    small_world.run(output)
    return output


@pytest.fixture(scope="module")
def fast(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same, as if all had been sampled at 30 kHz, as Blackrock's files are."""
    folder = tmp_path_factory.mktemp("fast")
    write_phy(folder / "sorted", small_world.stated, rate=BLACKROCK_RATE)
    small_world.run(folder / "hybrid", data_directory=folder / "sorted", sample_rate=BLACKROCK_RATE)
    return {"hybrid": folder / "hybrid", "sorting": folder / "sorted"}


@pytest.fixture(scope="module")
def sources(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All rows of the world, without a probe, in several formats."""
    folder = tmp_path_factory.mktemp("sources")
    recording = spikeinterface_recording(small_world, with_probe=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recording.dump_to_json(folder / "described.json")
        return {
            "folder": save(recording, folder / "saved"),
            "zarr": save(recording, folder / "saved.zarr", "zarr"),
            "json": folder / "described.json",
            "openephys": write_open_ephys(folder / "2026-01-01_12-00-00.5", [small_world.source]),
            "blackrock": write_blackrock(folder / "rig.ns6", small_world.source),
        }


def told(world: World, source: Path, output: Path, **changes: object) -> dict[str, object]:
    """Parameters of a run that leaves to the recording what the recording tells."""
    given = world.parameters(output, raw_source_file=source, raw_source_format="auto", **changes)
    return {name: value for name, value in given.items() if name not in ("data_type", "sample_rate", "start_time")}


@pytest.mark.parametrize("kind", ["folder", "zarr", "json", "openephys", "blackrock"])
class TestEachFormat:
    def test_the_same_plan_and_the_same_bytes_as_from_a_flat_file(
        self,
        kind: str,
        small_world: World,
        sources: dict[str, Path],
        flat: Path,
        fast: dict[str, Path],
        tmp_path: Path,
    ):
        given = told(small_world, sources[kind], tmp_path / "hybrid")
        if kind == "blackrock":
            flat = fast["hybrid"]
            given["data_directory"] = fast["sorting"]
        result = hybridfactory.generate(given)
        assert result.recording_paths[0].read_bytes() == (flat / "raw.GT.bin").read_bytes()
        for name in ("artificial_units-e2e.csv", "plan-e2e.csv", "units-e2e.csv", "firings_true.npy"):
            assert (tmp_path / "hybrid" / name).read_bytes() == (flat / name).read_bytes()
        assert result.parameters.sample_rate == (BLACKROCK_RATE if kind == "blackrock" else RATE)
        assert result.parameters.data_type == np.int16

    def test_the_run_opens_verifies_resets_and_is_written_again(
        self, kind: str, small_world: World, sources: dict[str, Path], fast: dict[str, Path], tmp_path: Path
    ):
        output = tmp_path / "hybrid"
        given = told(small_world, sources[kind], output)
        if kind == "blackrock":
            given["data_directory"] = fast["sorting"]
        result = hybridfactory.generate(given)
        written = result.recording_paths[0].read_bytes()
        run = hybridfactory.load(output)
        shown = read_rows(result.recording_paths[0])[:, run.probe.connected_rows]
        assert np.array_equal(run.recording.get_traces(segment_index=0), shown)
        assert np.array_equal(run.written_recording.get_traces(segment_index=0), shown)
        gain = 8191 / 32764 if kind == "blackrock" else GAIN_UV
        np.testing.assert_allclose(run.recording.get_channel_gains(), gain, rtol=1e-3)
        assert hybridfactory.verify(output).is_identical
        hybridfactory.reset(output)
        assert np.array_equal(read_rows(result.recording_paths[0]), small_world.source)
        assert hybridfactory.verify(output).is_identical
        hybridfactory.write(output)
        assert result.recording_paths[0].read_bytes() == written
        assert hybridfactory.verify(output).is_identical


def test_a_hybrid_is_reused_by_the_next_run(small_world: World, sources: dict[str, Path], tmp_path: Path):
    given = told(small_world, sources["zarr"], tmp_path / "hybrid")
    hybridfactory.generate(given)
    again = hybridfactory.generate(given | {"random_seed": 8})
    fresh = hybridfactory.generate(given | {"random_seed": 8, "output_directory": tmp_path / "fresh"})
    assert hybridfactory.load(tmp_path / "hybrid").manifest.content["written"] == "over the hybrid of an earlier run"
    assert again.recording_paths[0].read_bytes() == fresh.recording_paths[0].read_bytes()


def test_another_stream_of_the_same_folder_is_another_source(small_world: World, tmp_path: Path):
    source = write_open_ephys(tmp_path / "session", [small_world.source], streams=("A", "B"))
    inside = source / "Record Node 101" / "experiment1" / "recording1" / "continuous" / "Rhythm-100.B"
    (small_world.source + 1).tofile(inside / "continuous.dat")

    def run(stream: str, name: str) -> Path:
        options = {"stream_name": f"Record Node 101#Rhythm-100.{stream}"}
        given = told(small_world, source, tmp_path / name, raw_source_options=options)
        return hybridfactory.generate(given).recording_paths[0]

    run("A", "hybrid")
    assert run("B", "hybrid").read_bytes() == run("B", "fresh").read_bytes()
    assert hybridfactory.verify(tmp_path / "hybrid").is_identical


def test_donors_are_taken_out_and_sizes_are_in_microvolts(
    small_world: World, sources: dict[str, Path], tmp_path: Path
):
    changes = {"remove_original": True, "units_per_donor": 2, "target_snr": 12.0, "ground_truth_units": [2, 3]}
    flat = small_world.run(tmp_path / "flat", **changes)
    other = hybridfactory.generate(told(small_world, sources["zarr"], tmp_path / "other", **changes))
    assert other.recording_paths[0].read_bytes() == flat.recording_paths[0].read_bytes()
    assert hybridfactory.verify(tmp_path / "other").is_identical
    sized = told(small_world, sources["zarr"], tmp_path / "sized", target_amplitude_uV=50.0, ground_truth_units=[2])
    plan = hybridfactory.generate(sized).plan
    assert plan.num_events > 0


def test_the_hfparams_file_repeats_the_run(small_world: World, sources: dict[str, Path], tmp_path: Path):
    options = {"stream_name": "Record Node 101#Rhythm-100.A"}
    given = told(small_world, sources["openephys"], tmp_path / "hybrid", raw_source_options=options)
    result = hybridfactory.generate(given)
    before = result.recording_paths[0].read_bytes()
    again = hybridfactory.generate(tmp_path / "hybrid" / "hfparams_e2e.py")
    assert again.parameters.raw_source_options == options
    assert again.recording_paths[0].read_bytes() == before


def test_probe_and_gains_come_from_the_recording(small_world: World, tmp_path: Path):
    saved = save(spikeinterface_recording(small_world), tmp_path / "saved.zarr", "zarr")
    given = told(small_world, saved, tmp_path / "hybrid", probe=None)
    hybridfactory.generate(given)
    probe = hybridfactory.load(tmp_path / "hybrid").probe
    assert probe.connected.all()
    assert np.array_equal(probe.channel_positions, small_world.probe.connected_positions)


def test_segments_follow_each_other_on_the_sorting_s_timeline(small_world: World, flat: Path, tmp_path: Path):
    cut = 40_000
    source = write_open_ephys(tmp_path / "session", [small_world.source[:cut], small_world.source[cut:]])
    result = hybridfactory.generate(told(small_world, source, tmp_path / "hybrid"))
    assert [path.name for path in result.recording_paths] == ["session_seg0.GT.bin", "session_seg1.GT.bin"]
    run = hybridfactory.load(tmp_path / "hybrid")
    assert [item["start_sample"] for item in run.manifest.content["sources"]] == [0, cut]
    assert run.recording.get_num_segments() == 2
    hybrid = np.concatenate([read_rows(path) for path in result.recording_paths])
    changed = np.flatnonzero((hybrid != small_world.source).any(axis=1))
    assert changed.min() < cut < changed.max()
    assert hybridfactory.verify(tmp_path / "hybrid").is_identical


def test_a_source_that_changed_is_found_out(small_world: World, tmp_path: Path):
    saved = save(spikeinterface_recording(small_world), tmp_path / "saved")
    hybridfactory.generate(told(small_world, saved, tmp_path / "hybrid", probe=None))
    raw = saved / "traces_cached_seg0.raw"
    with raw.open("r+b") as stream:
        stream.write(b"\1\2\3\4")
    found = hybridfactory.verify(tmp_path / "hybrid")
    assert any(item.path == raw and "fingerprint" in item.problem for item in found.findings)
    with pytest.raises(HybridFactoryError, match=r"traces_cached_seg0.raw was changed after the run"):
        hybridfactory.reset(tmp_path / "hybrid")


def test_results_inside_the_recording_s_folder_are_no_part_of_it(small_world: World, tmp_path: Path):
    source = save(spikeinterface_recording(small_world), tmp_path / "saved")
    sorting = source / "sorted"
    write_phy(sorting, small_world.stated)
    given = told(small_world, source, source / "hybrid", probe=None, data_directory=sorting)
    hybridfactory.generate(given)
    (sorting / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n")
    assert hybridfactory.verify(source / "hybrid").is_identical
    hybridfactory.reset(source / "hybrid")


class TestRefusals:
    def refused(self, given: dict[str, object], output: Path) -> str:
        with pytest.raises(HybridFactoryError) as caught:
            hybridfactory.generate(given)
        assert not output.exists()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_several_streams_are_listed(self, small_world: World, tmp_path: Path):
        source = write_open_ephys(tmp_path / "session", [small_world.source], streams=("A", "B"))
        message = self.refused(told(small_world, source, tmp_path / "hybrid"), tmp_path / "hybrid")
        assert "holds several streams" in message
        assert "Record Node 101#Rhythm-100.A" in message
        assert 'raw_source_options = {stream_name = "' in message

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"raw_source_format": "intan"}, "cannot be opened as intan"),
            ({"raw_source_format": "openephis"}, "raw_source_format: 'openephis' is not known"),
            ({"raw_source_options": {"strem": "A"}}, "takes no 'strem'; it takes stream_id, stream_name"),
            ({"sample_rate": 20_000.0}, "sample_rate is 20000 Hz, but"),
            ({"data_type": "float32"}, "data_type is float32, but"),
            ({"raw_source_rows": 50}, "raw_source_rows is 50, but"),
            ({"probe": None}, "does not describe a probe"),
            ({"start_time": [0, 5]}, "start_time has 2 value(s) for 1 segment(s)"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_one_line(
        self, changes: dict[str, object], expected: str, small_world: World, sources: dict[str, Path], tmp_path: Path
    ):
        given = told(small_world, sources["blackrock"], tmp_path / "hybrid") | changes
        given = {name: value for name, value in given.items() if value is not None}
        assert expected in self.refused(given, tmp_path / "hybrid")

    def test_what_is_sampled_slowly_holds_no_spikes(self, small_world: World, tmp_path: Path):
        recording = spikeinterface_recording(small_world)
        recording._sampling_frequency = 1000.0
        for segment in recording.segments:
            segment.sampling_frequency = 1000.0
        source = save(recording, tmp_path / "slow")
        given = told(small_world, source, tmp_path / "hybrid", probe=None)
        assert "sampled at 1000 Hz" in self.refused(given, tmp_path / "hybrid")

    def test_a_pickle_is_not_opened(self, small_world: World, tmp_path: Path):
        source = tmp_path / "recording.pkl"
        source.write_bytes(b"cos\nsystem\n(S'touch harmed'\ntR.")
        given = told(small_world, source, tmp_path / "hybrid") | {"raw_source_format": "spikeinterface"}
        assert "may run code" in self.refused(given, tmp_path / "hybrid")

    def test_a_json_names_no_foreign_class(self, small_world: World, tmp_path: Path):
        source = tmp_path / "recording.json"
        source.write_text('{"class": "subprocess.Popen", "module": "subprocess", "kwargs": {"args": ["false"]}}')
        assert "names the class subprocess.Popen" in self.refused(
            told(small_world, source, tmp_path / "hybrid"), tmp_path / "hybrid"
        )

    def test_pickled_properties_are_not_read(self, small_world: World, tmp_path: Path):
        source = save(spikeinterface_recording(small_world), tmp_path / "saved")
        np.save(source / "properties" / "gain_to_uV.npy", np.array([{}], dtype=object), allow_pickle=True)
        message = self.refused(told(small_world, source, tmp_path / "hybrid", probe=None), tmp_path / "hybrid")
        assert "cannot be opened as spikeinterface" in message

    def test_a_folder_of_nothing_known(self, small_world: World, tmp_path: Path):
        (tmp_path / "empty").mkdir()
        message = self.refused(told(small_world, tmp_path / "empty", tmp_path / "hybrid"), tmp_path / "hybrid")
        assert "name the format in raw_source_format" in message


def test_a_flat_file_of_any_name_stays_flat(small_world: World, flat: Path, tmp_path: Path):
    raw = tmp_path / "raw.nwb"
    shutil.copyfile(small_world.raw, raw)
    result = small_world.run(tmp_path / "hybrid", raw_source_file=raw)
    assert result.recording_paths[0].name == "raw.GT.nwb"
    assert result.recording_paths[0].read_bytes() == (flat / "raw.GT.bin").read_bytes()


def test_rows_in_another_order_are_another_recording(small_world: World, fast: dict[str, Path], tmp_path: Path):
    """The probe's channel_map names channels in the recording's order."""
    source = write_blackrock(tmp_path / "turned.ns6", np.ascontiguousarray(small_world.source[:, ::-1]))
    probe = small_world.probe
    turned = custom_probe(NUM_ROWS - 1 - probe.channel_map, probe.connected, probe.channel_positions)
    given = told(small_world, source, tmp_path / "hybrid", probe=turned, data_directory=fast["sorting"])
    result = hybridfactory.generate(given)
    straight = read_rows(fast["hybrid"] / "raw.GT.bin")
    ours = read_rows(result.recording_paths[0])[:, ::-1]
    assert (straight != small_world.source).any()
    # Sums of floating-point numbers in another order.
    assert np.abs(ours.astype(int) - straight).max() <= 1


class TestDescription:
    """A .json beside the flat files, which SpikeInterface loads with probe and gains, wherever they are moved."""

    def opened(self, folder: Path) -> object:
        from spikeinterface.core import load

        return load(folder / "hybrid-e2e.json", base_folder=True)

    def check(self, folder: Path, run: hybridfactory.HybridRun) -> None:
        found = self.opened(folder)
        assert np.array_equal(found.get_traces(segment_index=0), run.recording.get_traces(segment_index=0))
        assert np.array_equal(found.get_channel_locations(), run.probe.connected_positions)
        np.testing.assert_allclose(found.get_channel_gains(), GAIN_UV)

    def test_beside_what_generate_writes(self, small_world: World, sources: dict[str, Path], tmp_path: Path):
        result = hybridfactory.generate(told(small_world, sources["zarr"], tmp_path / "hybrid"))
        assert tmp_path / "hybrid" / "hybrid-e2e.json" in result.truth_paths
        shutil.move(tmp_path / "hybrid", tmp_path / "moved")
        moved = hybridfactory.load(tmp_path / "moved")
        self.check(tmp_path / "moved", moved)
        assert hybridfactory.verify(moved).is_identical

    def test_beside_what_write_makes(self, small_world: World, sources: dict[str, Path], tmp_path: Path):
        given = told(small_world, sources["folder"], tmp_path / "hybrid")
        hybridfactory.generate(given, write=False)
        assert not (tmp_path / "hybrid" / "hybrid-e2e.json").exists()
        run = hybridfactory.load(tmp_path / "hybrid")
        hybridfactory.write(run, tmp_path / "elsewhere")
        self.check(tmp_path / "elsewhere", run)
        hybridfactory.write(tmp_path / "hybrid")
        self.check(tmp_path / "hybrid", run)
        assert hybridfactory.verify(tmp_path / "hybrid").is_identical
        hybridfactory.generate(given | {"session_name": "other"}, write=False)
        assert not (tmp_path / "hybrid" / "hybrid-e2e.json").exists()


class TestNwb:
    def test_it_holds_the_bytes_the_sites_and_the_gains(self, small_world: World, tmp_path: Path):
        from spikeinterface.extractors.nwbextractors import NwbRecordingExtractor

        pytest.importorskip("neuroconv")
        source = save(spikeinterface_recording(small_world), tmp_path / "saved.zarr", "zarr")
        hybridfactory.generate(told(small_world, source, tmp_path / "hybrid", probe=None))
        written = hybridfactory.write(tmp_path / "hybrid", file_format="nwb").paths
        assert written == (tmp_path / "hybrid" / "hybrid-e2e.nwb",)
        run = hybridfactory.load(tmp_path / "hybrid")
        found = NwbRecordingExtractor(written[0])
        assert found.get_dtype() == np.int16
        assert np.array_equal(found.get_traces(segment_index=0), run.recording.get_traces(segment_index=0))
        assert found.get_sampling_frequency() == RATE
        np.testing.assert_allclose(found.get_channel_gains(), GAIN_UV)
        np.testing.assert_allclose(found.get_channel_locations(), run.probe.channel_positions)

    def test_it_can_be_the_source_of_the_next_run(self, small_world: World, flat: Path, tmp_path: Path):
        pytest.importorskip("neuroconv")
        small_world.run(tmp_path / "first")
        made = hybridfactory.write(tmp_path / "first", tmp_path / "first.nwb", file_format="nwb").paths[0]
        given = told(small_world, made, tmp_path / "second", probe=None)
        result = hybridfactory.generate(
            {name: value for name, value in given.items() if name != "raw_source_format"}
            | {"data_type": "int16", "sample_rate": RATE}
        )
        connected = small_world.probe.connected_rows
        first = read_rows(flat / "raw.GT.bin")[:, connected]
        second = hybridfactory.load(tmp_path / "second")
        assert np.array_equal(second.source_recording.segments[0][0].get_traces(segment_index=0), first)
        assert (read_rows(result.recording_paths[0], connected.size) != first).any()
        assert hybridfactory.verify(tmp_path / "second").is_identical

    def test_without_the_extra_it_is_one_line(
        self, small_world: World, flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("hybridfactory.pipeline.write_nwb.find_spec", lambda name: None)
        with pytest.raises(HybridFactoryError, match=r"pip install 'hybridfactory\[nwb\]'"):
            hybridfactory.write(flat, tmp_path / "hybrid.nwb", file_format="nwb")
        assert not (tmp_path / "hybrid.nwb").exists()
