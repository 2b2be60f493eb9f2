"""2018 parameter files: run as they are, with what surrounds them left as it was."""

import sys
from pathlib import Path

import numpy as np
import pytest

from hybridfactory.errors import ParameterError
from hybridfactory.parameters import load_parameters
from hybridfactory.probes import eMouse, neuropixels3a

COMPLETE_2018 = """\
from os import path as op
import os, copy

import numpy as np

import hybridfactory.probes
from hybridfactory.probes import custom_probe
from hybridfactory.io.spikegl import get_start_times

home = op.expanduser("~")
_private = 1

# REQUIRED PARAMETERS
data_directory = op.join(os.sep, "data", "ks")
raw_source_file = op.join(data_directory, "*.bin")
data_type = np.int16
sample_rate = 25000
ground_truth_units = np.array([3, 17])
start_time = get_start_times(op.join(op.dirname(__file__), "r_t*.meta"))

# PROBE CONFIGURATION
refchans = np.array([1])
channel_map = np.arange(4)
connected = ~np.isin(channel_map, refchans)
xcoords = 20. * np.array([np.nan, 0, 1, 0])[[1, 2, 3, 0]]
ycoords = 20 * np.array([1, 1, 2, np.nan])
connected[3] = False
channel_positions = np.hstack((xcoords[:, np.newaxis], ycoords[:, np.newaxis]))
name = "mine"
probe_type = custom_probe(channel_map, connected, channel_positions, name)

# OPTIONAL PARAMETERS
session_name = "test"
random_seed = 42
output_type = "kilosort"
channel_shift = 20
jitter_factor = 50
amplitude_scale_min = 0.5
event_threshold = -30
erase = False
"""

