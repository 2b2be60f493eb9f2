"""Completion in a real shell, as docs/commands.md says how to switch it on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")

SCRIPT = """
PATH={programs}:$PATH
{switch_on}
COMP_WORDS=({words})
COMP_CWORD={index}
_hybridfactory_completion hybridfactory
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(words: str, folder: Path) -> list[str]:
    """Ask bash what it would offer for the last of some words."""
    switch_on = re.search(
        r'^\$ (eval "\$\(_HYBRIDFACTORY_COMPLETE=bash_source hybridfactory\)")$', DOCS, re.MULTILINE
    )
    assert switch_on
    script = SCRIPT.format(
        programs=Path(sys.executable).parent, switch_on=switch_on[1], words=words, index=len(words.split()) - 1
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMP")}
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.split()


pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or not (Path(sys.executable).parent / "hybridfactory").exists(),
    reason="needs bash, and the command beside this Python",
)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("hybridfactory gen", ["generate"]),
        ("hybridfactory validate --template", ["--template-score", "--templates"]),
        ("hybridfactory validate a b --template-score p", ["pearson"]),
        ("hybridfactory write run --format z", ["zarr"]),
    ],
)
def test_bash_offers(words: str, offered: list[str], tmp_path: Path) -> None:
    assert completed(words, tmp_path) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(shell: str) -> None:
    environment = {**os.environ, "_HYBRIDFACTORY_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-m", "hybridfactory"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "hybridfactory" in done.stdout
    assert f"_HYBRIDFACTORY_COMPLETE={shell}_complete" in done.stdout
