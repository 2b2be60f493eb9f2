"""Sortings that are wrong."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from bench import LIBRARY, case
from broken_worlds import (
    NOTHING,
    Change,
    change,
    cut,
    other_rate,
    remove,
    save,
    times,
)
from hybrid_world import write_phy
from layouts import jrclust3, jrclust4, phy_kilosort4, rez_kilosort1, rez_kilosort2
from matlab_files import write_v7, write_v73

__all__ = ["FOLDERS", "JRCLUST", "PHY", "REZ"]

# --- phy -------------------------------------------------------------------------------------------------


def npy_claims(name: str, shape: tuple[int, ...], descr: str = "<i8") -> Callable[[Path], Change]:
    def prepare(folder: Path) -> Change:
        with (folder / "sorted" / name).open("wb") as stream:
            header = {"descr": descr, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
        return NOTHING

    return prepare


def bytes_of(name: str, data: bytes) -> Callable[[Path], Change]:
    def prepare(folder: Path) -> Change:
        (folder / "sorted" / name).write_bytes(data)
        return NOTHING

    return prepare


def objects(folder: Path) -> Change:
    np.save(folder / "sorted" / "spike_clusters.npy", np.array([{"a": 1}] * 3), allow_pickle=True)
    return NOTHING


def kilosort4(edit: Callable[[Path], None]) -> Callable[[Path], Change]:
    """Exchange the sorting for one with templates, and edit that."""

    def prepare(folder: Path) -> Change:
        shutil.rmtree(folder / "sorted")
        (folder / "sorted").mkdir()
        phy_kilosort4(folder / "sorted")
        edit(folder / "sorted")
        return NOTHING

    return prepare


def changed(name: str, edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], Change]:
    return kilosort4(lambda folder: np.save(folder / name, edit(np.load(folder / name))))


def other_recording(folder: Path) -> Change:
    write_phy(folder / "sorted", {2: np.arange(100, 400_000, 700), 4: np.arange(300, 400_000, 900)})
    return NOTHING


def two_results(folder: Path) -> Change:
    shutil.rmtree(folder / "sorted")
    (folder / "sorted").mkdir()
    for name in ("a_res.mat", "b_res.mat"):
        write_v7(folder / "sorted" / name, jrclust4())
    return NOTHING


def rez_beside_jrclust(folder: Path) -> Change:
    two_results(folder)
    (folder / "sorted" / "b_res.mat").rename(folder / "sorted" / "rez.mat")
    return NOTHING


FOLDERS = [
    case("does not exist", change(data_directory="os.path.join(here, 'nowhere')")),
    case("is a file", change(data_directory="os.path.join(here, 'raw.bin')")),
    case("holds no sorter output", change(data_directory="here")),
    case("several JRCLUST results", two_results),
    case("`rez.mat` beside a JRCLUST result", rez_beside_jrclust),
    case("of another recording: spikes after its end", other_recording),
    case("of another recording: no spike in it", change(start_time="10_000_000")),
    case("of another recording: another sampling rate", other_rate),
]
PHY = [
    case("`spike_times.npy` missing", remove("sorted/spike_times.npy")),
    case(
        "neither `spike_clusters.npy` nor `spike_templates.npy`",
        lambda f: remove("sorted/spike_clusters.npy")(f) | remove("sorted/spike_templates.npy")(f),
    ),
    case("npy: empty file", cut("sorted/spike_times.npy", 0), LIBRARY),
    case("npy: cut short", cut("sorted/spike_times.npy", 300)),
    case("npy: cut within its header", cut("sorted/spike_times.npy", 60), LIBRARY),
    case("npy: another file under that name", bytes_of("spike_times.npy", pickle.dumps([1, 2, 3])), LIBRARY),
    case("npy: promises 2⁶⁰ numbers", npy_claims("spike_times.npy", (2**60,))),
    case("npy: a negative shape", npy_claims("spike_times.npy", (-1,))),
    case("npy: Python objects (a pickle; never loaded)", objects),
    case("npy: text", save("spike_clusters.npy", np.array(["a", "b"]))),
    case("no spikes", save("spike_times.npy", np.zeros(0, np.int64))),
    case("two columns", times(lambda t: np.stack([t, t], axis=1))),
    case("columns of two lengths", save("spike_clusters.npy", np.zeros(3, np.int32))),
    case("a time that is not whole", times(lambda t: t + 0.5)),
    case("a time that is no number", times(lambda t: np.where(t == t[5], np.nan, t))),
    case("a time before sample 0", times(lambda t: t - t[0] - 3)),
    case("a time beyond 64 bits", times(lambda t: t.astype(np.uint64) + np.uint64(2**63))),
    case("a label that is not whole", save("spike_clusters.npy", np.full(400, 0.25))),
    case("every spike is noise", changed("spike_clusters.npy", lambda a: a * 0 - 1)),
    case("`templates.npy` of two axes", changed("templates.npy", lambda a: a[0])),
    case("`templates_ind.npy` of another shape", changed("templates_ind.npy", lambda a: a[:3])),
    case("`channel_map.npy` with a negative row", changed("channel_map.npy", lambda a: a - 1)),
    case("`channel_map.npy` not whole", changed("channel_map.npy", lambda a: a + 0.5)),
]

# --- MATLAB files ----------------------------------------------------------------------------------------

WRITERS = {"v7": write_v7, "v7.3": write_v73}


def mat(name: str, contents: Callable[[], Any], kind: str = "v7") -> Callable[[Path], Change]:
    def prepare(folder: Path) -> Change:
        shutil.rmtree(folder / "sorted", ignore_errors=True)
        (folder / "sorted").mkdir()
        WRITERS[kind](folder / "sorted" / name, contents())
        return NOTHING

    return prepare


def half(name: str, contents: Callable[[], Any], kind: str) -> Callable[[Path], Change]:
    def prepare(folder: Path) -> Change:
        mat(name, contents, kind)(folder)
        path = folder / "sorted" / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return NOTHING

    return prepare


def without(contents: Callable[[], Any], name: str) -> Callable[[], Any]:
    return lambda: {key: value for key, value in contents().items() if key != name}


def edited(edit: Callable[[h5py.File, Path], None]) -> Callable[[Path], Change]:
    """Take `st3` out of a v7.3 rez, and put something else in its place."""

    def prepare(folder: Path) -> Change:
        mat("rez.mat", rez_kilosort2, "v7.3")(folder)
        with h5py.File(folder / "sorted" / "rez.mat", "r+") as file:
            del file["rez/st3"]
            edit(file, folder / "sorted")
        return NOTHING

    return prepare


def external_link(file: h5py.File, folder: Path) -> None:
    file["rez/st3"] = h5py.ExternalLink("other.mat", "/rez/st3")


def soft_link(file: h5py.File, folder: Path) -> None:
    file["rez/st3"] = h5py.SoftLink("/rez/U")


def external_values(file: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(800))
    file.create_dataset("rez/st3", (5, 20), float, external=[(str(folder / "secret"), 0, 800)])


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((5, 20), float)
    layout[:] = h5py.VirtualSource(str(folder / "rez.mat"), "rez/U", (5, 20))
    file.create_virtual_dataset("rez/st3", layout)


def absurd(file: h5py.File, folder: Path) -> None:
    file.create_dataset("rez/st3", (5, 2**50 // 40), float, chunks=(5, 1000), compression="gzip")


def absurd_v7(folder: Path) -> Change:
    """One uncompressed element: a double array that claims 2^30 x 2^30."""
    mat("a_res.mat", lambda: {"x": 1.0})(folder)
    path = folder / "sorted" / "a_res.mat"
    flags = np.array([6, 8, 6, 0], "<u4").tobytes()
    size = np.array([5, 8, 2**30, 2**30], "<i4").tobytes()
    name = np.array([1, 10], "<i4").tobytes() + b"spikeTimes".ljust(16, b"\x00")
    body = flags + size + name + np.array([9, 8], "<i4").tobytes() + bytes(8)
    path.write_bytes(path.read_bytes()[:128] + np.array([14, len(body)], "<i4").tobytes() + body)
    return NOTHING


def table(values: Any) -> Callable[[], Any]:
    return lambda: {"rez": {"st3": values, "good": 1.0}}


def heading(folder: Path) -> Change:
    return bytes_of("rez.mat", b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + bytes(400))(
        folder
    )


REZ = [
    case("v7: cut short", half("rez.mat", rez_kilosort1, "v7"), LIBRARY),
    case("v7.3: cut short", half("rez.mat", rez_kilosort1, "v7.3"), LIBRARY),
    case(
        "another file under that name",
        lambda f: mat("rez.mat", lambda: {})(f) | bytes_of("rez.mat", b"?" * 600)(f),
        LIBRARY,
    ),
    case("a v7.3 heading and nothing more", lambda f: mat("rez.mat", lambda: {})(f) | heading(f)),
    case("no `rez` in it", mat("rez.mat", lambda: {"saveDat": {"a": 1.0}})),
    case("saved before sorting: no `st3`", mat("rez.mat", lambda: {"rez": {"ops": {"fs": 25000.0}}})),
    case("`st3` empty", mat("rez.mat", table(np.empty((0, 5))))),
    case("`st3` of one column", mat("rez.mat", table(np.ones((7, 1))))),
    case("`st3` not numbers", mat("rez.mat", table(np.full((7, 4), np.nan)))),
    case("`st3` with times before sample 0", mat("rez.mat", table(np.full((7, 4), -5.0)))),
    case("v7.3: a link into another file", edited(external_link)),
    case("v7.3: a soft link", edited(soft_link)),
    case("v7.3: values kept in another file", edited(external_values)),
    case("v7.3: a virtual dataset", edited(virtual)),
    case("v7.3: promises a petabyte", edited(absurd)),
]


JRCLUST = [
    case("3: cut short", half("a_jrc.mat", jrclust3, "v7"), LIBRARY),
    case("3: no `viTime_spk`", mat("a_jrc.mat", without(jrclust3, "viTime_spk"))),
    case("3: not sorted yet", mat("a_jrc.mat", without(jrclust3, "S_clu"))),
    case("4: cut short", half("a_res.mat", jrclust4, "v7.3"), LIBRARY),
    case("4: no `spikeTimes`", mat("a_res.mat", without(jrclust4, "spikeTimes"))),
    case("4: not sorted yet", mat("a_res.mat", without(jrclust4, "spikeClusters"))),
    case("4: columns of two lengths", mat("a_res.mat", lambda: jrclust4() | {"spikeSites": np.ones((5, 1))})),
    case("4: every spike is noise", mat("a_res.mat", lambda: jrclust4() | {"spikeClusters": np.zeros((240, 1))})),
    case("4: promises 2⁶⁰ numbers", absurd_v7),
]
