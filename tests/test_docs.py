"""The documentation tells what the program does: links lead somewhere, and no output or command is missing."""

import ast
import json
import re
import runpy
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import hybridfactory
from hybridfactory.demo import make_demo

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OUTPUTS = (DOCS / "outputs.md").read_text(encoding="utf-8")

ELSEWHERE = {
    "annotations-name.csv": {"channel_index"},  # of JRCLUST; the demo's sorting is phy's
    "probe-name.npz": {"shank_ids"},  # of probes that state shanks
}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = make_demo(tmp_path_factory.mktemp("docs") / "demo", duration_s=8.0)
    return hybridfactory.generate(params).output_directory


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def section(heading: str) -> str:
    return OUTPUTS.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def described(heading: str) -> set[str]:
    """Names in the first column of a section's tables."""
    firsts = re.findall(r"^\| (`[^|]*) \|", section(heading), re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


@pytest.fixture(scope="module")
def drawn() -> set[str]:
    """Names of what docs/figures.py draws for the site."""
    return set(runpy.run_path(str(DOCS / "figures.py"))["names"]())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path, drawn: set[str]) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        if link.startswith("drawn/"):
            assert link.removeprefix("drawn/") in drawn, link
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_table_of_contents_is_complete() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:\n")[1].split("\n\n")[0]
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert {name for name in pages if f"({name})" not in index} == {"index.md"}
    # The changelog lies beside the README, and becomes a page of the site.
    assert set(re.findall(r"[\w/-]+\.md", navigation)) == pages | {"changelog.md"}


def test_every_picture_is_shown(drawn: set[str]) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert {name for name in drawn if f"(drawn/{name})" not in text} == set()


def test_everything_public_is_in_the_python_reference() -> None:
    reference = (DOCS / "api.md").read_text(encoding="utf-8")
    public = set(hybridfactory.__all__) - {"__version__"}
    assert {name for name in public if f"::: hybridfactory.{name}\n" not in reference} == set()


def test_readme_names_every_command_and_parameter() -> None:
    from hybridfactory.cli.entry import hybridfactory as program

    commands = (DOCS / "commands.md").read_text(encoding="utf-8")
    for name in program.commands:
        assert f"hybridfactory {name}" in README
        assert f"`hybridfactory {name}" in commands
    for parameter in fields(hybridfactory.Parameters):
        assert re.search(rf"^\| .*`{parameter.name}`", README, re.MULTILINE), parameter.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_compiles(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for code in blocks(text, "python"):
        ast.parse(code, str(page))
    for code in blocks(text, "toml"):
        tomllib.loads(code)


def test_both_parameter_files_of_the_readme_say_the_same() -> None:
    python: dict[str, object] = {}
    exec(next(code for code in blocks(README, "python") if "data_directory" in code), python)  # noqa: S102
    toml = tomllib.loads(blocks(README, "toml")[0])
    assert toml.keys() == {name for name in python if name not in {"__builtins__", "np", "neuropixels3a"}}
    same = toml.keys() - {"data_type", "probe"}
    assert {name: toml[name] for name in same} == {name: python[name] for name in same}


def test_every_file_is_described(run_folder: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}
    general = {re.sub(r"([-_])demo\.", r"\1name.", name) for name in names if ".GT." not in name}
    general |= {re.sub(r"^.*\.GT", "data.GT", name) for name in names if ".GT." in name}
    assert general == set(re.findall(r"^\| \[`([^`]+)`\]\(", OUTPUTS, re.MULTILINE))
    for name in general - {"data.GT.meta"}:
        assert f"`{name}`" in README


def test_every_column_and_array_is_described(run_folder: Path) -> None:
    for path in run_folder.iterdir():
        name = re.sub(r"([-_])demo\.", r"\1name.", path.name)
        if path.suffix == ".csv":
            found = set(path.read_text(encoding="utf-8").splitlines()[0].split(","))
        elif path.suffix == ".npz":
            with np.load(path) as archive:
                found = set(archive.files)
        else:
            continue
        assert found == described(name) - ELSEWHERE.get(name, set()), name


def test_every_field_of_the_manifest_is_described(run_folder: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
    # What is measured of a finished run comes later.
    assert manifest.keys() == described("manifest.json") - {"realism"}
    text = section("manifest.json")
    for nested in (manifest["recording"], manifest["sources"][0], manifest["targets"][0], manifest["units"][0]):
        for field in nested:
            assert f"`{field}`" in text


def test_the_numpy_example_of_the_outputs_page_runs(run_folder: Path) -> None:
    code = next(code for code in blocks(OUTPUTS, "python") if "np.memmap" in code)
    names: dict[str, object] = {}
    exec(code.replace("hybridfactory-demo/hybrid", str(run_folder)), names)  # noqa: S102
    event = names["event"]
    assert isinstance(event, np.ndarray)
    assert event.shape == (81,)


def test_the_example_draws(run_folder: Path, tmp_path: Path) -> None:
    script = ROOT / "examples" / "draw_donor_and_injected.py"
    picture = tmp_path / "picture.png"
    subprocess.run([sys.executable, script, run_folder, picture], check=True, timeout=60)
    assert picture.read_bytes().startswith(b"\x89PNG")
