"""From a folder of data to a parameter file that runs."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hybrid_world import RATE, World, make_world, write_phy
from numpy.typing import NDArray

from hybridfactory import generate
from hybridfactory.demo import make_demo
from hybridfactory.errors import (
    HybridFactoryError,
    MissingFileError,
    NothingInjectedError,
    OutputError,
    ParameterError,
    RecordingError,
    SortingError,
)
from hybridfactory.parameters import load_parameters
from hybridfactory.pipeline import init as pipeline_init
from hybridfactory.pipeline.init import InitResult, init_parameters
from hybridfactory.pipeline.inputs import Inputs, Known, find_inputs


def write_channels(world: World, folder: Path) -> None:
    """Write phy's channel files: the connected sites alone."""
    np.save(folder / "channel_map.npy", world.probe.connected_rows)
    np.save(folder / "channel_positions.npy", world.probe.connected_positions)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = make_world(tmp_path_factory.mktemp("init") / "data", num_samples=160_000)
    write_channels(world, world.sorting)
    return world


@pytest.fixture(scope="module")
def written(place: World) -> InitResult:
    return init_parameters(place.folder, place.folder.parent / "params.toml")


def test_generate_runs_it_as_it_is(written: InitResult, place: World) -> None:
    parameters = load_parameters(written.path)
    assert parameters.data_directory == place.sorting
    assert parameters.sample_rate == RATE
    assert parameters.start_time == 0
    assert parameters.label_base == 0
    assert parameters.raw_source_rows == 34
    assert set(parameters.ground_truth_units) == {unit.label for unit in written.chosen} <= {0, 1, 2, 3, 4}
    probe = parameters.probe
    assert probe is not None
    assert sorted(probe.connected_rows) == sorted(place.probe.connected_rows)
    where = {int(row): tuple(xy) for row, xy in zip(probe.connected_rows, probe.connected_positions, strict=True)}
    for row, xy in zip(place.probe.connected_rows, place.probe.connected_positions, strict=True):
        assert where[int(row)] == tuple(xy)
    result = generate(written.path, write=False)
    assert len(result.plan.injected_units) >= 3
    assert result.output_directory == written.path.parent / "raw-hybrid"
    assert result.session_name == "raw"


def test_it_says_what_was_found_and_what_else_there_is(written: InitResult) -> None:
    text = written.path.read_text(encoding="utf-8")
    assert "hybridfactory generate params.toml" in text
    assert "# phy's params.py" in text
    assert "# Not recommended:\n#   5: only 12 spikes" in text
    for name in ("channel_shift", "samples_after", "num_singular_values", "copy = false"):
        assert f"\n# {name}" in text
    for unit in written.chosen:
        assert f"    {unit.label},  " in text
        assert f"SNR {unit.measures.snr:.1f}" in text


def test_what_may_become_of_the_donors_works_once_uncommented(written: InitResult, place: World) -> None:
    python = init_parameters(place.folder, written.path.with_name("uncommented.py"))
    for path in (written.path, python.path):
        text = path.read_text(encoding="utf-8")
        for name in ("target_snr", "units_per_donor", "remove_original"):
            assert text.count(f"\n# {name} = ") == 1
            text = text.replace(f"\n# {name} = ", f"\n{name} = ")
        edited = path.with_name(f"edited{path.suffix}")
        edited.write_text(text, encoding="utf-8")
        parameters = load_parameters(edited)
        assert (parameters.target_snr, parameters.units_per_donor) == ((4, 15), 2)
        assert parameters.remove_original
        for name in ("data_type", "sample_rate", "session_name"):
            assert f"# {name} = " not in text


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["run 1 (b)[2].imec0.ap.bin"], "run_1_b_2"),
        (["g0_t0.imec0.ap.bin", "g0_t1.imec0.ap.bin"], "g0_t"),
        (["a.bin", "b.bin"], "kilosort"),
        (["été\\\x07.raw"], "été"),
        ([f"{'ü' * 120}.bin"], "ü" * 50),
    ],
)
def test_a_run_is_named_after_its_recording(place: World, tmp_path: Path, files: list[str], name: str) -> None:
    for file in files:
        (tmp_path / file).write_bytes(place.raw.read_bytes()[: 68 * 80_000])
    write_phy(tmp_path / "kilosort", {1: place.stated[1][place.stated[1] < 79_000]}, raw="gone.bin")
    write_channels(place, tmp_path / "kilosort")
    inputs = find_inputs(tmp_path, Known(raw=tuple(tmp_path / file for file in files)))
    assert pipeline_init._name_of(inputs) == name


