"""Files move into place all or none, whatever step a process dies at, and whoever comes next puts it in order."""

import json
import os
import shutil
from pathlib import Path

import pytest

from hybridfactory.errors import OutputError
from hybridfactory.injection import publishing
from hybridfactory.injection.publishing import ASIDE_NAME, MOVES_NAME, STAGING_NAME, is_inside, publish, replace_file
from hybridfactory.injection.staging import locked, staging_folder

OLD = {"a": "old a", "figures/one": "old figure", "end": "old end", "notes": "mine"}
NEW = {"a": "new a", "b": "new b", "deep/c": "new c", "end": "new end"}
MERGED = {"notes": "mine", **NEW}


class StopError(Exception):
    """Stands for the moment at which the process dies."""


def write(folder: Path, files: dict[str, str]) -> list[Path]:
    paths = [folder / name for name in files]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path.relative_to(folder).as_posix()])
    return paths


def read(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def die_while_publishing(folder: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> bool:
    """Publish over the old files, dying before one of the renames, from which nothing works any more."""
    count = 0
    replace = Path.replace

    def stop(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count >= step:
            raise StopError
        return replace(self, target)

    staging = folder / STAGING_NAME
    staging.mkdir()
    staged = write(staging, NEW)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        try:
            publish(staged, folder, [folder / "end", folder / "a", folder / "figures" / "one", folder / "gone"])
        except StopError:
            return True
    shutil.rmtree(staging)
    return False


def test_every_step_can_be_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, found = 1, []
    while True:
        folder = tmp_path / str(step)
        folder.mkdir()
        write(folder, OLD)
        if not die_while_publishing(folder, monkeypatch, step):
            break
        notes: list[str] = []
        with staging_folder(folder, tell=notes.append):
            pass
        assert read(folder) == OLD
        assert len(notes) == 1
        found.append(notes[0])
        step += 1
    assert read(folder) == MERGED
    assert step > 8
    assert "left unfinished files" in found[0] and "the earlier ones are back" in found[-1]


def test_a_death_after_the_last_step_loses_nothing_new(tmp_path: Path) -> None:
    write(tmp_path, NEW)
    staging = tmp_path / STAGING_NAME
    write(staging / ASIDE_NAME, OLD)
    (staging / MOVES_NAME).write_text(json.dumps(list(NEW)))
    notes: list[str] = []
    with locked(tmp_path, tell=notes.append):
        assert read(tmp_path) == NEW
    assert "was complete" in notes[0]


def test_order_may_be_made_in_several_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever puts things in order may be killed too, at every step."""
    move = publishing._move
    for stop_after in range(8):
        folder = tmp_path / str(stop_after)
        folder.mkdir()
        write(folder, OLD)
        assert die_while_publishing(folder, monkeypatch, 8)
        calls = 0

        def stop(path: Path, target: Path) -> None:
            nonlocal calls
            calls += 1
            if calls > stop_after:  # noqa: B023 - used within this turn of the loop
                raise StopError
            move(path, target)

        for _ in range(3):
            calls = 0
            with monkeypatch.context() as patch:
                patch.setattr(publishing, "_move", stop)
                try:
                    with locked(folder):
                        pass
                except StopError:
                    continue
        with locked(folder):
            assert read(folder) == OLD


def test_an_error_is_taken_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, OLD)
    failed = []
    sync = publishing._sync

    def fail(path: Path) -> None:
        sync(path)
        if path == tmp_path and not failed:
            failed.append(path)
            raise OSError(5, "Input/output error")

    def publish_in_vain() -> None:
        with staging_folder(tmp_path) as staging:
            publish(write(staging, NEW), tmp_path, [])

    monkeypatch.setattr(publishing, "_sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        publish_in_vain()
    assert failed and read(tmp_path) == OLD


def test_files_are_on_the_disk_before_they_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, str]] = []
    move, fsync = publishing._move, os.fsync

    def note_move(path: Path, target: Path) -> None:
        events.append(("move", path.name))
        move(path, target)

    def note_sync(descriptor: int) -> None:
        events.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    monkeypatch.setattr(publishing, "_move", note_move)
    monkeypatch.setattr(os, "fsync", note_sync)
    with staging_folder(tmp_path) as staging:
        publish(write(staging, NEW), tmp_path, [])
    for name in NEW:
        leaf = Path(name).name
        assert events.index(("sync", leaf)) < events.index(("move", leaf))
    assert events[-2] == ("move", "end") and events[-1] == ("sync", tmp_path.name)
    before_the_end = events[: events.index(("move", "end"))]
    assert before_the_end[-1] == ("sync", tmp_path.name)


def test_a_folder_in_the_way_is_not_moved(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("keep")

    def publish_in_vain() -> None:
        with staging_folder(tmp_path) as staging:
            publish(write(staging, NEW), tmp_path, [])

    with pytest.raises(OutputError, match="is a folder"):
        publish_in_vain()
    assert read(tmp_path) == {"a/mine": "keep"}


@pytest.mark.parametrize("content", ["", "[", "{}", "[1, null]", '["../../evil"]', '["/etc/evil"]'])
def test_damaged_moves_move_nothing(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "deep" / "run"
    staging = folder / STAGING_NAME
    write(folder, OLD)
    write(staging, NEW)
    (staging / MOVES_NAME).write_text(content)
    with locked(folder):
        assert read(folder) == OLD
    assert read(tmp_path / "deep") == {f"run/{name}": text for name, text in OLD.items()}


def test_partial_files_of_a_killed_process_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".hybridfactory-manifest.json").write_text("half")
    (tmp_path / ".hidden").write_text("mine")
    with locked(tmp_path):
        assert read(tmp_path) == {".hidden": "mine"}


def test_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"two")
    assert read(tmp_path) == {"file": "one"}


@pytest.mark.parametrize("name", ["a", "a/b", "ä b", "..a", "a..b/c"])
def test_names_inside(name: str) -> None:
    assert is_inside(name)


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../../b", "/a", "a\\b", "a\0", None, 3, ["a"], "."])
def test_names_outside(name: object) -> None:
    assert not is_inside(name)
