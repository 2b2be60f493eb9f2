"""Whatever is mistyped, the message names what was probably meant."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hybridfactory.cli import main
from hybridfactory.errors import SortingError
from hybridfactory.pipeline import generate

Capture = pytest.CaptureFixture[str]

PARAMETERS = {
    "data_directory": '"."',
    "raw_source_file": '"a.bin"',
    "data_type": '"int16"',
    "sample_rate": "30000",
    "ground_truth_units": "[1]",
    "start_time": "0",
    "probe": '"neuropixels3a"',
}


def parameter_file(folder: Path, **changes: str) -> Path:
    path = folder / "params.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in (PARAMETERS | changes).items()))
    return path


def answer(arguments: list[str], capsys: Capture) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("time_jiter", "3", "'time_jitter'"),
        ("probe", '"neuropixel3A"', "'neuropixels3a'"),
        ("probe", '"emouse"', "'eMouse'"),
        ("event_model", '"shrunk-svd"', "'shrunk_svd'"),
        ("output_type", '"Kilosort"', "'kilosort'"),
    ],
)
def test_names_in_a_parameter_file(tmp_path: Path, capsys: Capture, name: str, value: str, meant: str) -> None:
    path = parameter_file(tmp_path, **{name: value})
    assert f"did you mean {meant}?" in answer(["generate", str(path)], capsys)


def test_what_resembles_nothing_is_not_guessed_at(tmp_path: Path, capsys: Capture) -> None:
    path = parameter_file(tmp_path, event_model='"xyz"')
    message = answer(["generate", str(path)], capsys)
    assert "did you mean" not in message
    assert "'shrunk_svd', 'derivative_svd'" in message


@pytest.mark.parametrize("name", ["parms.toml", "params.py"])
def test_the_file_itself(tmp_path: Path, capsys: Capture, name: str) -> None:
    parameter_file(tmp_path)
    assert "does not exist; did you mean 'params.toml'?" in answer(["generate", str(tmp_path / name)], capsys)


def test_a_file_in_no_folder(tmp_path: Path, capsys: Capture) -> None:
    assert "did you mean" not in answer(["generate", str(tmp_path / "none" / "params.toml")], capsys)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["generte"], "'generate'"),
        (["validate", "a", "b", "--fail-unde", "0.8"], "--fail-under"),
        (["validate", "a", "b", "--template-score", "person"], "'pearson', 'frobenius'"),
        (["demo", "folder", "--sort", "mountainsort"], "'mountainsort5'"),
    ],
)
def test_commands_options_and_their_values(arguments: list[str], meant: str, capsys: Capture) -> None:
    assert meant in answer(arguments, capsys)


@pytest.mark.parametrize(
    ("label", "num_labels", "choice"),
    [
        (4, 3, "choose from the labels there (label_base = 1): 1, 2, 3"),
        (401, 400, f"the nearest of which are (label_base = 1): {', '.join(map(str, range(381, 401)))}"),
    ],
)
def test_labels_of_units(label: int, num_labels: int, choice: str) -> None:
    sorting: Any = SimpleNamespace(labels=np.arange(1, num_labels + 1))
    asked: Any = SimpleNamespace(ground_truth_units=(1, label), data_directory="sorted", label_base=1)
    source: Any = None  # labels are looked at first
    with pytest.raises(SortingError) as caught:
        generate._check_sorting(sorting, source, asked)
    assert f"no spikes with label {label} in sorted; " in str(caught.value)
    assert str(caught.value).endswith(choice)