def test_python_output_loads_alike(written: InitResult, place: World) -> None:
    other = init_parameters(place.sorting, written.path.with_name("other.py"))
    text = other.path.read_text(encoding="utf-8")
    assert "data_type = np.int16" in text
    assert "probe = custom_probe(channel_map, connected, channel_positions" in text
    first, second = load_parameters(written.path), load_parameters(other.path)
    assert sorted(second.ground_truth_units) == sorted(label + 1 for label in first.ground_truth_units)
    assert second.probe == first.probe
    assert (second.raw_source_file, second.data_type) == (first.raw_source_file, first.data_type)


def test_nothing_is_overwritten(written: InitResult, place: World) -> None:
    before = written.path.read_bytes()
    with pytest.raises(OutputError, match=r"exists: give another name, or --force"):
        init_parameters(place.folder, written.path)
    with pytest.raises(OutputError, match="phy's own file"):
        init_parameters(place.folder, place.sorting / "params.py", force=True)
    with pytest.raises(ParameterError, match=r"ends in \.toml or \.py"):
        init_parameters(place.folder, written.path.with_suffix(".json"))
    assert written.path.read_bytes() == before
    again = init_parameters(place.folder, written.path, num_units=2, force=True)
    assert len(again.chosen) == 2
    written.path.write_bytes(before)
    assert not list(written.path.parent.glob(".params-*"))


def test_without_a_good_unit_nothing_is_written(place: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1][:40]}, raw=str(place.raw))
    write_channels(place, tmp_path / "sorted")
    with pytest.raises(NothingInjectedError, match="none of the 1 units"):
        init_parameters(tmp_path, tmp_path / "params.toml")
    assert not (tmp_path / "params.toml").exists()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("spikeglx") / "demo", duration_s=8.0).parent


def test_spikeglx(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for suffix in ("py", "toml"):
        result = init_parameters(demo, tmp_path / "files" / f"hf.{suffix}", num_units=3)
        parameters = load_parameters(result.path)
        assert parameters.probe is None
        assert parameters.sample_rate == 30_000
        assert len(parameters.ground_truth_units) == 3
    assert len(generate(result.path, write=False).plan.injected_units) == 3


def found_in(place: World, folder: Path, known: Known | None = None) -> Inputs:
    return find_inputs(folder, known or Known(raw=(place.raw,)))


@pytest.mark.parametrize("writer", ["write_v73", "write_v7"])
def test_kilosort_s_rez(place: World, tmp_path: Path, matlab_files: ModuleType, writer: str) -> None:
    rows, positions = place.probe.connected_rows, place.probe.connected_positions
    times, labels = place.stated[1], np.ones(place.stated[1].size)
    st3 = np.column_stack([times, labels, labels, labels * 0.5])
    rez = {
        "st3": st3.astype(float),
        "xc": positions[:, :1],
        "yc": positions[:, 1:],
        "ops": {
            "chanMap": rows[:, None] + 1.0,
            "NchanTOT": 34.0,
            "fs": RATE,
            "fbinary": f"D:\\data\\{place.raw.name}",
            "igood": np.ones((32, 1)),
        },
    }
    shutil.copy(place.raw, tmp_path / "raw.bin")
    (tmp_path / "ks").mkdir()
    getattr(matlab_files, writer)(tmp_path / "ks" / "rez.mat", {"rez": rez})
    found = find_inputs(tmp_path, Known())
    assert found.raw_source_file == tmp_path / "raw.bin"
    assert found.source.recording.num_rows == 34
    assert found.source.recording.dtype == np.int16
    assert found.source.probe.connected_rows.tolist() == rows.tolist()
    assert np.array_equal(found.source.probe.connected_positions, positions)


def test_jrclust_4_over_two_files(place: World, tmp_path: Path, matlab_files: ModuleType) -> None:
    traces = place.raw.read_bytes()
    cut = 34 * 2 * 100_000
    (tmp_path / "a_t9.bin").write_bytes(traces[:cut])
    (tmp_path / "a_t10.bin").write_bytes(traces[cut:])
    count = place.stated[1].size
    contents = {
        "spikeTimes": (place.stated[1] + 1).astype(np.int32).reshape(-1, 1),
        "spikeSites": np.ones((count, 1), dtype=np.uint32),
        "spikeClusters": np.ones((count, 1), dtype=np.int32),
    }
    matlab_files.write_v73(tmp_path / "s_res.mat", contents)
    sites = "; ".join(f"{x:g}, {y:g}" for x, y in place.probe.connected_positions)
    site_map = ", ".join(str(row + 1) for row in place.probe.connected_rows)
    (tmp_path / "s.prm").write_text(
        "rawRecordings = {'D:\\a_t9.bin', 'D:\\a_t10.bin'};\nnChans = 34;\nsampleRate = 20000;\n"
        f"dataType = 'int16';\nsiteLoc = [{sites}];\nsiteMap = [{site_map}];\nshankMap = ones(1, 32);\n"
    )
    found = find_inputs(tmp_path, Known())
    assert found.start_time == (0, 100_000)
    assert [file.path.name for file in found.source.recording.files] == ["a_t9.bin", "a_t10.bin"]
    assert found.source.probe.connected_rows.tolist() == place.probe.connected_rows.tolist()
    assert found.found_in["probe"] == "s.prm"


def test_a_filtered_copy_is_not_the_recording(place: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1]}, raw=str(place.raw))
    write_channels(place, tmp_path / "sorted")
    params = tmp_path / "sorted" / "params.py"
    params.write_text(params.read_text().replace("hp_filtered = False", "hp_filtered = True"))
    with pytest.raises(ParameterError, match=r"calls .* filtered: .* is the recording, name it\): give --raw"):
        find_inputs(tmp_path, Known())


