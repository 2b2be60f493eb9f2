"""Where broken input is tried: a small world that may be spoilt, a finished run, and the command line."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broken_worlds import Change, Prepare, write_params
from hybrid_world import World, make_world

from hybridfactory.cli import main

__all__ = ["LIBRARY", "Bench", "Case", "Make", "Workshop", "answer", "case", "generating", "shown"]


@dataclass(frozen=True)
class Workshop:
    """What benches are copied from; nothing in it is changed.

    Parameters
    ----------
    world : World
    run : pathlib.Path
        Folder of a finished run of it.
    """

    world: World
    run: Path

    @classmethod
    def build(cls, folder: Path) -> "Workshop":
        world = make_world(folder / "world", num_samples=70_000)
        world.run(folder / "run", ground_truth_units=[2], session_name="e2e")
        return cls(world, folder / "run")


@dataclass(frozen=True)
class Bench:
    """One place to break things in."""

    folder: Path
    workshop: Workshop

    def copy_world(self) -> None:
        """Lay out raw.bin and sorted/."""
        shutil.copyfile(self.workshop.world.raw, self.folder / "raw.bin")
        shutil.copytree(self.workshop.world.sorting, self.folder / "sorted")

    def copy_run(self) -> Path:
        """Lay out run/, which was made from the workshop's own recording."""
        return Path(shutil.copytree(self.workshop.run, self.folder / "run"))

    def edit_manifest(self, edit: Callable[[dict[str, Any]], None]) -> Path:
        """Lay out run/ with a changed manifest."""
        run = self.copy_run()
        path = run / "manifest.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        edit(content)
        path.write_text(json.dumps(content), encoding="utf-8")
        return run


LIBRARY = r"(?<=\()(?!exit)[^()]*(?:\([^()]*\)[^()]*)*(?=\)[;:])"
"""What stands in brackets before the advice: words of NumPy, SciPy, HDF5, pandas."""

Make = Callable[[Bench], list[str]]
"""Breaks something, and returns the arguments of the command that meets it."""


@dataclass(frozen=True)
class Case:
    """One way in which an input can be wrong.

    Parameters
    ----------
    what : str
        For the page.
    make : callable
    varies : str
        Pattern of what other versions of a library word in another way.
    """

    what: str
    make: Make
    varies: str = ""


def generating(prepare: Prepare) -> Make:
    """Spoil the world, and generate."""

    def make(bench: Bench) -> list[str]:
        bench.copy_world()
        return ["generate", str(write_params(bench.folder, prepare(bench.folder)))]

    return make


def case(what: str, prepare: Callable[[Path], Change], varies: str = "") -> Case:
    """Spoil the world before generate is called."""
    return Case(what, generating(prepare), varies)


def answer(arguments: list[str], folder: Path) -> tuple[int, list[str], str]:
    """Run a command; exit code, the lines on stderr without progress, and stdout."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--silent"])
    return code, err.getvalue().splitlines(), out.getvalue()


def shown(message: str, folder: Path, varies: str = "") -> str:
    """Leave out of a message what is of this machine: where its folder lies, and a library's own words."""
    text = message.removeprefix("hybridfactory: error: ").replace(f"{folder}/", "").replace(str(folder), "FOLDER")
    return re.sub(varies, "…", text) if varies else text
