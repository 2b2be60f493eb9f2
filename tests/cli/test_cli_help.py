"""Every command explains itself, in the program and in the documentation, without loading what is slow."""

import subprocess
import sys
from pathlib import Path

import pytest

from hybridfactory import _version
from hybridfactory.cli import main
from hybridfactory.cli.entry import hybridfactory

COMMANDS = sorted(hybridfactory.commands)
SLOW = ("numpy", "scipy", "numba", "pandas", "h5py", "spikeinterface", "probeinterface", "rich", "matplotlib")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, flag]) == 0
    text = capsys.readouterr().out
    assert f"Usage: hybridfactory {name}" in text
    assert "Examples:\n" in text
    assert f"  hybridfactory {name}" in text.split("Examples:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_of_a_command_is_documented(name: str) -> None:
    command = hybridfactory.commands[name]
    documentation = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"## `hybridfactory {name}" in documentation
    section = documentation.split(f"## `hybridfactory {name}")[1].split("\n## ")[0]
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            assert parameter.name is not None
            assert parameter.name.upper() in command.help
            assert parameter.name.upper() in section
        else:
            assert parameter.help  # type: ignore[attr-defined]
            assert parameter.opts[-1] in section


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_the_program_lists_its_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "...\n" not in text.split("Commands:")[1], "a summary is cut off"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hybridfactory {_version.__version__}\n"


def test_help_loads_nothing_slow() -> None:
    code = (
        "import sys\n"
        "from hybridfactory.cli import main\n"
        "main(['--help'])\n"
        f"print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "hybridfactory", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hybridfactory ")


def test_completion_lists_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_HYBRIDFACTORY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "hybridfactory gen")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert "generate" in capsys.readouterr().out