def test_a_recording_that_was_not_sorted_is_named(place: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "slower", {1: place.stated[1]}, raw=str(place.raw), rate=15_000.0)
    write_phy(tmp_path / "longer", {1: np.append(place.stated[1], 900_000)}, raw=str(place.raw))
    for folder, known, message in (
        ("slower", Known(sample_rate=RATE), r"of raw\.bin is 20000 Hz, but the sorting in .*slower says 15000 Hz"),
        ("longer", Known(), r"lies at sample 900000, but raw\.bin ends at 160000"),
    ):
        write_channels(place, tmp_path / folder)
        with pytest.raises(SortingError, match=message):
            init_parameters(tmp_path / folder, tmp_path / "params.toml", known)
    assert not (tmp_path / "params.toml").exists()


def test_a_header_is_no_sample(place: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1]}, raw=str(place.raw))
    params = tmp_path / "sorted" / "params.py"
    params.write_text(params.read_text().replace("offset = 0", "offset = 1024"))
    with pytest.raises(SortingError, match="begins with 1024 bytes that are no samples"):
        find_inputs(tmp_path, Known())


@pytest.mark.parametrize(
    ("channel_map", "positions"),
    [
        (np.arange(32), np.zeros((32, 2))),
        (np.arange(31), np.arange(64.0).reshape(32, 2)),
        (np.zeros(32, dtype=int), np.arange(64.0).reshape(32, 2)),
        (np.arange(32) + 10**12, np.arange(64.0).reshape(32, 2)),
        (np.arange(32), np.full((32, 2), np.nan)),
    ],
)
def test_channels_that_make_no_probe(
    place: World, tmp_path: Path, channel_map: NDArray[np.int64], positions: NDArray[Any]
) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1]}, raw=str(place.raw))
    np.save(tmp_path / "sorted" / "channel_map.npy", channel_map)
    np.save(tmp_path / "sorted" / "channel_positions.npy", positions)
    with pytest.raises(
        ParameterError, match=r"cannot tell the probe: give --probe \(neuropixels3a, eMouse, or a probeinterface"
    ):
        find_inputs(tmp_path, Known())


