"""What becomes of an earlier run's target, and of a run that fails half-way."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hybrid_world import World, contents, read_rows

import hybridfactory
from hybridfactory.errors import HybridFactoryError, MissingFileError, NothingInjectedError
from hybridfactory.injection import copying, journal, publishing, regions, script, writer
from hybridfactory.injection.publishing import STAGING_NAME
from hybridfactory.pipeline import job, planning, truth

STEPS = [
    "learn_event_models",
    "make_plan",
    "write_plan",
    "save_script",
    "copy_file",
    "render_into",
    "save_journal",
    "write_annotations",
    "write_firings_true",
    "write_hfparams",
    "publish",
    "write_manifest",
]


class StopError(RuntimeError):
    """Stands for a bug, a pulled plug or a full disk in the middle of a run."""


def without_run_specifics(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files whose bytes may not depend on when, or over what, a run was made."""
    return {name: data for name, data in files.items() if not name.startswith(("manifest", "hfparams"))}


def test_copy_true_starts_afresh(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path / "out", ground_truth_units=[2], session_name="old")
    target = tmp_path / "out" / "raw.GT.bin"
    with target.open("r+b") as stream:
        stream.write(b"garbage")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    small_world.run(tmp_path / "out", ground_truth_units=[4], copy=True)
    small_world.run(tmp_path / "fresh", ground_truth_units=[4], copy=True)
    over, fresh = contents(tmp_path / "out"), contents(tmp_path / "fresh")
    assert over.pop("notes.txt") == b"mine"
    assert without_run_specifics(over) == without_run_specifics(fresh)
    assert not [name for name in over if "old" in name]


def test_copy_false_speaks_of_a_fresh_copy_only_where_there_was_a_run(
    small_world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="hybridfactory"):
        small_world.run(tmp_path / "out", ground_truth_units=[2])
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "fresh" not in told and "earlier" not in told
    caplog.clear()
    (tmp_path / "out" / "raw.GT.bin").unlink()
    with caplog.at_level(logging.INFO, logger="hybridfactory"):
        small_world.run(tmp_path / "out", ground_truth_units=[2])
    assert [record for record in caplog.records if "no hybrid to reuse: starting from a fresh" in record.getMessage()]
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="hybridfactory"):
        small_world.run(tmp_path / "other", ground_truth_units=[2], copy=True)
    assert not [record for record in caplog.records if "fresh copy" in record.getMessage()]
    assert (tmp_path / "out" / "raw.GT.bin").read_bytes() == (tmp_path / "other" / "raw.GT.bin").read_bytes()


