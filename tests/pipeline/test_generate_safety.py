"""Sources are seen through every link, what describes an earlier run goes with it, and what was killed is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from hybrid_world import World, contents

import hybridfactory
from hybridfactory.errors import OutputError
from hybridfactory.ground_truth import replacement
from hybridfactory.ground_truth.derived import register
from hybridfactory.injection.staging import locked

DONOR: dict[str, Any] = {"ground_truth_units": [2]}


@pytest.fixture
def run(small_world: World, tmp_path: Path) -> Path:
    small_world.run(tmp_path / "out", **DONOR, session_name="old")
    return tmp_path / "out"


@pytest.mark.parametrize("link", ["symbolic", "hard", "folder"])
@pytest.mark.parametrize("copy", [True, False])
def test_a_target_that_is_the_source_is_refused(small_world: World, tmp_path: Path, link: str, copy: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    raw = tmp_path / "source" / "raw.bin"
    raw.parent.mkdir()
    raw.write_bytes(small_world.raw.read_bytes())
    if link == "hard":
        (out / "raw.GT.bin").hardlink_to(raw)
    elif link == "symbolic":
        (out / "raw.GT.bin").symlink_to(raw)
    else:
        # The recording itself is named as a hybrid would be, seen through another path.
        raw = raw.rename(raw.with_name("raw.GT.bin"))
        (raw.parent / "raw.bin").symlink_to(raw)
        raw = raw.parent / "raw.bin"
        out.rmdir()
        out.symlink_to(raw.parent)
    before = raw.read_bytes(), raw.stat().st_mtime_ns
    with pytest.raises(OutputError, match="would overwrite the source"):
        small_world.run(out, raw_source_file=raw, copy=copy, **DONOR)
    assert (raw.read_bytes(), raw.stat().st_mtime_ns) == before


def test_names_that_differ_in_case_alone_are_one_file(tmp_path: Path) -> None:
    source = tmp_path / "Raw.gt.BIN"
    source.write_bytes(b"x")
    with pytest.raises(OutputError, match="would overwrite the source"):
        replacement.refuse_to_overwrite([source], [tmp_path / "raw.GT.bin"])
    replacement.refuse_to_overwrite([source], [tmp_path / "other.GT.bin", tmp_path / "deep" / "raw.GT.bin"])


def test_figures_and_tables_go_with_the_run_they_describe(small_world: World, run: Path) -> None:
    made = ["figures/unit-1.png", "report.html", "validation-old/units.csv", "validation-old/summary.json"]
    register(run, [run / name for name in made])
    mine = {"figures/mine.png": b"1", "validation-old/notes.txt": b"2", "notes.txt": b"3", "deep/report.html": b"4"}
    for name in (*made, *mine):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_bytes(mine.get(name, b"made"))
    small_world.run(run, ground_truth_units=[4])
    after = contents(run)
    assert not set(made) & after.keys()
    assert {name: after.get(name) for name in mine} == mine
    assert json.loads(after["manifest.json"])["derived"] == []


def test_folders_that_are_empty_then_go_too(small_world: World, run: Path) -> None:
    (run / "figures").mkdir()
    (run / "figures" / "unit-1.png").write_bytes(b"made")
    register(run, [run / "figures" / "unit-1.png", run.parent / "elsewhere.png"])
    (run.parent / "elsewhere.png").write_bytes(b"made")
    small_world.run(run, ground_truth_units=[4])
    assert not (run / "figures").exists()
    assert (run.parent / "elsewhere.png").exists()


def test_what_lies_elsewhere_by_a_link_is_not_removed(small_world: World, run: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "unit-1.png").write_bytes(b"mine")
    (run / "figures").symlink_to(tmp_path / "pictures")
    register(run, [run / "figures" / "unit-1.png"])
    small_world.run(run, ground_truth_units=[4])
    assert (tmp_path / "pictures" / "unit-1.png").read_bytes() == b"mine"


def test_a_manifest_that_names_files_elsewhere_is_refused(small_world: World, run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    content = json.loads((run / "manifest.json").read_text())
    for names in (["../mine"], [str(tmp_path / "mine")], "mine", [3]):
        (run / "manifest.json").write_text(json.dumps(content | {"derived": names}))
        with pytest.raises(OutputError, match="derived"):
            hybridfactory.load(run)
        small_world.run(run, ground_truth_units=[4])
        assert (tmp_path / "mine").read_text() == "keep"


def test_a_failing_run_gives_figures_back(small_world: World, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hybridfactory.injection import publishing

    (run / "figures").mkdir()
    (run / "figures" / "unit-1.png").write_bytes(b"made")
    register(run, [run / "figures" / "unit-1.png"])
    before = contents(run)
    sync, calls = publishing._sync, 0

    def fail(path: Path) -> None:
        nonlocal calls
        sync(path)
        calls += path == run
        if path == run and calls == 2:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(publishing, "_sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        small_world.run(run, ground_truth_units=[4], copy=True)
    assert contents(run) == before


def test_a_run_says_what_a_killed_one_had_left(
    small_world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """To the user, and not to the manifest: the run itself is like any other."""
    rest = tmp_path / "out" / ".hybridfactory-partial"
    rest.mkdir(parents=True)
    (rest / "raw.GT.bin").write_bytes(b"half a copy")
    result = small_world.run(tmp_path / "out", **DONOR)
    assert [warning for warning in result.warnings if "unfinished files" in warning]
    assert [record for record in caplog.records if "unfinished files" in record.getMessage()]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["warnings"] == []
    assert not [
        warning for warning in small_world.run(tmp_path / "other", **DONOR).warnings if "unfinished" in warning
    ]


def test_whatever_writes_to_a_run_is_refused_while_another_does(small_world: World, run: Path) -> None:
    from hybridfactory.ground_truth.manifest import add_to_manifest

    (run / "raw.GT.bin").unlink()
    before = contents(run)
    with locked(run):
        add_to_manifest(run, "realism", None)
        for call in (hybridfactory.write, hybridfactory.reset, lambda folder: small_world.run(folder, **DONOR)):
            with pytest.raises(OutputError, match="another run is writing there"):
                call(run)
        with pytest.raises(OutputError, match="another run is writing there"):
            register(run, [run / "report.html"])
    assert before.keys() == contents(run).keys()
    hybridfactory.write(run)


def test_copy_false_leaves_hard_linked_hybrids_alone(small_world: World, run: Path, tmp_path: Path) -> None:
    """Somebody keeps the earlier hybrid under another name: it is not worked on."""
    (tmp_path / "kept.bin").hardlink_to(run / "raw.GT.bin")
    before = (tmp_path / "kept.bin").read_bytes()
    small_world.run(run, ground_truth_units=[4], copy=False)
    assert (tmp_path / "kept.bin").read_bytes() == before
    assert hybridfactory.verify(run).is_identical


def test_copy_false_looks_at_the_bytes_and_not_at_the_time_alone(small_world: World, run: Path) -> None:
    import os

    target = run / "raw.GT.bin"
    status = target.stat()
    event = int(hybridfactory.load(run).artificial_units["timestep"][3])
    with target.open("r+b") as stream:
        stream.seek(event * 34 * 2)
        stream.write(b"\x12\x34")
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    small_world.run(run, ground_truth_units=[4], copy=False)
    assert hybridfactory.verify(run).is_identical
    assert json.loads((run / "manifest.json").read_text())["written"] != "over the hybrid of an earlier run"
