"""Runs taken back: to the source byte for byte, only over what the run wrote, and again after an interruption."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hybrid_world import NUM_ROWS, World, contents

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.errors import MissingFileError, OutputError, RecordingError
from hybridfactory.ground_truth import resetting
from hybridfactory.injection import writer

DONORS: dict[str, Any] = {"ground_truth_units": [1, 2, 4]}
CUT = 33_000


@pytest.fixture
def several(small_world: World, tmp_path: Path) -> dict[str, Any]:
    """Two files with bytes left over at their ends, a gap between them on the timeline."""
    for index, piece in enumerate((small_world.source[:CUT], small_world.source[CUT:])):
        (tmp_path / f"part{index}.bin").write_bytes(piece.tobytes() + b"\x01\x02\x03")
        (tmp_path / f"part{index}.meta").write_text(
            f"nSavedChans={NUM_ROWS}\nimSampRate=20000\nfirstSample={index * CUT}\n"
            f"fileSizeBytes={piece.nbytes + 3}\nsnsApLfSy={NUM_ROWS - 1},0,1\ntypeThis=imec\n"
        )
    return {"raw_source_file": tmp_path / "part*.bin", "start_time": [0, CUT]}


@pytest.fixture
def run(small_world: World, tmp_path: Path) -> Path:
    small_world.run(tmp_path / "run", **DONORS)
    return tmp_path / "run"


def manifest_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return content


def change(path: Path, sample: int, row: int) -> int:
    """Change one value without a trace in the file's time; what stands there then."""
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek((sample * NUM_ROWS + row) * 2)
        value = int.from_bytes(stream.read(2), "little", signed=True) + 1
        stream.seek(-2, os.SEEK_CUR)
        stream.write(value.to_bytes(2, "little", signed=True))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return value


def test_several_files_equal_their_sources(small_world: World, tmp_path: Path, several: dict[str, Any]) -> None:
    small_world.run(tmp_path / "run", **DONORS, **several)
    before = contents(tmp_path / "run")
    sources = {f"part{index}.GT.bin": (tmp_path / f"part{index}.bin").read_bytes() for index in (0, 1)}
    assert all(before[name] != source for name, source in sources.items())
    paths = hybridfactory.reset(tmp_path / "run").paths
    assert [path.name for path in paths] == list(sources)
    after = contents(tmp_path / "run")
    assert {name: after[name] for name in sources} == sources
    assert {name for name in before if before[name] != after.get(name)} == {*sources, "manifest.json"}


def test_the_manifest_says_so_and_the_rest_still_works(run: Path) -> None:
    before = contents(run)
    opened = hybridfactory.load(run)
    traces = opened.written_recording.get_traces()
    opened.reset()
    manifest = manifest_of(run)
    assert manifest["written"] is None and manifest["reset"]["is_complete"]
    assert manifest["targets"] == [{"name": "raw.GT.bin", "size": None, "mtime_ns": None, "fingerprint": None}]
    for again in (opened, hybridfactory.load(run)):
        assert again.manifest.is_reset and not again.manifest.is_written
        assert np.array_equal(again.recording.get_traces(), traces)
        with pytest.raises(MissingFileError, match="hybridfactory write"):
            _ = again.written_recording
    inode = (run / "raw.GT.bin").stat().st_ino
    hybridfactory.write(run)
    assert (run / "raw.GT.bin").stat().st_ino == inode, "the source was copied again"
    after = contents(run)
    assert {name for name in before if before[name] != after.get(name)} == {"manifest.json"}
    assert manifest_of(run)["reset"] is None and hybridfactory.load(run).manifest.targets_are_untouched()


def test_the_names_of_2018(run: Path, small_world: World) -> None:
    from hybridfactory.data.dataset import HybridDataSet, load_dataset

    hybrid = load_dataset(run)
    assert isinstance(hybrid, HybridDataSet) and HybridDataSet is hybridfactory.HybridDataSet
    hybrid.reset()
    assert (run / "raw.GT.bin").read_bytes() == small_world.raw.read_bytes()


