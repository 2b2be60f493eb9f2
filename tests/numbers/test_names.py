"""Folders and files of any name: spaces, other alphabets, what globs take for signs, other systems' paths."""

import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from odd_worlds import OddWorld, planned
from test_sizes import as_toml, write_world

import hybridfactory
from hybridfactory.cli import main

NAMES = ["two words", "Größe µV", "日本語", "it's", "100% [a] *?", "a#b;c&d$e", "-o", "trailing ", "CON", "e\u0301 é"]


@pytest.fixture
def world(tiny: ModuleType, tmp_path: Path) -> OddWorld:
    return write_world(tiny, tmp_path / "world", 10)


def moved(world: OddWorld, folder: Path) -> OddWorld:
    folder.mkdir(parents=True)
    for path in (world.raw, world.sorting):
        shutil.move(path, folder / path.name)
    return OddWorld(folder, world.num_rows, world.dtype)


def check(world: OddWorld) -> None:
    """A run on the command line from its own folder, and everything that opens it afterwards."""
    output = world.folder / "out"
    here = OddWorld(Path(), world.num_rows, world.dtype)
    params = as_toml(here, Path("out"), world.folder)
    assert main(["generate", str(params), "--silent"]) == 0
    run = hybridfactory.load(output)
    hybrid = np.fromfile(output / "raw.GT.bin", "<i2").reshape(-1, world.num_rows)
    np.testing.assert_array_equal(run.recording.get_traces(), hybrid)
    assert (hybrid != world.source).any()
    # The parameters that repeat the run name the same files.
    [again] = output.glob("hfparams_*.py")
    before = hybrid.copy()
    assert main(["generate", str(again), "--silent"]) == 0
    np.testing.assert_array_equal(np.fromfile(output / "raw.GT.bin", "<i2").reshape(before.shape), before)


@pytest.mark.parametrize("name", NAMES)
def test_any_name(world: OddWorld, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(moved(world, tmp_path / name))
    assert capsys.readouterr().err == ""


def test_names_in_no_known_encoding(world: OddWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Disks of other systems hold names that are no UTF-8."""
    name = os.fsdecode(b"K\xe4fer")
    try:
        other = moved(world, tmp_path / name)
    except OSError:
        pytest.skip("this disk takes no such names")
    check(other)
    assert capsys.readouterr().err == ""


def test_an_error_about_a_name_with_a_line_end_is_one_line(
    world: OddWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = moved(world, tmp_path / "two\nlines")
    os.truncate(other.raw, 0)
    params = tmp_path / "params.py"
    text = as_toml(other, tmp_path / "out").read_text().partition("[probe]")[0].replace("\nlines", "\\nlines")
    params.write_text(
        text + "from hybridfactory.probes import custom_probe\nprobe = custom_probe([0], [1], [[0, 0]])\n"
    )
    assert main(["generate", str(params), "--silent"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


WINDOWS = [
    ("data_directory", "'D:\\data\\sorted'"),
    ("data_directory", "'\\\\server\\share\\sorted'"),
    ("raw_source_file", "'D:\\data\\raw.bin'"),
    ("raw_source_file", "'D:/data/raw.bin'"),
    ("raw_source_file", "'..\\world\\raw*.bin'"),
    ("output_directory", "'D:\\hybrid'"),
    ("output_directory", "'D:/hybrid'"),
    ("output_directory", "'\\\\server\\share'"),
    ("output_directory", "'..\\hybrid'"),
]


@pytest.mark.parametrize(("parameter", "value"), WINDOWS)
def test_paths_of_windows(
    world: OddWorld, tmp_path: Path, parameter: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They name nothing here, and no folder called ``D:\\hybrid`` comes into being beside the parameter file."""
    params = as_toml(world, tmp_path / "out")
    lines = params.read_text().splitlines()
    params.write_text("\n".join(f"{parameter} = {value}" if line.startswith(parameter) else line for line in lines))
    before = sorted(tmp_path.rglob("*"))
    assert main(["generate", str(params), "--silent"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("hybridfactory: error: ")
    assert err.count("\n") == 1
    assert parameter in err
    assert sorted(tmp_path.rglob("*")) == before


def test_windows_paths_in_what_a_sorter_wrote(world: OddWorld, tmp_path: Path) -> None:
    """Sorted on another machine: where the raw file was there does not matter."""
    (world.sorting / "params.py").write_text(
        "dat_path = 'D:\\new\\temp\\raw.bin'\nn_channels_dat = 10\ndtype = 'int16'\noffset = 0\n"
        "sample_rate = 20000.0\nhp_filtered = False\n"
    )
    result = world.run(tmp_path / "out")
    source = world.source
    np.testing.assert_array_equal(world.hybrid(result), np.rint(source + planned(result, *source.shape)))
