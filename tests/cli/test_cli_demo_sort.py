"""``hybridfactory demo --sort`` says before it starts what it lacks."""

from pathlib import Path

import pytest

from hybridfactory.cli import main
from hybridfactory.pipeline import sort as sort_module
from hybridfactory.pipeline.sort import choose_sorter


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that are there; to be filled by the test."""
    packages: set[str] = set()
    monkeypatch.setattr(sort_module, "find_spec", lambda name: name if name in packages else None)
    return packages


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    return line


def test_without_any_sorter(installed: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = failure(["demo", str(tmp_path / "demo"), "--sort"], capsys)
    assert line == "hybridfactory: error: no spike sorter is installed: pip install 'hybridfactory[sort]'"
    assert list(tmp_path.iterdir()) == []


def test_without_the_sorter_that_was_asked_for(
    installed: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed |= {"hdbscan", "sklearn"}
    line = failure(["demo", str(tmp_path / "demo"), "--sort", "mountainsort5"], capsys)
    assert (
        line == "hybridfactory: error: the sorter mountainsort5 is not installed: pip install 'hybridfactory[sort]'"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_sorter(
    installed: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = failure(["demo", "--sort", str(tmp_path / "demo")], capsys)
    assert f"there is no sorter '{tmp_path / 'demo'}'" in line
    assert "mountainsort5, spykingcircus2, tridesclous2" in line
    assert "name the FOLDER first" in line
    assert list(tmp_path.iterdir()) == []


def test_the_quickest_that_is_there(installed: set[str]) -> None:
    installed |= {"hdbscan", "sklearn"}
    assert choose_sorter() == "spykingcircus2"
    assert choose_sorter("tridesclous2") == "tridesclous2"
    installed |= {"mountainsort5", "isosplit6"}
    assert choose_sorter() == "mountainsort5"