def test_copy_false_over_an_earlier_run_gives_what_a_fresh_run_gives(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    changes: dict[str, Any] = {"ground_truth_units": [4, 5], "random_seed": 99, "amplitude_scale_max": 1.5}
    small_world.run(tmp_path / "fresh", **changes)
    small_world.run(tmp_path / "out", session_name="old", ground_truth_units=[1, 2, 4])
    monkeypatch.setattr(copying, "copy_file", _must_not_be_called)
    with caplog.at_level(logging.INFO, logger="hybridfactory"):
        small_world.run(tmp_path / "out", copy=False, **changes)
    assert any("taken back" in record.getMessage() for record in caplog.records)
    over, fresh = contents(tmp_path / "out"), contents(tmp_path / "fresh")
    assert over.keys() == fresh.keys()
    assert not [name for name in over if "old" in name]
    assert without_run_specifics(over) == without_run_specifics(fresh)
    run = hybridfactory.load(tmp_path / "out")
    assert run.manifest.session_name == "e2e"
    assert set(run.artificial_units["true_unit"]) == {4, 5}


def _must_not_be_called(*_arguments: object, **_options: object) -> None:
    raise AssertionError("the source was copied again")


def test_copy_false_reuses_several_files(small_world: World, tmp_path: Path) -> None:
    cut = 33_000
    for index, piece in enumerate((small_world.source[:cut], small_world.source[cut:])):
        piece.tofile(tmp_path / f"part{index}.bin")
    several: dict[str, Any] = {"raw_source_file": tmp_path / "part*.bin", "start_time": [0, cut]}
    small_world.run(tmp_path / "out", ground_truth_units=[1, 3], random_seed=1, **several)
    small_world.run(tmp_path / "out", ground_truth_units=[2], **several)
    small_world.run(tmp_path / "fresh", ground_truth_units=[2], **several)
    over, fresh = contents(tmp_path / "out"), contents(tmp_path / "fresh")
    assert without_run_specifics(over) == without_run_specifics(fresh)
    assert {"part0.GT.bin", "part1.GT.bin"} <= over.keys()


@pytest.mark.parametrize(
    "change", ["bytes", "cut short", "source", "journal gone", "journal damaged", "manifest gone"]
)
def test_a_target_that_cannot_be_taken_back_is_copied_afresh(
    small_world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    out = tmp_path / "out"
    small_world.run(out, raw_source_file=raw, ground_truth_units=[4], session_name="old")
    target = out / "raw.GT.bin"
    if change == "bytes":
        with target.open("r+b") as stream:
            stream.seek(5000)
            stream.write(b"garbage")
    elif change == "cut short":
        os.truncate(target, 1000)
    elif change == "source":
        small_world.source[::-1].copy().tofile(raw)
        small_world.source.tofile(raw)
    elif change == "journal gone":
        (out / "journal-old.npz").unlink()
    elif change == "journal damaged":
        (out / "journal-old.npz").write_bytes((out / "journal-old.npz").read_bytes()[:-40])
    else:
        (out / "manifest.json").unlink()
    with caplog.at_level(logging.INFO, logger="hybridfactory"):
        small_world.run(out, raw_source_file=raw, ground_truth_units=[2], copy=False)
    assert any("fresh copy" in record.getMessage() for record in caplog.records)
    small_world.run(tmp_path / "fresh", ground_truth_units=[2])
    assert target.read_bytes() == (tmp_path / "fresh" / "raw.GT.bin").read_bytes()


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_fails_leaves_nothing_behind(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    _fail_in(monkeypatch, step, StopError)
    with pytest.raises(StopError):
        small_world.run(tmp_path / "new" / "out", ground_truth_units=[2])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_nothing_behind(small_world: World, tmp_path: Path) -> None:
    def interrupt(step: str, _done: int, _total: int) -> None:
        if step == "injecting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hybridfactory.generate(small_world.parameters(tmp_path / "out", ground_truth_units=[2]), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "step", ["make_plan", "copy_file", "render_into", "write_hfparams", "publish", "write_manifest"]
)
def test_a_failing_run_with_copy_true_spares_the_earlier_one(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    out = tmp_path / "out"
    small_world.run(out, ground_truth_units=[2], session_name="old")
    before = contents(out)
    _fail_in(monkeypatch, step, StopError)
    with pytest.raises(StopError):
        small_world.run(out, ground_truth_units=[4], copy=True)
    assert contents(out) == before
    hybridfactory.load(out)


@pytest.mark.parametrize("step", ["learn_event_models", "restore_into", "render_into", "write_firings_true"])
def test_a_failing_run_with_copy_false_leaves_a_truth_that_does_not_speak_of_a_hybrid(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Either the earlier run is as it was, or it has lost its hybrid, knows that, and can write it again."""
    out = tmp_path / "out"
    small_world.run(out, ground_truth_units=[2], session_name="old")
    before = contents(out)
    with monkeypatch.context() as patch:
        _fail_in(patch, step, StopError)
        with pytest.raises(StopError):
            small_world.run(out, ground_truth_units=[4], copy=False)
    after = contents(out)
    run = hybridfactory.load(out)
    assert run.manifest.is_written == (after == before)
    if after != before:
        assert {name for name in before if after.get(name) != before[name]} == {"raw.GT.bin", "manifest.json"}
        assert "raw.GT.bin" not in after
        hybridfactory.write(run)
        assert (out / "raw.GT.bin").read_bytes() == before["raw.GT.bin"]
    small_world.run(out, ground_truth_units=[4], copy=False)
    assert not [name for name in contents(out) if "old" in name]


@pytest.mark.parametrize("moved", [1, 2, 5, 11])
def test_a_run_that_stops_while_publishing_can_be_repeated(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """As after a pulled plug: some files are in place and others are not; the next run just works."""
    out, replace = tmp_path / "out", Path.replace
    count = 0

    def stop(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count > moved:
            raise StopError
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(StopError):
            small_world.run(out, ground_truth_units=[2], session_name="old")
    with pytest.raises(MissingFileError):
        hybridfactory.load(out)
    small_world.run(out, ground_truth_units=[2])
    assert not [name for name in contents(out) if "old" in name]


def test_what_a_killed_run_left_is_swept_away(small_world: World, tmp_path: Path) -> None:
    rest = tmp_path / "out" / ".hybridfactory-partial"
    rest.mkdir(parents=True)
    (rest / "raw.GT.bin").write_bytes(b"half a copy")
    small_world.run(tmp_path / "out", ground_truth_units=[2])
    assert not rest.exists()


def test_an_earlier_run_survives_one_in_which_nothing_can_be_injected(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path, ground_truth_units=[2])
    before = contents(tmp_path)
    for copy in (True, False):
        with pytest.raises(NothingInjectedError, match="unit 6"):
            small_world.run(tmp_path, ground_truth_units=[6], copy=copy)
        assert contents(tmp_path) == before


def test_another_recording_into_the_same_folder_leaves_one_consistent_run(small_world: World, tmp_path: Path) -> None:
    """The truth of the first run is replaced, so nothing may be left that looks like a run of the first."""
    for name in ("first", "second"):
        small_world.source.tofile(tmp_path / f"{name}.bin")
        (tmp_path / f"{name}.meta").write_text(
            f"nSavedChans=34\nimSampRate=20000\nfirstSample=0\nfileSizeBytes={small_world.source.nbytes}\n"
            "snsApLfSy=33,0,1\ntypeThis=imec\n"
        )
    small_world.run(
        tmp_path / "out", raw_source_file=tmp_path / "first.bin", ground_truth_units=[2], session_name="old"
    )
    small_world.run(tmp_path / "out", raw_source_file=tmp_path / "second.bin", ground_truth_units=[2])
    names = set(contents(tmp_path / "out"))
    assert {"second.GT.bin", "second.GT.meta"} <= names
    assert not [name for name in names if "old" in name or "first" in name]


def _fail_in(monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException]) -> None:
    """Let a step do its work, and fail at its end; `publish` fails once, when the manifest has come into view."""
    rooms = (copying, publishing, planning, truth, writer, script, journal, job)
    room = publishing if step == "publish" else next(room for room in rooms if hasattr(room, step))
    step = step.replace("publish", "_move")
    function: Callable[..., object] = getattr(room, step)
    failed: list[object] = []

    def work_and_fail(*arguments: Any, **options: object) -> object:
        done = function(*arguments, **options)
        if step == "_move" and (failed or arguments[0].parent.name != STAGING_NAME or arguments[0].suffix != ".json"):
            return done
        failed.append(arguments)
        raise error(step)

    monkeypatch.setattr(room, step, work_and_fail)


def _copy_a_third(source: Path, target: Path, **_: Any) -> int:
    data = source.read_bytes()
    return target.write_bytes(data[: len(data) // 3])


@pytest.mark.parametrize("setting", ["pages", "one worker", "many workers", "blocks", "one pass", "copy ended"])
def test_the_bytes_do_not_depend_on_how_the_work_is_cut(
    small_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    from hybridfactory.events import blocks, learn, snippets
    from hybridfactory.recording import side_by_side

    small_world.run(tmp_path / "first", ground_truth_units=[1, 4])
    if setting == "pages":
        monkeypatch.setattr(regions, "PAGE_BYTES", 64)
    elif setting == "one worker":
        for module in (side_by_side, learn):
            monkeypatch.setattr(module, "NUM_WORKERS", 1)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
        monkeypatch.setattr(writer, "REGIONS_PER_TASK", 3)
    elif setting == "many workers":
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(5)))
    elif setting == "copy ended":
        monkeypatch.setattr(copying, "copy_file", _copy_a_third)
    elif setting == "one pass":
        monkeypatch.setattr(job, "ONE_PASS_SHARE", 0)
        monkeypatch.setattr(copying, "copy_file", _must_not_be_called)
    else:
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 100_000)
        monkeypatch.setattr(snippets, "SLAB_BYTES", 100_000)
        monkeypatch.setattr(learn, "LEARNED_BYTES", 1)
    small_world.run(tmp_path / "second", ground_truth_units=[4, 1])
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert without_run_specifics(first) == without_run_specifics(second)


def test_a_unit_is_the_same_whatever_other_units_there_are(small_world: World, tmp_path: Path) -> None:
    alone = small_world.run(tmp_path / "alone", ground_truth_units=[4])
    among = small_world.run(tmp_path / "among", ground_truth_units=[1, 4, 5])
    truth = among.truth[:, among.truth[2] == 4]
    np.testing.assert_array_equal(truth, alone.truth)
    other = among.truth[1, among.truth[2] != 4].astype(np.int64)
    far = np.abs(truth[1].astype(np.int64)[:, None] - other).min(axis=1) > 81
    one, two = read_rows(alone.recording_paths[0]), read_rows(among.recording_paths[0])
    for time in truth[1, far].astype(int)[:40]:
        np.testing.assert_array_equal(one[time - 40 : time + 41], two[time - 40 : time + 41])
    assert far.sum() > 20


def test_errors_are_of_our_own_kind(small_world: World, tmp_path: Path) -> None:
    with pytest.raises(HybridFactoryError):
        small_world.run(tmp_path, ground_truth_units=[77])