def test_the_user_comes_first_and_is_asked_last(place: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1]}, raw="gone.bin")
    (tmp_path / "sorted" / "params.py").unlink()
    asked: list[str] = []

    answers = {"--raw": str(place.raw), "--sample-rate": "20000", "--data-type": "int16", "--probe": "eMouse"}

    def answer(option: str, question: str) -> str:
        asked.append(option)
        return answers[option]

    found = find_inputs(tmp_path, Known(), ask=answer)
    assert asked == ["--raw", "--sample-rate", "--data-type", "--probe"]
    assert found.probe_name == "eMouse"
    asked.clear()
    known = Known(raw=(place.raw,), sample_rate=20_000, data_type="int16", probe="eMouse", num_rows=34)
    find_inputs(tmp_path, known, ask=answer)
    assert asked == []
    for option, less in (("--sample-rate", {"sample_rate": None}), ("--data-type", {"data_type": None})):
        with pytest.raises(ParameterError, match=f"give {option}"):
            find_inputs(tmp_path, Known(**{**vars(known), **less}))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Known(num_rows=40), r"the sorting says .* 34 rows, but --rows says 40: correct --rows, or"),
        (Known(num_rows=20), r"--rows: 20 rows, but channel_positions.npy names row 31 \(from 0\): correct --rows"),
        (
            Known(probe="neuropixels3a"),
            r"--probe: neuropixels3a has row 384, but the raw file has 34 rows \(0 to 33; ",
        ),
        (Known(raw=(Path("nowhere/data_type.bin"),)), r"^--raw: nowhere/data_type\.bin does not exist"),
        (Known(data_type="float64"), r"^--raw: .* check --data-type, .*, or set --rows$"),
    ],
)
def test_errors_name_options(place: World, tmp_path: Path, known: Known, message: str) -> None:
    write_phy(tmp_path / "sorted", {1: place.stated[1]}, raw=str(tmp_path / "raw.bin"))
    (tmp_path / "raw.bin").write_bytes(place.raw.read_bytes()[: 68 * 80_001])
    write_channels(place, tmp_path / "sorted")
    with pytest.raises(HybridFactoryError, match=message) as caught:
        find_inputs(tmp_path, known)
    assert "raw_source" not in str(caught.value)


def test_options_that_contradict_a_meta_file(demo: Path) -> None:
    for known, message in (
        (Known(num_rows=400), r"--rows is 400, but .*meta says nSavedChans=49: leave --rows out"),
        (Known(sample_rate=20_000), r"--sample-rate is 20000 Hz, but .* 30000 Hz: correct --sample-rate"),
        (Known(data_type="float32"), r"--data-type is float32, .* correct --data-type"),
    ):
        with pytest.raises(RecordingError, match=message):
            find_inputs(demo, known)


def test_rows_that_were_not_sorted_are_unconnected(demo: Path, tmp_path: Path) -> None:
    raw = next((demo / "recording").glob("*.bin"))
    write_phy(tmp_path / "sorted", {1: np.arange(1000, 90_000, 900)}, raw=str(raw), num_rows=49, rate=30_000.0)
    np.save(tmp_path / "sorted" / "channel_map.npy", np.arange(40))
    np.save(tmp_path / "sorted" / "channel_positions.npy", np.load(demo / "sorting" / "channel_positions.npy")[:40])
    found = find_inputs(tmp_path, Known())
    assert found.source.probe.connected_rows.tolist() == list(range(40))
    assert not found.probe_is_from_meta


def test_which_sorting(place: World, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file or folder"):
        find_inputs(tmp_path / "nothing", Known())
    with pytest.raises(MissingFileError, match="holds no sorter output"):
        find_inputs(tmp_path, Known())
    for name in ("first", "second"):
        write_phy(tmp_path / name, {1: place.stated[1]})
    with pytest.raises(SortingError, match=r"holds several sortings \(first, second\)"):
        find_inputs(tmp_path, Known())


def test_files_that_no_glob_names(place: World, tmp_path: Path) -> None:
    for name in ("a1.bin", "a2.bin", "a3.bin"):
        (tmp_path / name).write_bytes(b"\0" * 68)
    from hybridfactory.pipeline.input_files import find_raw, one_pattern

    assert one_pattern(find_raw([tmp_path / "a*.bin"])) == tmp_path / "a*.bin"
    with pytest.raises(Exception, match=r"no one glob names just a1.bin, a2.bin"):
        one_pattern(find_raw([tmp_path / "a1.bin", tmp_path / "a2.bin"]))


def test_real_recording(shared_data: Path, tmp_path: Path) -> None:
    result = init_parameters(shared_data / "locust_tetrode", tmp_path / "params.toml")
    assert len(result.chosen) >= 3
    made = generate(result.path, write=False)
    assert {unit.donor_label for unit in made.plan.injected_units} == {unit.label for unit in result.chosen}
    assert json.loads((tmp_path / "locust_trial_01-hybrid" / "manifest.json").read_text())["parameters"]
