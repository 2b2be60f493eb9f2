"""The wheel holds what the program needs to run, and nothing of the checkout beside it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from hybridfactory._version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_the_package_whole_and_alone(wheel: zipfile.ZipFile) -> None:
    package = ROOT / "src" / "hybridfactory"
    expected = {
        f"hybridfactory/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "hybridfactory/py.typed" in expected
    assert any(name.endswith(".html.j2") for name in expected)
    packed = set(wheel.namelist())
    assert {name for name in packed if ".dist-info/" not in name} == expected
    assert any(name.endswith("licenses/LICENSE") for name in packed)


def test_what_the_wheel_says_of_itself(wheel: zipfile.ZipFile) -> None:
    folder = f"hybridfactory-{__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    assert metadata["Version"] == __version__
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert "hybridfactory = hybridfactory.cli:program" in wheel.read(f"{folder}/entry_points.txt").decode()


def test_every_dependency_has_a_lower_bound() -> None:
    extras = PROJECT["optional-dependencies"].values()
    for requirement in [*PROJECT["dependencies"], *(item for extra in extras for item in extra)]:
        assert re.match(r"hybridfactory\[|[\w.-]+(\[\w+\])?>=\d", requirement), requirement


def test_other_files_agree_with_the_project() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
    conda = (ROOT / "environment.yml").read_text(encoding="utf-8")
    bounds = dict(re.findall(r'"?([\w-]+)>=([\d.]+)', str(PROJECT)))
    named = dict(re.findall(r"^  - ([\w-]+) >=([\d.]+)$", conda, re.MULTILINE))
    assert f">={named.pop('python')}" == PROJECT["requires-python"]
    assert named == {name: bounds[name.removesuffix("-base")] for name in named}
