"""Output folders, finished runs, tested sortings and truths that are wrong."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench import LIBRARY, Bench, Case, Make, case
from broken_worlds import (
    change,
    foreign,
    linked,
    put_text,
)
from hybrid_world import write_phy

__all__ = ["OUTPUTS", "RUNS", "SORTINGS", "TRUTHS"]

# --- output folder ---------------------------------------------------------------------------------------

OUTPUTS = [
    case("is a file", put_text("out", "a file")),
    case("lies below a file", change(output_directory="os.path.join(here, 'raw.bin', 'out')")),
    case("a hybrid there is a hard link to the source", linked(lambda a, b: b.hardlink_to(a))),
    case("a hybrid there is a link to the source", linked(lambda a, b: b.symlink_to(a))),
    case("holds somebody else's `firings_true.npy`", foreign("firings_true.npy", b"mine")),
    case("holds somebody else's `manifest.json`", foreign("manifest.json", b'{"name": "a web page"}')),
]

# --- the folder of a run ---------------------------------------------------------------------------------


def reading_run(spoil: Callable[[Path], Any], command: str = "write", *more: str) -> Make:
    def make(bench: Bench) -> list[str]:
        run = bench.copy_run()
        spoil(run)
        return [command, str(run), *more]

    return make


def manifest(edit: Callable[[dict[str, Any]], Any]) -> Make:
    return lambda bench: ["write", str(bench.edit_manifest(edit))]


def put(name: str, data: bytes) -> Callable[[Path], Any]:
    return lambda run: (run / name).write_bytes(data)


def lines(name: str, edit: Callable[[list[str]], list[str]]) -> Callable[[Path], Any]:
    def spoil(run: Path) -> None:
        path = run / name
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")

    return spoil


def column(name: str, which: str, value: str) -> Callable[[Path], Any]:
    """Write a value into a column of the first row."""

    def edit(rows: list[str]) -> list[str]:
        place = rows[0].split(",").index(which)
        cells = rows[1].split(",")
        cells[place] = value
        return [rows[0], ",".join(cells), *rows[2:]]

    return lines(name, edit)


def archive(name: str, **changes: Any) -> Callable[[Path], Any]:
    """Change arrays of an archive; None takes one away."""

    def spoil(run: Path) -> None:
        with np.load(run / name) as stored:
            arrays = {key: stored[key] for key in stored.files}
        for key, value in changes.items():
            arrays[key] = value(arrays[key]) if callable(value) else value
        np.savez(run / name, **{key: value for key, value in arrays.items() if value is not None})

    return spoil


def npz_bomb(run: Path) -> None:
    with zipfile.ZipFile(run / "injection-e2e.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("samples.npy", bytes(50 << 20))


def claims(run: Path) -> None:
    header = {"descr": "<i8", "fortran_order": False, "shape": (2**60,)}
    with zipfile.ZipFile(run / "injection-e2e.npz", "w") as packed, packed.open("samples.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, header)


def file_of(bench: Bench) -> Path:
    (bench.folder / "file").touch()
    return bench.folder / "file"


EVENTS, UNITS, ANNOTATIONS = "artificial_units-e2e.csv", "units-e2e.csv", "annotations-e2e.csv"
RUNS = [
    Case("does not exist", lambda bench: ["write", str(bench.folder / "nowhere")]),
    Case("is a file", lambda bench: ["write", str(file_of(bench))]),
    Case("holds no run", lambda bench: ["write", str(bench.folder)]),
    Case("`manifest.json`: cut short", reading_run(put("manifest.json", b'{"format": ')), LIBRARY),
    Case("`manifest.json`: brackets without end", reading_run(put("manifest.json", b"[" * 200_000)), LIBRARY),
    Case("`manifest.json`: somebody else's", reading_run(put("manifest.json", b'{"name": "a web page"}'))),
    Case("`manifest.json`: of a later version", manifest(lambda m: m.update(format_version=99))),
    Case("`manifest.json`: entries missing", manifest(lambda m: m.pop("targets"))),
    Case(
        "`manifest.json`: a session name that leads elsewhere", manifest(lambda m: m.update(session_name="../../x"))
    ),
    Case("`manifest.json`: a file outside its folder", manifest(lambda m: m["files"].append("../../etc/passwd"))),
    Case("`manifest.json`: a hybrid named `..`", manifest(lambda m: m["targets"][0].update(name=".."))),
    Case("`manifest.json`: a data type that is none", manifest(lambda m: m["recording"].update(dtype="O"))),
    Case("`manifest.json`: a negative number of rows", manifest(lambda m: m["recording"].update(num_rows=-34))),
    Case(
        "`manifest.json`: sizes that contradict each other",
        manifest(lambda m: m["sources"][0].update(num_samples=10**9)),
    ),
    Case(
        "`manifest.json`: a rate that is no number",
        manifest(lambda m: m["recording"].update(sampling_frequency="fast")),
    ),
    Case("a truth file is missing", reading_run(lambda run: (run / EVENTS).unlink())),
    Case("the source is gone", manifest(lambda m: m["sources"][0].update(path="/nowhere/raw.bin"))),
    Case(
        "the source was changed since",
        manifest(lambda m: m["sources"][0].update(mtime_ns=5)),
        r"(?<=source file ).*(?= was changed)",
    ),
    Case("events: no table", reading_run(put(EVENTS, b""), "plot"), LIBRARY),
    Case("events: a column missing", reading_run(lines(EVENTS, lambda rows: ["a,b", *rows[1:]]), "plot"), LIBRARY),
    Case("events: not UTF-8", reading_run(put(EVENTS, b"timestep\n\xff\xfe\n"), "plot"), LIBRARY),
    Case("events: text for a number", reading_run(column(EVENTS, "timestep", "soon"), "plot")),
    Case("events: a gap", reading_run(column(EVENTS, "timestep", ""), "plot")),
    Case("events: a number out of range", reading_run(column(EVENTS, "donor_spike", "-7"), "plot")),
    Case("events: out of order", reading_run(lines(EVENTS, lambda rows: [rows[0], *rows[:0:-1]]), "plot")),
    Case("events: some are missing", reading_run(lines(EVENTS, lambda rows: rows[:-5]), "plot")),
    Case("units: a row that the probe has not", reading_run(column(UNITS, "center_channel", "999"), "plot")),
    Case("units: an injected unit without a label", reading_run(column(UNITS, "new_unit", ""), "plot")),
    Case("annotations: text for a number", reading_run(column(ANNOTATIONS, "cluster", "good"), "plot")),
    Case("probe: damaged", reading_run(put("probe-e2e.npz", b"PK\x03\x04"), "plot"), LIBRARY),
    Case(
        "probe: Python objects (a pickle; never loaded)",
        reading_run(archive("probe-e2e.npz", connected=np.array([{}])), "plot"),
    ),
    Case("script: damaged", reading_run(put("injection-e2e.npz", b"no archive"), "plot"), LIBRARY),
    Case("script: a part missing", reading_run(archive("injection-e2e.npz", rows=None), "plot")),
    Case(
        "script: points outside its own arrays",
        reading_run(archive("injection-e2e.npz", waveform_starts=lambda a: a + 5), "plot"),
    ),
    Case(
        "script: a row that the recording has not",
        reading_run(archive("injection-e2e.npz", rows=lambda a: a + 900), "plot"),
    ),
    Case("script: a compression bomb", reading_run(npz_bomb, "plot")),
    Case("script: promises 2⁶⁰ numbers", reading_run(claims, "plot")),
]


# --- validate --------------------------------------------------------------------------------------------


def validating(make_sorting: Callable[[Path], Path], *options: str) -> Make:
    def make(bench: Bench) -> list[str]:
        (bench.folder / "sorting").mkdir()
        sorting = make_sorting(bench.folder / "sorting")
        output = str(bench.folder / "out")
        return ["validate", str(bench.workshop.run), str(sorting), "--no-report", "--output", output, *options]

    return make


def found(spikes: list[int], rate: float = 20_000.0) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_phy(folder, {1: np.array(spikes, dtype=np.int64)}, rate=rate)
        return folder

    return make


def file(name: str, data: bytes, *, inside: bool = False) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path.parent if inside else path

    return make


def si_json(name: str) -> Callable[[Path], Path]:
    content = {"class": name, "module": "x", "version": "1", "kwargs": {}, "annotations": {}, "properties": {}}
    return file("a.json", json.dumps(content).encode())


def other_npz(folder: Path) -> Path:
    np.savez(folder / "a.npz", x=np.zeros(3))
    return folder / "a.npz"


SORTINGS = [
    Case("does not exist", validating(lambda folder: folder / "nowhere")),
    Case("an empty folder", validating(lambda folder: folder)),
    Case("another file", validating(file("notes.txt", b"notes"))),
    Case("no spikes", validating(found([]))),
    Case("a time after the end of the recording", validating(found([100, 500_000]))),
    Case("another sampling rate", validating(found([100], 30_000.0))),
    Case("SpikeInterface: a pickle (never loaded)", validating(file("a.pkl", pickle.dumps(1)))),
    Case("SpikeInterface: not JSON", validating(file("a.json", b"{")), LIBRARY),
    Case("SpikeInterface: a class of another library", validating(si_json("subprocess.Popen"))),
    Case("SpikeInterface: a function in place of a class", validating(si_json("spikeinterface.sorters.run_sorter"))),
    Case(
        "SpikeInterface: a class that unpickles",
        validating(si_json("spikeinterface.core.sortingfolder.NumpyFolderSorting")),
    ),
    Case(
        "SpikeInterface: a class that runs a Python file",
        validating(si_json("spikeinterface.extractors.phykilosortextractors.PhySortingExtractor")),
    ),
    Case(
        "SpikeInterface: a recording", validating(si_json("spikeinterface.core.binaryfolder.BinaryFolderRecording"))
    ),
    Case("SpikeInterface: not npz", validating(file("a.npz", b"x")), LIBRARY),
    Case("SpikeInterface: another npz", validating(other_npz)),
    Case(
        "SpikeInterface: the sorter failed",
        validating(file("spikeinterface_log.json", b'{"error": true}', inside=True)),
    ),
    Case("a name that is no part of a file name", validating(found([100]), "--name", "../x")),
    Case("a match window of 0", validating(found([100]), "--delta-time-ms", "0"), r"(?<=ms').*"),
]


def truth(firings: Any) -> Make:
    """Validate against a firings_true.npy alone."""

    def make(bench: Bench) -> list[str]:
        for name in ("truth", "sorting"):
            (bench.folder / name).mkdir()
        path = bench.folder / "truth" / "firings_true.npy"
        if isinstance(firings, bytes):
            path.write_bytes(firings)
        else:
            np.save(path, firings, allow_pickle=True)
        sorting = found([100, 200])(bench.folder / "sorting")
        return ["validate", str(path.parent), str(sorting), "--no-report"]

    return make


def no_truth(bench: Bench) -> list[str]:
    return ["validate", str(bench.folder), str(bench.workshop.world.sorting)]


def rate_unknown(bench: Bench) -> list[str]:
    arguments = truth(np.array([[1], [5], [1]]))(bench)
    (bench.folder / "sorting" / "params.py").unlink()
    return arguments


def claimed(shape: tuple[int, ...]) -> bytes:
    import io

    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<i8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


TRUTHS = [
    Case("a folder without truth", no_truth),
    Case("`firings_true.npy`: no npy file", truth(b"no array"), LIBRARY),
    Case("`firings_true.npy`: promises 3 × 2⁶⁰ numbers", truth(claimed((3, 2**60)))),
    Case("`firings_true.npy`: Python objects (a pickle; never loaded)", truth(np.array([{}]))),
    Case("`firings_true.npy`: of two rows", truth(np.zeros((2, 5)))),
    Case("`firings_true.npy`: no events", truth(np.zeros((3, 0)))),
    Case("`firings_true.npy`: not whole", truth(np.full((3, 4), 0.5))),
    Case("`firings_true.npy`: negative", truth(np.full((3, 4), -1))),
    Case("`firings_true.npy`: beyond 2⁵³", truth(np.full((3, 4), 2**60))),
    Case("`firings_true.npy` alone, and nothing states the rate", rate_unknown),
]
