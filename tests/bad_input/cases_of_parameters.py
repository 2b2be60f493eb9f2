"""Parameters, recordings and probes that are wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

from bench import LIBRARY, Bench, Case, Make, case, generating
from broken_worlds import (
    Change,
    change,
    cut,
    meta,
    put_text,
    remove,
    two_files,
)

__all__ = ["METAS", "PARAMETERS", "PARAMETER_FILES", "PROBES", "RECORDINGS"]

# --- parameter files -------------------------------------------------------------------------------------


def python_file(text: str, name: str = "params.py") -> Make:
    def make(bench: Bench) -> list[str]:
        (bench.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return ["generate", str(bench.folder / name)]

    return make


TOML = """\
data_directory = "sorted"
raw_source_file = "raw.bin"
data_type = "int16"
sample_rate = 20000
ground_truth_units = [2]
start_time = 0
probe = "eMouse"
session_name = "bad"
random_seed = 3
output_directory = "out"
"""


def toml(old: str = "", new: str = "", more: str = "") -> Make:
    def make(bench: Bench) -> list[str]:
        bench.copy_world()
        (bench.folder / "params.toml").write_text(TOML.replace(old, new) + more)
        return ["generate", str(bench.folder / "params.toml")]

    return make


def no_such_file(bench: Bench) -> list[str]:
    return ["generate", str(bench.folder / "none.py")]


def empty_folder(bench: Bench) -> list[str]:
    (bench.folder / "empty").mkdir()
    return ["generate", str(bench.folder / "empty")]


def not_utf8(bench: Bench) -> list[str]:
    (bench.folder / "params.toml").write_bytes(b'session_name = "\xe9"\n')
    return ["generate", str(bench.folder / "params.toml")]


PARAMETER_FILES = [
    Case("does not exist", no_such_file),
    Case("a folder without one", empty_folder),
    Case("another kind of file", python_file("{}", "params.json")),
    Case("Python: syntax error", python_file("import numpy as np\nprobe = (\n"), r"(?<=error: ).*"),
    Case("Python: raises an exception", python_file("rate = 20_000\nstart = rate / 0\n")),
    Case("Python: imports what is not there", python_file("import no_such_module\n")),
    Case("Python: ends the program", python_file("import sys\nsys.exit(3)\n")),
    Case("Python: null bytes", python_file("a = 1\0\n"), r"(?<=error: ).*"),
    Case("Python: nothing in it", python_file("")),
    Case("TOML: not TOML", python_file("sample_rate = \n", "params.toml"), r"(?<=TOML: ).*(?=; )"),
    Case("TOML: a number without end", python_file(f"seed = {'9' * 5000}\n", "params.toml"), r"(?<=TOML: ).*(?=; )"),
    Case("TOML: brackets without end", python_file(f"a = {'[' * 100_000}\n", "params.toml"), r"(?<=TOML: ).*(?=; )"),
    Case("TOML: not UTF-8", not_utf8),
    Case("TOML: a key given twice", toml(more='session_name = "other"\n'), r"(?<=TOML: ).*(?=; )"),
    Case("TOML: a preset that is none", toml('"eMouse"', '"neuropixels9"')),
    Case("TOML: a probe table that lacks something", toml('probe = "eMouse"\n', "", "[probe]\nchannel_map = [0]\n")),
    Case("TOML: a probe table with a slip", toml('probe = "eMouse"\n', "", "[probe]\nchanel_map = [0]\n")),
    Case("TOML: a probe file that does not exist", toml('"eMouse"', '"probe.json"')),
    Case("TOML: a date for a number", toml("random_seed = 3", "random_seed = 2020-01-01")),
    case("a required parameter is missing", change(data_type="None")),
    case("a slip of the pen", change(num_singular_value="4")),
    case("two names of one parameter", change(time_jitter="10", jitter_factor="20")),
]


PARAMETERS = [
    case("`data_type` of no kind", change(data_type="'int12'")),
    case("`data_type` complex", change(data_type="np.complex64")),
    case("`data_type` Python objects", change(data_type="object")),
    case("`sample_rate` as text", change(sample_rate="'25 kHz'")),
    case("`sample_rate` of 0", change(sample_rate="0")),
    case("`sample_rate` not a number", change(sample_rate="float('nan')")),
    case("`ground_truth_units` empty", change(ground_truth_units="[]")),
    case("`ground_truth_units` with a unit twice", change(ground_truth_units="[2, 2]")),
    case("`ground_truth_units` with label 0", change(ground_truth_units="[0]")),
    case("`ground_truth_units` with a unit that is not there", change(ground_truth_units="[2, 99]")),
    case("`ground_truth_units` as text", change(ground_truth_units="'all of them'")),
    case("`start_time` missing, no .meta", change(start_time="None")),
    case("`start_time` as text", change(start_time="'first'")),
    case("`start_time` negative", change(start_time="-5")),
    case("`random_seed` too large", change(random_seed="2**31")),
    case("`session_name` with a folder in it", change(session_name="'../../elsewhere'")),
    case("`session_name` with a control character", change(session_name="'a\\x1b[2Jb'")),
    case("`session_name` empty", change(session_name="''")),
    case("`copy` as text", change(copy="'yes'")),
    case("`output_type` unknown", change(output_type="'spyking'")),
    case("`output_type` of what is not there", change(output_type="'kilosort'")),
    case("`event_model` unknown", change(event_model="'svd'")),
    case("`num_singular_values` as a word", change(num_singular_values="'many'")),
    case("`samples_before` of 0", change(samples_before="0")),
    case("`synthetic_rate` of 0", change(synthetic_rate="[0]")),
    case("`synthetic_rate` above what `refractory_ms` allows", change(synthetic_rate="[501]")),
    case("`synthetic_rate` for more units than there are", change(synthetic_rate="[1, 2]")),
    case("amplitude scales the wrong way round", change(amplitude_scale_min="2.0")),
    case("a path with a null byte", change(data_directory="'a\\0b'")),
    case("a path of a user who is not there", change(data_directory="'~no-such-user/sorted'")),
    case("every unit is refused", change(ground_truth_units="[6]")),
    case("no place to move to", change(channel_shift="1000")),
]

# --- recordings ------------------------------------------------------------------------------------------


def two_names(folder: Path) -> Change:
    for place in ("a", "b"):
        (folder / place).mkdir()
        shutil.copy(folder / "raw.bin", folder / place / "raw.bin")
    return {"raw_source_file": "os.path.join(here, '?', 'raw.bin')", "start_time": "[0, 70_000]"}


RECORDINGS = [
    case("does not exist", remove("raw.bin")),
    case("is a folder", change(raw_source_file="here")),
    case("`raw_source_format` is no name", change(raw_source_format="'open ephys'")),
    case("`raw_source_options` is no table", change(raw_source_options="['stream_name']")),
    case("`raw_source_options` for a flat file", change(raw_source_options="{'stream_name': 'A'}")),
    case("a glob that matches nothing", change(raw_source_file="os.path.join(here, 'no*.dat')")),
    case("is empty", cut("raw.bin", 0)),
    case("holds less than one sample", cut("raw.bin", 67)),
    case("is not a whole number of samples", cut("raw.bin", 1_000_001)),
    case("files of one name in two folders", two_names),
    case("files that overlap on the timeline", two_files("[0, 30_000]")),
    case("start times that do not ascend", two_files("[35_000, 0]")),
    case("one start time for two files", two_files("0")),
    case("fewer rows than the probe names", change(raw_source_rows="20")),
    case("more rows than the sorting says", change(raw_source_rows="35")),
]


def damaged_imro(folder: Path) -> Change:
    meta(imProbeOpt="3", **{"~imroTbl": "(1,3,1)(0 0 x)"})(folder)
    return {"probe": "None"}


METAS = [
    case("empty", put_text("raw.meta", "")),
    case("no SpikeGLX file", put_text("raw.meta", "once upon a time\n")),
    case("`nSavedChans` missing", put_text("raw.meta", "imSampRate=20000\n")),
    case("`nSavedChans` no number", meta(nSavedChans="many")),
    case("`nSavedChans` of hundreds of digits", meta(nSavedChans="9" * 400)),
    case("`imSampRate` missing", meta(imSampRate="")),
    case("`imSampRate` no number", meta(imSampRate="fast")),
    case("`imSampRate` infinite", meta(imSampRate="1e999")),
    case("another sampling rate than `sample_rate`", meta(imSampRate="30000")),
    case("another number of rows than `raw_source_rows`", lambda f: meta()(f) | {"raw_source_rows": "40"}),
    case("another data type than `data_type`", lambda f: meta()(f) | {"data_type": "np.float32"}),
    case("`firstSample` no number", meta(firstSample="-3")),
    case("`snsSaveChanSubset` garbled", meta(snsSaveChanSubset="0:5,x")),
    case("`snsSaveChanSubset` of another number of channels", meta(snsSaveChanSubset="0:5")),
    case("`snsApLfSy` garbled", meta(snsApLfSy="33,0")),
    case("`snsApLfSy` of another number of channels", meta(snsApLfSy="99,0,1")),
    case("describes no probe, and none is given", lambda f: meta(typeThis="nidq")(f) | {"probe": "None"}),
    case("unknown probe, and none is given", lambda f: meta()(f) | {"probe": "None"}, LIBRARY),
    case("`imroTbl` damaged, and no probe is given", damaged_imro),
]


# --- probes ----------------------------------------------------------------------------------------------

POSITIONS = "[[0, 20 * k] for k in range(34)]"


def probe(rows: str = "range(34)", flags: str = "[True] * 34", positions: str = POSITIONS, more: str = "") -> Make:
    return generating(change(probe=f"custom_probe({rows}, {flags}, {positions}{more})"))


def probe_json(content: Any) -> Make:
    def make(bench: Bench) -> list[str]:
        text = content if isinstance(content, str) else json.dumps(content)
        (bench.folder / "probe.json").write_text(text)
        return toml('"eMouse"', '"probe.json"')(bench)

    return make


def contacts(**changes: Any) -> dict[str, Any]:
    plain = {
        "ndim": 2,
        "si_units": "um",
        "annotations": {"name": "p"},
        "contact_annotations": {},
        "contact_positions": [[0.0, 20.0 * k] for k in range(4)],
        "contact_shapes": ["circle"] * 4,
        "contact_shape_params": [{"radius": 6}] * 4,
        "contact_plane_axes": [[[1, 0], [0, 1]]] * 4,
        "device_channel_indices": [0, 1, 2, 3],
    }
    return {"specification": "probeinterface", "version": "0.2.21", "probes": [plain | changes]}


PROBES = [
    case("is no probe", change(probe="'Neuropixels'")),
    case("is missing, and there is no .meta", change(probe="None")),
    Case("a row twice", probe(rows="[0] * 34")),
    Case("a row that the file has not", probe(rows="[*range(33), 90]")),
    Case("a negative row", probe(rows="[*range(33), -1]")),
    Case("rows that are no whole numbers", probe(rows="[k / 2 for k in range(34)]")),
    Case("no rows", probe(rows="[]", flags="[]", positions="np.zeros((0, 2))")),
    Case("flags of another length", probe(flags="[True] * 30")),
    Case("flags that are none", probe(flags="['yes'] * 34")),
    Case("nothing connected", probe(flags="[False] * 34")),
    Case("a connected site without a position", probe(positions="[[0, 20 * k] for k in range(33)] + [[np.nan] * 2]")),
    Case("an infinite position", probe(positions="[[0, 20 * k] for k in range(33)] + [[0, np.inf]]")),
    Case("positions of three columns", probe(positions="[[0, 20 * k, 0] for k in range(34)]")),
    Case("positions in words", probe(positions="[['left', 'top']] * 34")),
    Case("lists of different lengths for positions", probe(positions="[[0]] + [[0, 1]] * 33"), LIBRARY),
    Case("a name that is no text", probe(more=", 5")),
    Case("shanks of another length", probe(more=", shank_ids=['a']")),
    Case("file: not JSON", probe_json("{"), LIBRARY),
    Case("file: no probe in it", probe_json({"a": 1}), LIBRARY),
    Case("file: contacts without rows", probe_json(contacts(device_channel_indices=[-1] * 4))),
    Case("file: rows of absurd number", probe_json(contacts(device_channel_indices=[0, 1, 2, 2**40]))),
    Case(
        "file: a position missing",
        probe_json(contacts(contact_positions=[[0.0, 0.0]])),
        LIBRARY,
    ),
]
