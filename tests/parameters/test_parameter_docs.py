"""docs/parameters.md: complete, true, and its examples load."""

import re
import runpy
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from hybridfactory.parameters import Parameters, load_parameters
from hybridfactory.parameters.names import ALIASES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "parameters.md"
DOCS = PAGE.read_text(encoding="utf-8")
ROWS = {
    cells[1].strip("`"): cells[2:5]
    for line in DOCS.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.split("|")]]
}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCS, flags=re.DOTALL)


def test_the_table_is_what_the_code_says():
    table = runpy.run_path(str(PAGE.with_name("parameter_table.py")))
    assert table["with_table"](DOCS) == DOCS, "run: python docs/parameter_table.py"


@pytest.mark.parametrize("item", fields(Parameters), ids=lambda item: item.name)
def test_each_row_tells_all_there_is(item):
    default, unit, meaning = ROWS[item.name]
    assert len(meaning) > 20
    if item.default is MISSING:
        assert default == "*required*"
    elif item.default is None:
        assert "Default:" in meaning
    else:
        assert default.strip("`") == repr(item.default).replace("()", "[]")
    assert unit == (item.metadata["unit"] or "—")
    for choice in item.metadata["choices"]:
        assert str(choice) in meaning


def test_aliases_are_mentioned():
    for alias, name in ALIASES.items():
        assert f"`{alias}` (for `{name}`)" in DOCS


def test_python_example(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    path = tmp_path / "params.py"
    path.write_text(max(blocks("python"), key=len), encoding="utf-8")
    parameters = load_parameters(path)
    assert parameters.data_directory == Path("/home/somebody/recordings/run1/kilosort")
    assert parameters.start_time == (0, 9000000)
    assert parameters.probe.connected.tolist() == [True, True, False, True, False]
    assert parameters.copy is True


@pytest.mark.parametrize("probe", ["", blocks("toml")[1]])
def test_toml_examples(tmp_path, probe):
    example = blocks("toml")[0]
    if probe:
        example = re.sub(r"(?m)^probe = .*$", "", example) + probe
    path = tmp_path / "params.toml"
    path.write_text(example, encoding="utf-8")
    parameters = load_parameters(path)
    assert parameters.ground_truth_units == (2, 16, 41)
    assert parameters.probe.name == ("four sites and sync" if probe else "Neuropixels Phase 3A")
    assert parameters.raw_source_file == tmp_path / "run1_g0_t*.imec0.ap.bin"
