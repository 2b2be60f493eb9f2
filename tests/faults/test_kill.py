"""A run that is killed, at any moment or at any step, loses nothing, and the next run is as if nothing had been."""

import json
from pathlib import Path

import numpy as np
import pytest
from states import fill
from stories import AFTER_A_KILL, NUM_KILLS, STORIES, Stage

KILLED = [*STORIES, AFTER_A_KILL]
MINE = {"notes.txt": b"somebody else's"}

Step = list[str]
"""Name of a call, and the paths it is about."""

SHARE_OF_STEPS = 16
"""The suite kills at one step in so many; ``make faults`` at all."""


@pytest.mark.parametrize("name", KILLED)
def test_killed_at_random_moments(stage: Stage, name: str, num_kills: int) -> None:
    """From its beginning to its end; every third time, the run after it is killed too."""
    rng = np.random.default_rng(KILLED.index(name))
    count = -(-num_kills // len(KILLED))
    seconds = stage.stories[name].seconds
    num_killed = num_tried = 0
    while num_killed < count:
        story = stage.set_up(name)
        mine = MINE if story.earlier else {}
        for file, data in mine.items():
            (stage.world.out / file).write_bytes(data)
        for _ in range(2 if num_tried % 3 == 0 else 1):
            # Spread evenly, at a moment of its own within each part.
            moment = seconds * (num_killed + rng.random()) / count
            ended = stage.program.run(*story.arguments, signal_after_s=moment)
            if ended.was_killed:
                num_killed += 1
            else:  # that was too late: on a machine that others use as well, runs differ in speed
                seconds *= 0.9
            stage.assert_never_wrong(story, mine)
        stage.run_again(story, mine)
        num_tried += 1
        assert num_tried < 5 * count


@pytest.mark.parametrize("name", KILLED)
def test_killed_before_each_step(stage: Stage, name: str, num_kills: int, tmp_path: Path) -> None:
    """Before every call that changes what is on the disk: no order of them leaves a wrong folder in between."""
    story = stage.set_up(name)
    record = tmp_path / "steps.txt"
    assert stage.program.run(*story.arguments, faults={"record": str(record)}).code == 0
    steps = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert len(steps) > 15
    number_of = chosen_steps(steps, SHARE_OF_STEPS if num_kills <= NUM_KILLS else 1, 7 * KILLED.index(name))
    ends = set()
    for number in number_of:
        fill(stage.world.out, story.before)
        ended = stage.program.run(*story.arguments, faults={"kill_at": number})
        assert ended.was_killed, ended.err
        ends.add(stage.assert_never_wrong(story, {}))
        stage.run_again(story, {})
    assert len(ends) > 1 or name in ("first run", "reset")


@pytest.mark.parametrize(
    ("name", "from_the_end", "note"),
    [
        ("first run", None, "had left unfinished files"),
        ("first run", 3, "had begun to put its files into"),
        ("over an earlier run", 3, "the earlier ones are back"),
        ("over an earlier run", 0, "was complete"),
    ],
)
def test_the_next_run_says_what_it_found(
    stage: Stage, name: str, from_the_end: int | None, note: str, tmp_path: Path
) -> None:
    """Killed at its tenth step, or at a rename, counted from the last one."""
    story = stage.set_up(name)
    record = tmp_path / "steps.txt"
    assert stage.program.run(*story.arguments, faults={"record": str(record)}).code == 0
    steps = [json.loads(line)[0] for line in record.read_text(encoding="utf-8").splitlines()]
    renames = [number for number, step in enumerate(steps) if step in ("rename", "replace")]
    fill(stage.world.out, story.before)
    number = 10 if from_the_end is None else renames[-from_the_end] if from_the_end else renames[-1] + 1
    assert stage.program.run(*story.arguments, faults={"kill_at": number}).was_killed
    again = [word for word in story.arguments if word != "--silent"]
    ended = stage.program.run(*again)
    assert ended.code == 0, ended.err
    assert note in ended.err
    assert str(stage.world.out) in ended.err


def chosen_steps(steps: list[Step], share: int, offset: int) -> list[int]:
    """Numbers of steps to kill at: of writes into one file, which all look alike, the first and the last."""
    names = [step[0] for step in steps]
    alike = ("pwrite", "copy_file_range", "sendfile", "write")
    chosen = [
        number
        for number, name in enumerate(names)
        if name not in alike or name not in names[:number] or name not in names[number + 1 :]
    ]
    return chosen[offset % share :: share]
