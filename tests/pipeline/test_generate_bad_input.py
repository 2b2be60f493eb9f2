"""Bad input through the command line: one clear line, exit code 2, nothing left behind."""

import errno
import os
import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hybrid_world import NUM_ROWS, World, contents, write_phy

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.injection import copying
from hybridfactory.pipeline import planning

ADVICE = re.compile(
    r"\b(check|correct|give|choose|set|restore|copy|export|list|free|use|mean|sort|must|run|fix|needs|leave|close)\b"
)

Change = dict[str, str]
Prepare = Callable[[Path], Change]
"""Spoils the copy of the world in a folder, and returns parameters to change, as Python expressions."""

NOTHING: Change = {}


def _write(name: str, array: np.ndarray) -> Prepare:
    def prepare(folder: Path) -> Change:
        np.save(folder / "sorted" / name, array)
        return NOTHING

    return prepare


def _times(change: Callable[[np.ndarray], np.ndarray]) -> Prepare:
    def prepare(folder: Path) -> Change:
        path = folder / "sorted" / "spike_times.npy"
        np.save(path, change(np.load(path)))
        return NOTHING

    return prepare


def _cut(name: str, size: int) -> Prepare:
    def prepare(folder: Path) -> Change:
        os.truncate(folder / name, size)
        return NOTHING

    return prepare


def _remove(name: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / name).unlink()
        return NOTHING

    return prepare


def _set(**changes: str) -> Prepare:
    return lambda _folder: changes


