"""Bad input through the command line: one clear line, exit code 2, nothing left behind."""

import errno
import os
import re
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from broken_worlds import NOTHING, meta, write_params
from hybrid_world import NUM_ROWS, World, contents, write_phy

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.injection import copying
from hybridfactory.pipeline import planning


@pytest.fixture
def folder(small_world: World, tmp_path: Path) -> Path:
    """A copy of the world that may be spoilt."""
    (tmp_path / "raw.bin").write_bytes(small_world.raw.read_bytes())
    shutil.copytree(small_world.sorting, tmp_path / "sorted")
    return tmp_path


def assert_refused(folder: Path, params: Path, capsys: pytest.CaptureFixture[str], *named: str) -> str:
    before = contents(folder)
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    capsys.readouterr()
    assert main(["generate", str(params)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if "error" in line]
    assert len(errors) == 1, err
    assert err.splitlines()[-1] == errors[0]
    message = errors[0].removeprefix("hybridfactory: error: ")
    assert message != errors[0]
    for text in named:
        assert text in message
    assert contents(folder) == before
    assert {path for path in folder.rglob("*") if path.is_dir()} == folders
    return message


def test_a_syntax_error_names_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = folder / "params.py"
    params.write_text("import numpy as np\nprobe = (\n")
    assert_refused(folder, params, capsys, "params.py", "line 2", "syntax error")
    params.write_text("import numpy as np\nrate = 1 / 0\n")
    assert_refused(folder, params, capsys, "params.py", "line 2", "ZeroDivisionError")
    toml = folder / "params.toml"
    toml.write_text("sample_rate = \n")
    assert_refused(folder, toml, capsys, "params.toml", "line 1")


def test_no_parameter_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused(folder, folder / "none.py", capsys, "none.py", "does not exist")
    (folder / "empty").mkdir()
    assert_refused(folder, folder / "empty", capsys, "empty", "params.py")
    (folder / "params.json").write_text("{}")
    assert_refused(folder, folder / "params.json", capsys, "params.json", ".toml")


def test_too_little_disk_space(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9, 1000))
    params = write_params(folder, {"output_directory": "os.path.join(here, 'new', 'out')"})
    assert_refused(folder, params, capsys, "too little disk space", "output_directory")


def test_a_disk_that_fills_up_on_the_way(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, target: Path, **_options: object) -> None:
        target.write_bytes(b"some")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(copying, "copy_file", full)
    assert_refused(folder, write_params(folder, NOTHING), capsys, "disk is full", "output_directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_output_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    out.mkdir(mode=0o555)
    assert_refused(folder, write_params(folder, NOTHING), capsys, "output_directory", "cannot be written")
    changes = {"output_directory": "os.path.join(here, 'out', 'deeper')"}
    assert_refused(folder, write_params(folder, changes), capsys, "output_directory", "cannot be created")


def test_the_sorting_of_another_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has times beyond this one's end, as a longer recording's has."""
    write_phy(folder / "sorted", {2: np.arange(100, 400_000, 700), 4: np.arange(300, 400_000, 900)})
    assert_refused(
        folder, write_params(folder, NOTHING), capsys, "outside the recording", "sorting of this recording"
    )


def test_an_earlier_run_survives_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = write_params(folder, NOTHING)
    assert main(["generate", str(params), "--silent"]) == 0
    for changes in ({"ground_truth_units": "[99]"}, {"ground_truth_units": "[6]"}, {"start_time": "'x'"}):
        assert_refused(folder, write_params(folder, changes), capsys)


def test_every_unit_that_was_refused_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = write_params(folder, {"ground_truth_units": "[2, 4, 6]", "channel_shift": "1"})
    message = assert_refused(folder, params, capsys)
    assert all(f"unit {label}: " in message for label in (2, 4, 6))


def test_the_meta_file_of_the_source_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A raw file without extension, with the output beside it: data → data.GT, data.meta must stay."""
    (folder / "raw.bin").rename(folder / "raw")
    meta(fileName="raw", fileSHA1="0123")(folder)
    before = (folder / "raw.meta").read_bytes()
    changes = {"raw_source_file": "os.path.join(here, 'raw')", "output_directory": "here"}
    assert main(["generate", str(write_params(folder, changes)), "--silent"]) == 0, capsys.readouterr().err
    assert (folder / "raw.GT").is_file()
    assert (folder / "raw.meta").read_bytes() == before


def test_a_bug_says_that_it_is_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a wheel came off")

    monkeypatch.setattr(planning, "learn_event_models", broken)
    before = contents(folder)
    params = write_params(folder, NOTHING)
    assert main(["generate", str(params)]) == 1
    err = capsys.readouterr().err
    assert hybridfactory.__version__ in err
    assert "Traceback" in err
    assert "RuntimeError: a wheel came off" in err
    assert re.search(r"report it at https?://", err)
    assert "hybridfactory: error:" not in err
    params.unlink()
    assert contents(folder) == before


def test_a_float_recording_with_dropouts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN marks missing data in float recordings: either it is left alone, or one line says it will not do."""
    traces = np.fromfile(folder / "raw.bin", "<i2").reshape(-1, NUM_ROWS).astype("<f4")
    traces[30_000:30_500] = np.nan
    traces.tofile(folder / "raw.bin")
    code = main(["generate", str(write_params(folder, {"data_type": "np.float32"}))])
    err = capsys.readouterr().err
    assert code in (0, 2), err
    if code == 2:
        assert "nan" in err.lower()
        return
    hybrid = np.fromfile(folder / "out" / "raw.GT.bin", "<f4").reshape(-1, NUM_ROWS)
    assert np.isnan(hybrid[30_000:30_500]).all()
    assert np.isfinite(hybrid[:30_000]).all()
    assert np.isfinite(hybrid[30_500:]).all()
