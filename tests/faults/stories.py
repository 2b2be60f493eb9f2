"""What may be in an output folder, and what a run then makes of it when nothing disturbs it."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from states import Files, assert_never_wrong, differences, digest, fill, hidden_names, visible_files
from tiny_world import TinyWorld, make_tiny_world
from warm_program import Ended, WarmProgram, warm_program

NUM_KILLS = 60
RUNS = ["first run", "over an earlier run", "over a run of the same name", "copy = false", "write"]
STORIES = [*RUNS, "reset"]
AFTER_A_KILL = "after a killed run"
REUSING = ("over a run of the same name", "copy = false", "reset")
"""Stories in which the earlier hybrid is worked on, so that a fault may leave neither run."""


@dataclass
class Story:
    """A run over what may be in its folder already.

    Parameters
    ----------
    arguments : list of str
        Command line of the run.
    before : pathlib.Path
        Copy of the output folder as it is before; does not exist if there is none.
    earlier, finished : dict
        Visible files of the earlier run (empty without one), and of the undisturbed one.
    seconds : float
        How long the undisturbed run takes.
    """

    arguments: list[str]
    before: Path
    earlier: Files = field(repr=False)
    finished: Files = field(repr=False)
    seconds: float


@dataclass
class Stage:
    """The world, the program that runs on it, and the stories that a fault may disturb."""

    world: TinyWorld
    program: WarmProgram
    stories: dict[str, Story]
    inputs: dict[str, tuple[str, int]] = field(repr=False)

    def set_up(self, name: str) -> Story:
        story = self.stories[name]
        fill(self.world.out, story.before)
        return story

    def assert_inputs_are_untouched(self) -> None:
        assert digest(self.world.sources) == self.inputs

    def assert_never_wrong(self, story: Story, mine: Files) -> str:
        """Name of the run that is there; what may be there is `story`'s, the one before it, or none."""
        self.assert_inputs_are_untouched()
        whole = {"new": story.finished} | ({"earlier": story.earlier} if story.earlier else {})
        return assert_never_wrong(self.world.out, whole, mine)

    def run_again(self, story: Story, mine: Files) -> Ended:
        """Run as if nothing had happened: the outputs must be those of an undisturbed run."""
        ended = self.program.run(*story.arguments)
        assert ended.code == 0, ended.err
        assert differences(visible_files(self.world.out), story.finished | mine) == []
        assert not hidden_names(self.world.out)
        self.assert_inputs_are_untouched()
        return ended


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Make a folder in memory where there is one: the order of calls is tested here, and not the disk."""
    memory = Path("/dev/shm")  # noqa: S108 - only a place to make a folder of one's own in
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="hybridfactory-faults-") as folder:
        Path(folder).chmod(0o755)  # some runs are another user's
        yield Path(folder)


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    world, kept = make_tiny_world(folder / "world"), folder / "kept"
    earlier = world.write_params("earlier", ground_truth_units="[1]", random_seed=3)
    later = world.write_params("later", ground_truth_units="[2]", copy="true")
    reusing = world.write_params("reusing", ground_truth_units="[2]", copy="false")
    same_name = world.write_params("twin", ground_truth_units="[2]", session_name="'earlier'")
    with warm_program(earlier, folder) as program:
        fill(kept / "run", world.out)
        fill(world.out, kept / "nothing")
        _undisturbed(program, ["generate", str(later), "--silent", "--no-write"])
        fill(kept / "planned", world.out)
        stories = {}
        for name, words, before in (
            ("first run", ["generate", later], "nothing"),
            ("over an earlier run", ["generate", later], "run"),
            ("over a run of the same name", ["generate", same_name], "run"),
            ("copy = false", ["generate", reusing], "run"),
            ("write", ["write", world.out], "planned"),
            ("reset", ["reset", world.out], "run"),
        ):
            arguments = [*map(str, words), "--silent"]
            seconds = []
            for _ in range(2):
                fill(world.out, kept / before)
                files = visible_files(world.out)
                seconds.append(_undisturbed(program, arguments).seconds)
                assert not hidden_names(world.out)
            stories[name] = Story(arguments, kept / before, files, visible_files(world.out), min(seconds))
        stories[AFTER_A_KILL] = _killed_while_publishing(
            program, world, stories["over an earlier run"], kept / "torn"
        )
        yield Stage(world, program, stories, digest(world.sources))


def _killed_while_publishing(program: WarmProgram, world: TinyWorld, story: Story, place: Path) -> Story:
    """Make a run over what the same run left that was killed when most of its files were in place."""
    record = place.with_name("steps.txt")
    fill(world.out, story.before)
    assert program.run(*story.arguments, faults={"record": str(record)}).code == 0
    steps = record.read_text(encoding="utf-8").splitlines()
    moves = [number for number, step in enumerate(steps) if json.loads(step)[0] in ("rename", "replace")]
    fill(world.out, story.before)
    assert program.run(*story.arguments, faults={"kill_at": moves[-4]}).was_killed
    assert "manifest.json" not in visible_files(world.out)
    fill(place, world.out)
    return replace(story, before=place)


def _undisturbed(program: WarmProgram, arguments: list[str]) -> Ended:
    ended = program.run(*arguments)
    assert ended.code == 0, ended.err
    return ended
