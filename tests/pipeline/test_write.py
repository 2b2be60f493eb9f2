"""Runs that plan only, and their hybrids written later."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hybrid_world import NUM_ROWS, World, contents, read_rows

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.errors import MissingFileError, OutputError, ParameterError, RecordingError
from hybridfactory.injection import copying
from hybridfactory.pipeline import write as write_module

DONORS: dict[str, Any] = {"ground_truth_units": [2, 4]}


def plan_only(world: World, output: Path, **changes: object) -> hybridfactory.GenerateResult:
    return hybridfactory.generate(world.parameters(output, **(DONORS | changes)), write=False)


def content_of(folder: Path) -> dict[str, Any]:
    """The manifest, without what differs from run to run."""
    content = json.loads((folder / "manifest.json").read_text())
    assert content.pop("created")
    content["parameters"].pop("output_directory")
    assert content["checksums"].pop("hfparams_e2e.py")
    for target in content["targets"]:
        target.pop("mtime_ns")
    return content


def without_run_specifics(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if not name.startswith(("manifest", "hfparams"))}


@pytest.fixture(scope="module")
def written(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What generate makes, loud enough to clip. Not to be written to."""
    output = tmp_path_factory.mktemp("written")
    small_world.run(output, **DONORS, amplitude_scale_min=90, amplitude_scale_max=110)
    return output


@pytest.fixture
def planned(small_world: World, tmp_path: Path) -> Path:
    plan_only(small_world, tmp_path / "run", amplitude_scale_min=90, amplitude_scale_max=110)
    return tmp_path / "run"


def test_all_but_the_hybrid_is_there(small_world: World, planned: Path, written: Path) -> None:
    ours, theirs = without_run_specifics(planned), without_run_specifics(written)
    assert theirs.keys() - ours.keys() == {"raw.GT.bin"}
    for name in ours.keys() - {"artificial_units-e2e.csv", "journal-e2e.npz"}:
        assert ours[name] == theirs[name], name
    run, full = hybridfactory.load(planned), hybridfactory.load(written)
    assert run.artificial_units["clipped_samples"].isna().all()
    assert full.artificial_units["clipped_samples"].sum() > 0
    columns = run.artificial_units.columns.drop("clipped_samples")
    assert run.artificial_units[columns].equals(full.artificial_units[columns])
    manifest = content_of(planned)
    assert manifest["written"] is None and manifest["num_clipped_samples"] is None
    assert manifest["targets"] == [{"name": "raw.GT.bin", "size": None, "fingerprint": None}]
    assert not run.manifest.is_written and full.manifest.is_written


def test_the_result_says_so(small_world: World, tmp_path: Path) -> None:
    result = plan_only(small_world, tmp_path)
    assert result.recording_paths == () and result.num_clipped_samples is None
    assert result.plan.num_events == result.truth.shape[1] > 100


def test_any_slice_is_that_of_the_file(planned: Path, written: Path) -> None:
    rendered = hybridfactory.load(planned).recording
    hybrid = read_rows(written / "raw.GT.bin")
    rows = np.asarray(rendered.channel_ids, dtype=int)
    random = np.random.default_rng(3)
    for start, stop in [(0, len(hybrid)), *np.sort(random.integers(0, len(hybrid), (25, 2)), axis=1).tolist()]:
        assert np.array_equal(rendered.get_traces(start_frame=start, end_frame=stop), hybrid[start:stop][:, rows])
    assert np.array_equal(
        rendered.get_traces(start_frame=100, end_frame=9000, channel_ids=rows[[5, 2]]), hybrid[100:9000, rows[[5, 2]]]
    )