def _text(name: str, text: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        return NOTHING

    return prepare


def _two_files(start_time: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        data = (folder / "raw.bin").read_bytes()
        (folder / "raw.bin").unlink()
        half = 35_000 * NUM_ROWS * 2
        (folder / "t1.bin").write_bytes(data[:half])
        (folder / "t2.bin").write_bytes(data[half:])
        return {"raw_source_file": "os.path.join(here, 't*.bin')", "start_time": start_time}

    return prepare


def _rez(name: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        shutil.rmtree(folder / "sorted")
        (folder / "sorted").mkdir()
        (folder / "sorted" / name).write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
        return NOTHING

    return prepare


def _other_rate(folder: Path) -> Change:
    text = (folder / "sorted" / "params.py").read_text()
    (folder / "sorted" / "params.py").write_text(text.replace("20000.0", "30000.0"))
    return NOTHING


def _meta(**changes: str) -> Prepare:
    def prepare(folder: Path) -> Change:
        fields = {"nSavedChans": "34", "imSampRate": "20000", "firstSample": "0", "snsApLfSy": "33,0,1"} | changes
        (folder / "raw.meta").write_text("".join(f"{key}={value}\n" for key, value in fields.items()))
        return NOTHING

    return prepare


def _linked(link: Callable[[Path, Path], None]) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / "out").mkdir()
        link(folder / "raw.bin", folder / "out" / "raw.GT.bin")
        return NOTHING

    return prepare


def _foreign(name: str, data: bytes) -> Prepare:
    def prepare(folder: Path) -> Change:
        (folder / "out").mkdir()
        (folder / "out" / name).write_bytes(data)
        return NOTHING

    return prepare


OVERWRITE = ["output_directory", "overwrite the source"]

CASES: dict[str, tuple[Prepare, list[str]]] = {
    # what is wrong: (how to make it so, what the line must name)
    "raw file missing": (_remove("raw.bin"), ["raw.bin", "does not exist"]),
    "raw file empty": (_cut("raw.bin", 0), ["raw.bin", "empty"]),
    "raw file is a folder": (_set(raw_source_file="here"), ["raw_source_file"]),
    "glob without match": (_set(raw_source_file="os.path.join(here, 'no*.dat')"), ["no*.dat", "matches no file"]),
    "size no multiple of the rows": (_cut("raw.bin", 1_000_001), ["raw.bin", "1000001 bytes", "34 rows", "probe"]),
    "sorting missing": (_set(data_directory="os.path.join(here, 'nowhere')"), ["nowhere", "data_directory"]),
    "sorting without output": (_set(data_directory="here"), ["data_directory", "no sorter output"]),
    "sorting without times": (_remove("sorted/spike_times.npy"), ["spike_times.npy"]),
    "unknown label": (_set(ground_truth_units="[2, 99]"), ["ground_truth_units", "99", "labels there"]),
    "label 0": (_set(ground_truth_units="[0]"), ["ground_truth_units", "0", "label_base = 0"]),
    "repeated label": (_set(ground_truth_units="[2, 2]"), ["ground_truth_units", "2 more than once"]),
    "no units": (_set(ground_truth_units="[]"), ["ground_truth_units", "[]"]),
    "spikes outside": (
        _times(lambda times: np.append(times[:-1], 170_000)),
        ["1 of", "outside the recording", "70000"],
    ),
    "spikes all beyond": (_set(start_time="10_000_000"), ["outside the recording", "start_time"]),
    "spike times negative": (_times(lambda times: times - 5000), ["spike", "before the recording's start"]),
    "spike times not whole": (_times(lambda times: times + 0.5), ["spike_times", "not a whole"]),
    "no spikes": (_write("spike_times.npy", np.zeros(0, np.int64)), ["spike_times.npy", "no spikes"]),
    "columns of two lengths": (_write("spike_clusters.npy", np.zeros(3, np.int32)), ["3 spike labels"]),
    "truncated npy": (_cut("sorted/spike_times.npy", 300), ["spike_times.npy", "cut short"]),
    "empty npy": (_cut("sorted/spike_times.npy", 0), ["spike_times.npy", "npy"]),
    "truncated mat": (_rez("rez.mat"), ["rez.mat"]),
    "truncated JRCLUST": (_rez("session_res.mat"), ["session_res.mat"]),
    "NaN position": (
        _set(probe="custom_probe(range(34), [True] * 34, [[0, 20 * k] for k in range(33)] + [[np.nan, np.nan]])"),
        ["line", "channel_positions", "33", "connected"],
    ),
    "map beyond the rows": (
        _set(probe="custom_probe([*range(33), 90], [True] * 34, [[0, 20 * k] for k in range(34)])"),
        ["channel_map", "row 90", "34 rows"],
    ),
    "map repeats a row": (
        _set(probe="custom_probe([0] * 34, [True] * 34, [[0, 20 * k] for k in range(34)])"),
        ["channel_map", "more than once"],
    ),
    "probe of no kind": (_set(probe="'Neuropixels'"), ["probe", "'Neuropixels'", "custom_probe"]),
    "overlapping files": (_two_files("[0, 30_000]"), ["start_time", "t2.bin", "30000", "overlap"]),
    "unordered start times": (_two_files("[35_000, 0]"), ["start_time", "t2.bin", "ascend"]),
    "one start time for two files": (_two_files("0"), ["start_time", "1 value(s) for 2 file(s)"]),
    "no start time": (_set(start_time="None"), ["start_time"]),
    "data type of no kind": (_set(data_type="'int12'"), ["data_type", "'int12'"]),
    "complex data type": (_set(data_type="np.complex64"), ["data_type", "complex64"]),
    "rate as text": (_set(sample_rate="'25 kHz'"), ["sample_rate", "'25 kHz'", "Hz"]),
    "rate of 0": (_set(sample_rate="0"), ["sample_rate", "0"]),
    "start time as text": (_set(start_time="'first'"), ["start_time", "'first'"]),
    "negative start time": (_set(start_time="-5"), ["start_time", "-5"]),
    "seed too large": (_set(random_seed="2**31"), ["random_seed", "2147483648", "2147483647"]),
    "copy as text": (_set(copy="'yes'"), ["copy", "'yes'"]),
    "output type unknown": (_set(output_type="'spyking'"), ["output_type", "'spyking'", "phy"]),
    "output type not there": (_set(output_type="'kilosort'"), ["rez"]),
    "event model unknown": (_set(event_model="'svd'"), ["event_model", "'svd'"]),
    "synthetic rate 0": (_set(synthetic_rate="[0]"), ["synthetic_rate", "[0]"]),
    "synthetic rate too high": (_set(synthetic_rate="[501]"), ["synthetic_rate", "501", "refractory_ms", "500"]),
    "too many synthetic rates": (_set(synthetic_rate="[1, 2]"), ["synthetic_rate", "2 value(s) for 1"]),
    "scales the wrong way round": (_set(amplitude_scale_min="2.0"), ["amplitude_scale_min", "amplitude_scale_max"]),
    "no samples": (_set(samples_before="0"), ["samples_before", "0"]),
    "singular values as a word": (_set(num_singular_values="'many'"), ["num_singular_values", "'many'", "auto"]),
    "slip of the pen": (_set(num_singular_value="4"), ["num_singular_value", "num_singular_values"]),
    "required missing": (_set(data_type="None"), ["data_type"]),
    "sampling rate of another recording": (_other_rate, ["sample_rate", "20000", "30000"]),
    "rate against the meta": (_meta(imSampRate="30000"), ["sample_rate", "20000", "raw.meta", "30000"]),
    "damaged meta": (_meta(nSavedChans="many"), ["raw.meta", "nSavedChans", "many"]),
    "output is a file": (_text("out", "a file"), ["output_directory", "file"]),
    "output below a file": (_set(output_directory="os.path.join(here, 'raw.bin', 'out')"), ["output_directory"]),
    "target is a hard link to the source": (
        _linked(lambda a, b: b.hardlink_to(a)),
        ["output_directory", "overwrite"],
    ),
    "target is a link to the source": (_linked(lambda a, b: b.symlink_to(a)), ["output_directory", "overwrite"]),
    "foreign firings_true": (_foreign("firings_true.npy", b"mine"), ["output_directory", "firings_true.npy"]),
    "foreign manifest": (_foreign("manifest.json", b'{"name": "a web page"}'), ["manifest.json"]),
    "nothing can be injected": (_set(ground_truth_units="[6]"), ["no unit", "unit 6", "only 12 spikes"]),
    "no move": (_set(channel_shift="1000"), ["no unit", "unit 2", "channel_shift 1000"]),
}


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


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_clear_line(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare, named = CASES[case]
    params = write_params(folder, prepare(folder))
    assert_refused(folder, params, capsys, *named)


@pytest.mark.parametrize("case", CASES)
def test_the_line_says_what_to_do(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it tells to set is a parameter that exists."""
    prepare, _ = CASES[case]
    params = write_params(folder, prepare(folder))
    main(["generate", str(params)])
    message = capsys.readouterr().err.splitlines()[-1]
    assert ADVICE.search(message.lower().partition("error:")[2]), message
    advised = re.findall(r"\bset ([a-z]+_[a-z_]+)", message)
    assert set(advised) <= set(hybridfactory.Parameters.__dataclass_fields__)


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
    _meta(fileName="raw", fileSHA1="0123")(folder)
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