def test_a_second_reset_does_nothing(run: Path) -> None:
    hybridfactory.reset(run)
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    hybridfactory.reset(run)
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_only_what_was_touched_is_written(run: Path, small_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    pwrite = os.pwrite

    def count(descriptor: int, data: memoryview, offset: int) -> int:
        nonlocal written
        written += len(data)
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", count)
    hybridfactory.reset(run)
    script = np.load(run / "injection-e2e.npz")
    width = int(script["window"].sum()) + 1
    whole_pages = width * NUM_ROWS * 2 + 2 * 4096
    assert 0 < written <= script["samples"].size * whole_pages < small_world.raw.stat().st_size


def test_a_changed_value_is_reported_and_nothing_is_written(
    small_world: World, tmp_path: Path, several: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    result = small_world.run(run, **DONORS, **several)
    inside = int(result.truth[1][result.truth[1] > CUT][5])
    found = change(run / "part1.GT.bin", inside - CUT, 7)
    before = contents(run)
    expected = rf"part1\.GT\.bin was changed .*sample {inside - CUT}, row 7: found {found},"
    with pytest.raises(OutputError, match=expected):
        hybridfactory.reset(run)
    assert contents(run) == before


def test_what_was_changed_elsewhere_is_seen_where_the_time_tells(run: Path, small_world: World) -> None:
    """Beside the events: nothing of the run's is there, but the file would not equal the source."""
    touched = np.zeros(len(small_world.source), dtype=bool)
    journal = np.load(run / "journal-e2e.npz")
    for start, length in zip(journal["starts"], journal["lengths"], strict=True):
        touched[start : start + length] = True
    sample = int(np.flatnonzero(~touched)[1000])
    change(run / "raw.GT.bin", sample, 3)
    os.utime(run / "raw.GT.bin")
    before = contents(run)
    with pytest.raises(OutputError, match=rf"sample {sample}, row 3"):
        hybridfactory.reset(run)
    assert contents(run) == before


def test_a_file_that_was_only_touched_is_taken_back(run: Path, small_world: World) -> None:
    (run / "raw.GT.bin").touch()
    hybridfactory.reset(run)
    assert (run / "raw.GT.bin").read_bytes() == small_world.raw.read_bytes()


@pytest.mark.parametrize("after", [0, 1, 5, 40])
def test_an_interrupted_reset_can_be_repeated(
    run: Path, small_world: World, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Also where a write was torn in the middle of a range."""
    pwrite, calls = os.pwrite, 0

    def tear(descriptor: int, data: memoryview, offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            pwrite(descriptor, data[: len(data) // 2 // NUM_ROWS], offset)
            raise KeyboardInterrupt
        return pwrite(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", tear)
        with pytest.raises(KeyboardInterrupt):
            hybridfactory.reset(run)
    opened = hybridfactory.load(run)
    assert opened.manifest.is_half_reset and not opened.manifest.is_written and not opened.manifest.is_reset
    assert (run / "raw.GT.bin").read_bytes() != small_world.raw.read_bytes()
    findings = hybridfactory.verify(run).findings
    assert "interrupted" in findings[0].problem
    with pytest.raises(OutputError, match="exists already"):
        hybridfactory.write(run)
    hybridfactory.reset(run)
    assert (run / "raw.GT.bin").read_bytes() == small_world.raw.read_bytes()
    assert hybridfactory.verify(run).is_identical


def test_an_interrupted_reset_does_not_hide_somebody_s_change(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(resetting, "restore_into", stop)
        with pytest.raises(KeyboardInterrupt):
            hybridfactory.reset(run)
    start = int(np.load(run / "journal-e2e.npz")["starts"][3])
    change(run / "raw.GT.bin", start + 2, 0)
    with pytest.raises(OutputError, match=rf"sample {start + 2}, row 0"):
        hybridfactory.reset(run)


def test_what_cannot_be_taken_back(small_world: World, run: Path, tmp_path: Path) -> None:
    hybridfactory.generate(small_world.parameters(tmp_path / "planned", **DONORS), write=False)
    with pytest.raises(MissingFileError, match="has not written its hybrid"):
        hybridfactory.reset(tmp_path / "planned")
    with pytest.raises(MissingFileError, match="finished run"):
        hybridfactory.reset(tmp_path)
    (run / "raw.GT.bin").rename(run / "away")
    with pytest.raises(MissingFileError, match=r"raw\.GT\.bin is missing"):
        hybridfactory.reset(run)
    (run / "away").rename(run / "raw.GT.bin")
    os.truncate(run / "raw.GT.bin", 1000)
    with pytest.raises(OutputError, match="has 1000 bytes"):
        hybridfactory.reset(run)


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_the_source_is_never_written_to_by_another_name(
    small_world: World, tmp_path: Path, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, run = tmp_path / "raw.bin", tmp_path / "run"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(run, raw_source_file=raw, **DONORS)
    target = run / "raw.GT.bin"
    target.unlink()
    if link == "hard":
        target.hardlink_to(raw)
    else:
        target.symlink_to(raw)
    before = raw.read_bytes(), raw.stat().st_mtime_ns
    with pytest.raises(OutputError, match="overwrite the source"):
        hybridfactory.reset(run)
    # The writer itself looks at what it has opened, whatever was checked before.
    recording = hybridfactory.load(run).source_recording
    with pytest.raises(OutputError, match="never written to"):
        writer.restore_into((target,), recording, np.array([[0, 10]]))
    assert (raw.read_bytes(), raw.stat().st_mtime_ns) == before


def test_a_source_that_is_not_as_it_was(small_world: World, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    small_world.run(tmp_path / "run", raw_source_file=raw, **DONORS)
    before = contents(tmp_path / "run")
    raw.touch()
    with pytest.raises(RecordingError, match="was changed after the run"):
        hybridfactory.reset(tmp_path / "run")
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("what", ["cut short", "other ranges", "gone"])
def test_a_damaged_journal(run: Path, what: str) -> None:
    path = run / "journal-e2e.npz"
    if what == "gone":
        path.unlink()
    elif what == "cut short":
        path.write_bytes(path.read_bytes()[:-30])
    else:
        np.savez_compressed(
            path, starts=np.array([-5]), lengths=np.array([10]), checksums=np.array([1], dtype=np.uint32)
        )
    before = contents(run)
    with pytest.raises((OutputError, MissingFileError), match="journal-e2e"):
        hybridfactory.reset(run)
    assert contents(run) == before


def test_copy_false_works_on_a_run_that_was_taken_back(small_world: World, run: Path, tmp_path: Path) -> None:
    hybridfactory.reset(run)
    small_world.run(run, ground_truth_units=[5], copy=False)
    small_world.run(tmp_path / "fresh", ground_truth_units=[5])
    assert (run / "raw.GT.bin").read_bytes() == (tmp_path / "fresh" / "raw.GT.bin").read_bytes()
    assert manifest_of(run)["written"] == "over the hybrid of an earlier run"


def test_the_journal_is_small(finished: Any) -> None:
    size = (finished.folder / "journal-e2e.npz").stat().st_size
    assert size < 1000 + 12 * finished.result.plan.num_events


def test_on_the_command_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reset", str(run)]) == 0
    output = capsys.readouterr()
    assert output.out == f"As the source again, in {run}:\n  raw.GT.bin\n" and "taking events back" in output.err
    assert main(["reset", str(run), "--silent"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["reset", str(run / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
