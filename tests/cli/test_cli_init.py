"""``hybridfactory init`` on the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hybridfactory.cli import main
from hybridfactory.cli.recording_options import asker
from hybridfactory.demo import make_demo
from hybridfactory.pipeline import init as pipeline_init


def cache(function: Callable[..., object]) -> Callable[..., object]:
    """Call a slow function once, and hand out the same again."""
    results: list[object] = []

    def once(*arguments: object, **options: object) -> object:
        if not results:
            results.append(function(*arguments, **options))
        return results[0]

    return once


def test_from_a_folder_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_demo(tmp_path / "demo", duration_s=8.0)
    monkeypatch.setattr(pipeline_init, "survey_inputs", cache(pipeline_init.survey_inputs))
    monkeypatch.chdir(tmp_path / "demo")
    assert main(["init", "sorting", "--num-units", "2"]) == 0
    text = capsys.readouterr().out
    assert "Recording" in text
    assert "48 sites connected (the .meta file)" in text
    assert "Hybrid     will go to demo_g0_t0-hybrid\n" in text
    assert "Sorting    sorting (a phy sorting, 14 units)\n" in text
    assert text.endswith("Written to params.toml. Next:\n  hybridfactory generate params.toml\n")
    assert main(["init", "sorting"]) == 2
    assert "params.toml exists" in capsys.readouterr().err
    assert main(["init", "sorting", "--silent", "--force", "-o", "params.toml"]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sorting").mkdir()
    np.save(tmp_path / "sorting" / "spike_times.npy", np.arange(100, 9000, 90))
    np.save(tmp_path / "sorting" / "spike_clusters.npy", np.zeros(99, dtype=np.int32))
    output = tmp_path / "new.toml"
    assert main(["init", str(tmp_path / "sorting"), "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "give --raw" in error
    assert main(["init", str(tmp_path / "sorting"), "--sample-rate", "-5"]) == 2
    assert "--sample-rate: -5 is no number above 0" in capsys.readouterr().err
    assert not output.exists()


def test_wrong_inputs_come_before_a_file_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "params.toml"
    output.write_text("")
    (tmp_path / "sorting").mkdir()
    np.save(tmp_path / "sorting" / "spike_times.npy", np.arange(9))
    np.save(tmp_path / "sorting" / "spike_clusters.npy", np.zeros(9, dtype=np.int32))
    for arguments, message in (
        ([str(tmp_path / "nowhere")], "nowhere: no such file or folder"),
        ([str(tmp_path / "sorting"), "--raw", str(tmp_path / "gone.bin")], "gone.bin"),
        ([str(tmp_path / "sorting")], "params.toml exists"),
    ):
        assert main(["init", *arguments, "-o", str(output)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert output.read_text() == ""


def test_nobody_is_asked_in_a_pipe() -> None:
    assert asker(silent=False) is None
