"""A source that changes while it is read, and a clock that jumps."""

import os
from pathlib import Path

import pytest
from states import differences, digest, hidden_names, visible_files
from stories import RUNS, STORIES, Stage, Story
from test_io_errors import assert_one_line
from warm_program import Ended

CHANGES = ["shorter", "longer", "other bytes", "replaced", "gone"]
READS = [0, 2, 6, 12]


@pytest.mark.parametrize("how", CHANGES)
def test_a_source_that_changes_during_the_run(stage: Stage, how: str) -> None:
    """It is refused, however late it changes: truth and hybrid would be of two different recordings."""
    for index, number in enumerate(READS):
        story = stage.set_up(RUNS[(index + CHANGES.index(how)) % len(RUNS)])
        path = stage.world.raw[index % 2]
        assert_one_line(run_while_it_changes(stage, story, path, number, how), str(path))
        assert stage.assert_never_wrong(story, {}) != "new"
        assert not hidden_names(stage.world.out)
        stage.run_again(story, {})


@pytest.mark.parametrize("how", CHANGES[:-1])
def test_a_source_that_changes_during_a_reset(stage: Stage, how: str) -> None:
    """What was taken back may be of either; it does not count as taken back before a reset has come to its end."""
    story = stage.set_up("reset")
    ended = run_while_it_changes(stage, story, stage.world.raw[0], 1, how)
    assert_one_line(ended, str(stage.world.raw[0]))
    assert "unwritten" in stage.assert_never_wrong(story, {})
    assert '"is_complete": false' in (stage.world.out / "manifest.json").read_text(encoding="utf-8")


def run_while_it_changes(stage: Stage, story: Story, path: Path, number: int, how: str) -> Ended:
    """Run, with one of the sources changed before a read; it is as before afterwards."""
    status, data = path.stat(), path.read_bytes()
    try:
        return stage.program.run(*story.arguments, faults={"change_at_read": [number, str(path), how]})
    finally:
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("name", STORIES)
def test_a_clock_that_jumps(stage: Stage, name: str) -> None:
    """Files are stamped with any time, and time runs backwards; nothing but what is stated as a time may differ."""
    for seed in range(3):
        story = stage.set_up(name)
        ended = stage.program.run(*story.arguments, faults={"clock_seed": seed})
        assert ended.code == 0, ended.err
        assert differences(visible_files(stage.world.out), story.finished) == []
        assert stage.assert_never_wrong(story, {}) == "new"
        stage.run_again(story, {})


@pytest.mark.parametrize("seconds", [0, -5_000_000, 4_000_000_000])
def test_sources_of_another_time(stage: Stage, seconds: int) -> None:
    """As a camera's or a rig's clock may have it: 1970 and before, or the future."""
    story = stage.set_up("first run")
    kept = {path: path.stat() for path in stage.world.raw}
    try:
        for path in kept:
            os.utime(path, (seconds, seconds))
        before = digest(kept)
        for _ in range(2):
            ended = stage.program.run(*story.arguments)
            assert ended.code == 0, ended.err
        differing = differences(visible_files(stage.world.out), story.finished)
        assert differing == ["manifest.json"]  # where the sources' times stand
        assert digest(kept) == before
    finally:
        for path, status in kept.items():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