MINIMAL = """\
data_directory = "/data/ks"
raw_source_file = "/data/raw.bin"
data_type = "int16"
sample_rate = 30000
ground_truth_units = [3, 17]
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="params.py", prefix=MINIMAL):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(prefix + text, encoding="utf-8")
        return path

    return write_file


def failure(path):
    with pytest.raises(ParameterError) as caught:
        load_parameters(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


class TestWhatRuns:
    def test_complete_file_of_2018(self, write, tmp_path):
        for number, first in ((2, 300), (10, 900)):
            (tmp_path / f"r_t{number}.meta").write_text(f"firstSample={first}\n")
        parameters = load_parameters(write(COMPLETE_2018, prefix=""))
        assert parameters.data_directory == Path("/data/ks")
        assert parameters.raw_source_file == Path("/data/ks/*.bin")
        assert parameters.data_type == np.int16
        assert parameters.sample_rate == 25000
        assert parameters.ground_truth_units == (3, 17)
        assert parameters.start_time == (0, 600)
        assert parameters.probe.name == "mine"
        assert parameters.probe.connected.tolist() == [True, False, True, False]
        assert parameters.session_name == "test"
        assert parameters.random_seed == 42
        assert parameters.output_type == "kilosort"
        assert parameters.channel_shift == 20
        assert parameters.time_jitter == 50
        assert parameters.amplitude_scale_min == 0.5
        assert parameters.copy is False

    @pytest.mark.parametrize(
        ("lines", "probe"),
        [
            ("import hybridfactory.probes\nprobe = hybridfactory.probes.neuropixels3a()", neuropixels3a()),
            (
                "from hybridfactory.probes import neuropixels3a as n\nprobe_type = n(False)",
                neuropixels3a(False),
            ),
            ("from hybridfactory.probes import eMouse\nprobe = probe_type = eMouse()", eMouse()),
            ("from hybridfactory import probes\nprobe = probes.eMouse()", eMouse()),
        ],
    )
    def test_probe_presets(self, write, lines, probe):
        assert load_parameters(write(lines)).probe == probe

    @pytest.mark.parametrize(
        "line", ["import copy", "from copy import copy", "from numpy import *", "from math import *"]
    )
    def test_copy_may_be_something_else(self, write, line):
        assert load_parameters(write(line)).copy is False

    def test_copy_the_parameter(self, write):
        assert load_parameters(write("import copy\ncopy = True")).copy is True

    def test_functions_classes_and_private_names_are_not_parameters(self, write):
        text = "def channel_shfit(): pass\nclass Sample_rate: pass\n_copy = 1\n__Copy = 2\nimport os as probee"
        assert load_parameters(write(text)).channel_shift is None

    def test_its_name_and_place(self, write):
        parameters = load_parameters(
            write("import os\nsession_name = __name__ + '-' + os.path.basename(__file__)", "my params.py")
        )
        assert parameters.session_name == "my params-my params.py"

    def test_dataclasses_work_inside(self, write):
        text = (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Rig:\n    seed: int = 7\nrandom_seed = Rig().seed\n"
        )
        assert load_parameters(write(text + MINIMAL, prefix="")).random_seed == 7

    def test_encoding_cookie(self, tmp_path):
        path = tmp_path / "params.py"
        path.write_bytes(("# -*- coding: latin-1 -*-\n" + MINIMAL + "session_name = 'Käfer'").encode("latin-1"))
        assert load_parameters(path).session_name == "Käfer"

    def test_runs_in_a_fresh_namespace(self, write):
        load_parameters(write("random_seed = 3", "a.py"))
        assert load_parameters(write("", "b.py")).random_seed is None


class TestSurroundings:
    def test_neighbours_are_importable_and_forgotten(self, write, tmp_path):
        for number in (1, 2):
            write(f"SEED = {number}", f"{number}/rig_settings.py", prefix="")
            write(f"DEEP = {number}", f"{number}/rig_package/deep.py", prefix="")
            write("", f"{number}/rig_package/__init__.py", prefix="")
            write("", f"{number}/rig_space/part.py", prefix="")
            text = (
                "import rig_settings, rig_space.part\nfrom rig_package import deep\n"
                "random_seed = rig_settings.SEED\nchannel_shift = deep.DEEP"
            )
            before = list(sys.path)
            parameters = load_parameters(write(text, f"{number}/params.py"))
            assert (parameters.random_seed, parameters.channel_shift) == (number, number)
            assert sys.path == before
            assert not [name for name in sys.modules if name.startswith("rig_")]

    def test_nothing_is_left_in_the_folder(self, write, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        write("SEED = 1", "rig_settings.py", prefix="")
        load_parameters(write("import rig_settings"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["params.py", "rig_settings.py"]
        assert sys.dont_write_bytecode is False

    def test_libraries_below_the_folder_stay_loaded(self, write, tmp_path):
        write("", ".venv/lib/rig_library/__init__.py", prefix="")
        write("import sys\nsys.path.append(r'" + str(tmp_path / ".venv/lib") + "')\nimport rig_library")
        try:
            load_parameters(tmp_path / "params.py")
            assert "rig_library" in sys.modules
        finally:
            sys.modules.pop("rig_library", None)

    def test_restored_after_a_failure(self, write):
        before, modules = list(sys.path), set(sys.modules)
        failure(write("import sys\nsys.path.insert(0, 'nowhere')\n1 / 0"))
        assert sys.path == before
        assert set(sys.modules) == modules

    def test_a_module_of_the_same_name_comes_back(self, write, monkeypatch):
        marker = type(sys)("params")
        monkeypatch.setitem(sys.modules, "params", marker)
        load_parameters(write(""))
        assert sys.modules["params"] is marker


class TestPaths:
    def test_current_directory_first_then_the_folder_of_the_file(self, write, tmp_path, monkeypatch):
        path = write('data_directory = "ks"\nraw_source_file = "raw*.bin"\noutput_directory = "out"', "rig/params.py")
        here = tmp_path / "here"
        here.mkdir()
        monkeypatch.chdir(here)
        nowhere = load_parameters(path)
        assert nowhere.data_directory == here / "ks"
        assert nowhere.raw_source_file == here / "raw*.bin"
        (tmp_path / "rig/ks").mkdir()
        (tmp_path / "rig/raw1.bin").touch()
        (tmp_path / "rig/out").mkdir()
        beside = load_parameters(path)
        assert beside.data_directory == tmp_path / "rig/ks"
        assert beside.raw_source_file == tmp_path / "rig/raw*.bin"
        assert beside.output_directory == here / "out"
        (here / "ks").mkdir()
        (here / "raw2.bin").touch()
        both = load_parameters(path)
        assert both.data_directory == here / "ks"
        assert both.raw_source_file == here / "raw*.bin"

    def test_relative_parameter_file(self, write, tmp_path, monkeypatch):
        write("import os\nsession_name = os.path.isabs(__file__) and 'absolute' or 'relative'")
        monkeypatch.chdir(tmp_path)
        assert load_parameters("params.py").session_name == "absolute"

    def test_home(self, write, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        parameters = load_parameters(write("raw_source_file = '~/a.bin'"))
        assert parameters.raw_source_file == tmp_path / "a.bin"


class TestFailures:
    def test_syntax_error(self, write):
        text = failure(write("sample_rate = = 3\n"))
        assert text == ", line 6: syntax error: invalid syntax"

    def test_syntax_error_in_an_import(self, write, tmp_path):
        write("x = (", "rig_broken.py", prefix="")
        with pytest.raises(ParameterError, match=r"rig_broken\.py, line 1: syntax error: '\(' was never closed"):
            load_parameters(write("import rig_broken"))

    def test_null_bytes(self, tmp_path):
        (tmp_path / "params.py").write_bytes(b"a = 1\0")
        assert "null bytes" in failure(tmp_path / "params.py")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("\n1 / 0", ", line 7: ZeroDivisionError: division by zero"),
            ("import no_such_module", ", line 6: ModuleNotFoundError: No module named 'no_such_module'"),
            ("def f():\n    raise KeyError('a')\nf()", ", line 7: KeyError: 'a'"),
            ("import os\nos.listdir('/no/such')", ", line 7: FileNotFoundError: "),
            ("raise ValueError('two\\nlines')", ", line 6: ValueError: two lines"),
            ("assert False", ", line 6: AssertionError"),
            ("import sys\nsys.exit(3)", ", line 7: the file ends the program (exit 3): remove that call"),
            ("exit()", ", line 6: the file ends the program"),
            (
                "import hybridfactory.probes as p\nprobe = p.custom_probe([0, 0], [1, 1], [[0, 0]] * 2)",
                ", line 7: channel_map names row(s) 0 more than once",
            ),
            (
                "import hybridfactory.io.spikegl as s\nstart_time = s.get_start_times('/no.meta')",
                ", line 7: /no.meta does not exist",
            ),
            ("time_jitter = -3", ": time_jitter must be a number of samples ≥ 0, got -3"),
            ("sample_rate = None", ": sample_rate must be a sampling rate"),
            ("probe = 'neuropixels3a'", ": probe must be a probe"),
            ("num_singular_value = 3", "'num_singular_value'; did you mean 'num_singular_values'?"),
            ("channel_shfit = 3", ": unknown parameter 'channel_shfit'; did you mean 'channel_shift'?"),
            ("Sample_rate = 3", ": unknown parameter 'Sample_rate'; did you mean 'sample_rate'?"),
            ("jitter_factor = 3\ntime_jitter = 4", "are two names of one parameter"),
            ("data_directory = '~nobody-of-this-name/x'", ": data_directory: "),
            ("data_directory = ''", ": data_directory must be the path"),
            ("del data_type", ": required parameter(s) missing: data_type; set them"),
        ],
    )  # fmt: skip
    def test_one_line_with_file_and_place(self, write, text, message):
        assert message in failure(write(text))

    def test_interrupts_are_not_caught(self, write):
        with pytest.raises(KeyboardInterrupt):
            load_parameters(write("raise KeyboardInterrupt"))
