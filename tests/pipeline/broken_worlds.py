"""Ways to spoil a small world before a run is made of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hybrid_world import NUM_ROWS

Change = dict[str, str]
Prepare = Callable[[Path], Change]
"""Spoils the copy of the world in a folder, and returns parameters to change, as Python expressions."""

NOTHING: Change = {}


def save(name: str, array: np.ndarray) -> Prepare:
    def prepare(folder: Path) -> Change:
        np.save(folder / "sorted" / name, array)
        return NOTHING

    return prepare


def times(change: Callable[[np.ndarray], np.ndarray]) -> Prepare:
    def prepare(folder: Path) -> Change:
        path = folder / "sorted" / "spike_times.npy"
        np.save(path, change(np.load(path)))
        return NOTHING

    return prepare


def cut(name: str, size: int) -> Prepare:
    def prepare(folder: Path) -> Change:
        os.truncate(folder / name, size)
        return NOTHING

    return prepare


def remove(name: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / name).unlink()
        return NOTHING

    return prepare


def change(**changes: str) -> Prepare:
    return lambda _folder: changes


def put_text(name: str, text: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return NOTHING

    return prepare


def two_files(start_time: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        data = (folder / "raw.bin").read_bytes()
        (folder / "raw.bin").unlink()
        half = 35_000 * NUM_ROWS * 2
        (folder / "t1.bin").write_bytes(data[:half])
        (folder / "t2.bin").write_bytes(data[half:])
        return {"raw_source_file": "os.path.join(here, 't*.bin')", "start_time": start_time}

    return prepare


def rez(name: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        shutil.rmtree(folder / "sorted")
        (folder / "sorted").mkdir()
        (folder / "sorted" / name).write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
        return NOTHING

    return prepare


def other_rate(folder: Path) -> Change:
    text = (folder / "sorted" / "params.py").read_text()
    (folder / "sorted" / "params.py").write_text(text.replace("20000.0", "30000.0"))
    return NOTHING


def meta(**changes: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        fields = {"nSavedChans": "34", "imSampRate": "20000", "firstSample": "0", "snsApLfSy": "33,0,1"} | changes
        (folder / "raw.meta").write_text("".join(f"{key}={value}\n" for key, value in fields.items()))
        return NOTHING

    return prepare


def linked(link: Callable[[Path, Path], None]) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / "out").mkdir()
        link(folder / "raw.bin", folder / "out" / "raw.GT.bin")
        return NOTHING

    return prepare


def foreign(name: str, data: bytes) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / "out").mkdir()
        (folder / "out" / name).write_bytes(data)
        return NOTHING

    return prepare


def write_params(folder: Path, changes: Change) -> Path:
    given = {
        "data_directory": "os.path.join(here, 'sorted')",
        "raw_source_file": "os.path.join(here, 'raw.bin')",
        "data_type": "np.int16",
        "sample_rate": "20000",
        "ground_truth_units": "[2]",
        "start_time": "0",
        "probe": "eMouse()",
        "session_name": "'bad'",
        "random_seed": "3",
        "output_directory": "os.path.join(here, 'out')",
    } | changes
    lines = ["import os", "import numpy as np", "from hybridfactory.probes import custom_probe, eMouse"]
    lines += ["here = os.path.dirname(os.path.abspath(__file__))"]
    lines += [f"{name} = {expression}" for name, expression in given.items() if expression != "None"]
    path = folder / "params.py"
    path.write_text("\n".join(lines) + "\n")
    return path