def test_the_written_recording_names_the_command(planned: Path) -> None:
    with pytest.raises(MissingFileError, match=r"has not written its hybrid: run 'hybridfactory write .*run'"):
        _ = hybridfactory.load(planned).written_recording


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_written_later_is_as_if_written_at_once(
    planned: Path, written: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """In one pass or over a copy."""
    monkeypatch.setattr(write_module, "ONE_PASS_SHARE", share)
    result = hybridfactory.write(planned)
    assert result.paths == (planned / "raw.GT.bin",)
    assert without_run_specifics(planned) == without_run_specifics(written)
    ours, theirs = content_of(planned), content_of(written)
    assert ours.pop("written") == (copying.OVER_COPY if share else copying.IN_ONE_PASS)
    assert theirs.pop("written") and ours == theirs
    run = hybridfactory.load(planned)
    assert run.manifest.targets_are_untouched()
    assert np.array_equal(run.written_recording.get_traces(), run.recording.get_traces())


def test_writing_again_does_nothing(planned: Path) -> None:
    hybridfactory.write(planned)
    before = {path: path.stat().st_mtime_ns for path in planned.iterdir()}
    assert hybridfactory.write(planned).paths == (planned / "raw.GT.bin",)
    assert {path: path.stat().st_mtime_ns for path in planned.iterdir()} == before


def test_a_deleted_hybrid_is_written_again(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path, **DONORS)
    before = contents(tmp_path)
    (tmp_path / "raw.GT.bin").unlink()
    with pytest.raises(MissingFileError, match="hybridfactory write"):
        _ = hybridfactory.load(tmp_path).written_recording
    hybridfactory.write(tmp_path)
    after = contents(tmp_path)
    assert before.pop("manifest.json") != after.pop("manifest.json") and before == after


def test_a_changed_hybrid_is_not_written_over(planned: Path) -> None:
    hybridfactory.write(planned)
    with (planned / "raw.GT.bin").open("r+b") as stream:
        stream.write(b"garbage")
    before = contents(planned)
    with pytest.raises(OutputError, match="exists already"):
        hybridfactory.write(planned)
    assert contents(planned) == before


def test_another_folder_gets_the_files_alone(planned: Path, written: Path, tmp_path: Path) -> None:
    before = contents(planned)
    result = hybridfactory.write(planned, tmp_path / "new" / "place")
    assert result.paths == (tmp_path / "new" / "place" / "raw.GT.bin",)
    assert contents(tmp_path / "new" / "place") == {"raw.GT.bin": (written / "raw.GT.bin").read_bytes()}
    assert contents(planned) == before
    with pytest.raises(OutputError, match="exists already"):
        hybridfactory.write(planned, tmp_path / "new" / "place")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # SpikeInterface leaves its file open
@pytest.mark.parametrize("file_format", ["spikeinterface", "zarr"])
def test_spikeinterface_reads_what_it_saved(planned: Path, tmp_path: Path, file_format: str) -> None:
    from spikeinterface.core import load

    before = contents(planned)
    rendered = hybridfactory.load(planned).recording
    for output in (None, tmp_path / "saved"):
        (folder,) = hybridfactory.write(planned, output, file_format=file_format).paths
        saved = load(folder)
        assert np.array_equal(saved.get_traces(), rendered.get_traces())
        assert np.array_equal(saved.get_channel_locations(), rendered.get_channel_locations())
        with pytest.raises(OutputError, match="exists already"):
            hybridfactory.write(planned, output, file_format=file_format)
    assert [name for name in contents(planned) if not name.startswith("hybrid-e2e")] == list(before)


def test_a_source_that_is_not_as_it_was(small_world: World, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    plan_only(small_world, tmp_path / "run", raw_source_file=raw)
    before = contents(tmp_path / "run")
    raw.touch()
    with pytest.raises(RecordingError, match="was changed after the run"):
        hybridfactory.write(tmp_path / "run")
    raw.unlink()
    with pytest.raises(MissingFileError, match="is gone: put it back"):
        hybridfactory.write(tmp_path / "run")
    assert contents(tmp_path / "run") == before


def test_unknown_formats_are_refused(planned: Path) -> None:
    with pytest.raises(ParameterError, match="use one of binary, spikeinterface, zarr, nwb"):
        hybridfactory.write(planned, file_format="hdf5")


def test_a_failure_leaves_the_run_as_it_was(planned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(planned)

    def fail(*_arguments: object) -> None:
        raise RuntimeError

    for step in ("fill_in_clipped", "store_manifest"):
        with monkeypatch.context() as patch:
            patch.setattr(write_module, step, fail)
            with pytest.raises(RuntimeError):
                hybridfactory.write(planned)
        assert {name: data for name, data in contents(planned).items() if name in before}.keys() == before.keys()
        hybridfactory.load(planned)
        (planned / "raw.GT.bin").unlink(missing_ok=True)
    hybridfactory.write(planned)


@pytest.mark.parametrize("copy", [True, False])
def test_the_next_run_replaces_a_run_without_a_hybrid(small_world: World, tmp_path: Path, copy: bool) -> None:
    plan_only(small_world, tmp_path / "out", session_name="old", random_seed=1)
    small_world.run(tmp_path / "out", **DONORS, copy=copy)
    small_world.run(tmp_path / "fresh", **DONORS)
    assert without_run_specifics(tmp_path / "out") == without_run_specifics(tmp_path / "fresh")


def test_a_run_without_a_hybrid_replaces_an_earlier_run(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path, **DONORS, session_name="old")
    plan_only(small_world, tmp_path, copy=False)
    assert not [name for name in contents(tmp_path) if "old" in name or name.endswith(".bin")]


def test_several_files_with_bytes_left_over(small_world: World, tmp_path: Path) -> None:
    cut = 33_000
    for index, piece in enumerate((small_world.source[:cut], small_world.source[cut:])):
        (tmp_path / f"part{index}.bin").write_bytes(piece.tobytes() + b"\x01\x02\x03")
        (tmp_path / f"part{index}.meta").write_text(
            f"nSavedChans={NUM_ROWS}\nimSampRate=20000\nfirstSample={index * cut}\n"
            f"fileSizeBytes={piece.nbytes + 3}\nsnsApLfSy={NUM_ROWS - 1},0,1\ntypeThis=imec\n"
        )
    several: dict[str, Any] = {"raw_source_file": tmp_path / "part*.bin", "start_time": [0, cut]}
    plan_only(small_world, tmp_path / "run", **several)
    small_world.run(tmp_path / "full", **DONORS, **several)
    hybridfactory.write(tmp_path / "run", tmp_path / "elsewhere")
    hybridfactory.write(tmp_path / "run")
    assert without_run_specifics(tmp_path / "run") == without_run_specifics(tmp_path / "full")
    full = contents(tmp_path / "full")
    names = ("part0.GT.bin", "part1.GT.bin", "part0.GT.meta", "part1.GT.meta")
    assert contents(tmp_path / "elsewhere").keys() == set(names)
    for name in names[:2]:
        assert full[name] == contents(tmp_path / "elsewhere")[name] and full[name].endswith(b"\x01\x02\x03")


def test_on_the_command_line(small_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = tmp_path / "params.toml"
    values = {
        "data_directory": small_world.sorting,
        "raw_source_file": small_world.raw,
        "data_type": "int16",
        "output_directory": tmp_path / "run",
        "probe": "eMouse",
    }
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    lines += ["sample_rate = 20000", "ground_truth_units = [2]", "start_time = 0", "random_seed = 7"]
    params.write_text("\n".join(lines))
    assert main(["generate", str(params), "--no-write"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert f"hybridfactory write {tmp_path / 'run'}" in out and "the hybrid recording" not in out
    assert main(["generate", str(params), "--no-write", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["recording_paths"] == [] and summary["num_clipped_samples"] is None
    assert main(["write", str(tmp_path / "run")]) == 0
    hybrid = tmp_path / "run" / "raw.GT.bin"
    assert capsys.readouterr().out == f"Written to {hybrid.parent}:\n  raw.GT.bin  (the hybrid recording)\n"
    before = hybrid.stat().st_mtime_ns
    assert main(["write", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("Nothing was to be done: the hybrid is there, unchanged, in ")
    assert main(["write", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"format": "binary", "paths": [str(hybrid)], "was_needed": False}
    assert hybrid.stat().st_mtime_ns == before
    assert main(["write", str(tmp_path / "run"), "--json", "--output", str(tmp_path / "other")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["was_needed"] and Path(told["paths"][0]).read_bytes() == hybrid.read_bytes()
    assert main(["write", str(tmp_path / "run"), "--json", "--silent"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert main(["write", str(tmp_path / "run"), "--format", "zarr", "--silent"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["write", str(tmp_path / "nowhere")]) == 2
