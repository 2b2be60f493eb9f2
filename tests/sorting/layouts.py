"""One small truth, written in every layout that the readers know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matlab_files import write_v7, write_v73
from numpy.typing import NDArray

RATE = 25000.0
NUM_ROWS = 12
RAW_NAME = "raw.bin"
CHANNEL_MAP = np.array([7, 9, 11, 2, 0, 4])  # raw rows of the connected channels
NUM_TEMPLATES = 32
PEAK_CHANNEL = np.arange(NUM_TEMPLATES) % len(CHANNEL_MAP)

_rng = np.random.default_rng(0)
TIMES = np.sort(_rng.choice(np.arange(20, 50_000), 240, replace=False))  # 0-based
UNITS = _rng.integers(1, 6, TIMES.size)  # 1-based, 1 … 5
BATCHES = 1 + TIMES // 10_000


@dataclass(frozen=True)
class Layout:
    """How to write the truth, and what a reader should make of it."""

    name: str
    write: Callable[[Path], None]
    source_format: str
    times: NDArray[Any] = field(default_factory=lambda: TIMES)
    labels: NDArray[Any] = field(default_factory=lambda: UNITS)
    main_rows: dict[int, int] = field(
        default_factory=lambda: {unit: int(CHANNEL_MAP[PEAK_CHANNEL[unit - 1]]) for unit in range(1, 6)}
    )
    phy_ids: NDArray[Any] | None = None  # what label_base=0 gives, if not labels - 1
    num_rows: int | None = NUM_ROWS
    rate: float | None = RATE
    warns_of: str | None = None


def make_templates(num_times: int = 82, num_templates: int = NUM_TEMPLATES) -> NDArray[np.float32]:
    templates = np.zeros((num_templates, num_times, len(CHANNEL_MAP)), np.float32)
    wave = np.exp(-(((np.arange(num_times) - num_times // 2) / 3.0) ** 2))
    for index in range(num_templates):
        for channel in range(len(CHANNEL_MAP)):
            distance = abs(channel - PEAK_CHANNEL[index])
            templates[index, :, channel] = -wave / (1 + distance) * (1 + index)
    return templates


# --- phy folders -----------------------------------------------------------------------------------------


def save_matlab_npy(path: Path, array: NDArray[Any]) -> None:
    """As npy-matlab: column-major, at least two axes, a version 1.0 header."""
    array = array.reshape(-1, 1) if array.ndim == 1 else array
    header = repr({"descr": array.dtype.str, "fortran_order": True, "shape": array.shape})
    padding = -(len(header) + 11) % 16
    text = (header + " " * padding + "\n").encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes(order="F"))


def write_params(folder: Path, dat_path: str, num_rows: int, rate: str = "25000.", filtered: bool = False) -> None:
    (folder / "params.py").write_text(
        f"dat_path = {dat_path}\nn_channels_dat = {num_rows}\ndtype = 'int16'\noffset = 0\n"
        f"sample_rate = {rate}\nhp_filtered = {filtered}"  # MATLAB ends without a newline
    )


def write_matlab_phy(
    folder: Path,
    times: NDArray[Any],
    clusters: NDArray[Any],
    templates: NDArray[Any],
    *,
    num_templates: int = NUM_TEMPLATES,
    channel_map: NDArray[Any] = CHANNEL_MAP,
) -> None:
    save_matlab_npy(folder / "spike_times.npy", times.astype(np.uint64))
    save_matlab_npy(folder / "spike_templates.npy", templates.astype(np.uint32))
    save_matlab_npy(folder / "spike_clusters.npy", clusters.astype(np.int32))
    save_matlab_npy(folder / "amplitudes.npy", np.ones(times.size))
    save_matlab_npy(folder / "templates.npy", make_templates(82, num_templates))
    index = np.tile(np.arange(len(CHANNEL_MAP), dtype=float), (num_templates, 1))
    save_matlab_npy(folder / "templates_ind.npy", index)
    save_matlab_npy(folder / "channel_map.npy", channel_map.astype(np.int32))


def write_kilosort2_tables(folder: Path) -> None:
    for column in ("KSLabel", "ContamPct", "Amplitude"):
        (folder / f"cluster_{column}.tsv").write_bytes(f"cluster_id\t{column}\r\n0\t1\r\n".encode())
    (folder / "cluster_group.tsv").write_bytes(b"cluster_id\tKSLabel\r\n0\tgood\r\n")


def phy_kilosort1(folder: Path) -> None:
    write_matlab_phy(folder, TIMES + 1, UNITS - 1, UNITS - 1)
    write_params(folder, f"'{RAW_NAME}'", NUM_ROWS)


MERGED = np.array([0, 2, 1, 2, 1, 3])[UNITS]  # AutoMerge: units 1 and 3 are one, 2 and 4; seeds from 1
MERGED[UNITS == 5] = 0  # unit 5 too small to be a seed


def phy_kilosort1_automerged(folder: Path) -> None:
    write_matlab_phy(folder, TIMES + 1, MERGED, UNITS - 1)
    write_params(folder, f"'{RAW_NAME}'", NUM_ROWS)


CURATED = UNITS.copy()
CURATED[(UNITS == 1) | (UNITS == 2)] = 6  # phy's merge gets a new id above all others


def phy_kilosort1_curated(folder: Path) -> None:
    write_matlab_phy(folder, TIMES + 1, CURATED - 1, UNITS - 1)
    write_params(folder, f"'{RAW_NAME}'", NUM_ROWS)
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n5\tgood\n")


def phy_kilosort2(folder: Path) -> None:
    write_matlab_phy(folder, TIMES, UNITS - 1, UNITS - 1)
    write_kilosort2_tables(folder)
    write_params(folder, rf"'D:\Users\new\{RAW_NAME}'", NUM_ROWS)


def phy_kilosort25(folder: Path) -> None:
    order = np.arange(len(CHANNEL_MAP)).reshape(1, -1)
    write_matlab_phy(folder, TIMES, UNITS - 1, UNITS - 1, channel_map=order)
    write_kilosort2_tables(folder)
    write_params(folder, "'C:/scratch/temp_wh.dat'", len(CHANNEL_MAP), filtered=True)


def phy_kilosort4(folder: Path) -> None:
    np.save(folder / "spike_times.npy", TIMES.astype(np.int64))
    np.save(folder / "spike_clusters.npy", (UNITS - 1).astype(np.int32))
    np.save(folder / "spike_templates.npy", (UNITS - 1).astype(np.int32))
    np.save(folder / "templates.npy", make_templates(61))
    np.save(folder / "templates_ind.npy", np.tile(np.arange(len(CHANNEL_MAP)), (NUM_TEMPLATES, 1)))
    np.save(folder / "channel_map.npy", CHANNEL_MAP)
    np.save(folder / "whitening_mat_dat.npy", np.eye(len(CHANNEL_MAP)))
    np.save(folder / "ops.npy", np.array({"fs": RATE}), allow_pickle=True)
    write_kilosort2_tables(folder)
    write_params(folder, f"['/elsewhere/other.bin', '/elsewhere/{RAW_NAME}']", NUM_ROWS, rate="25000")


def phy_spikeinterface(folder: Path) -> None:
    full, num_units, kept = make_templates(60), 5, 3
    index = np.full((num_units, kept), -1)
    sparse = np.zeros((num_units, 60, kept))
    for unit in range(num_units):
        near = [c for c in np.argsort(-np.ptp(full[unit], axis=0))[:kept] if np.ptp(full[unit, :, c]) > 0.3]
        index[unit, : len(near)] = near
        sparse[unit, :, : len(near)] = full[unit][:, near]
    np.save(folder / "spike_times.npy", TIMES[:, np.newaxis])
    np.save(folder / "spike_clusters.npy", (UNITS - 1)[:, np.newaxis])
    np.save(folder / "spike_templates.npy", (UNITS - 1)[:, np.newaxis])
    np.save(folder / "templates.npy", sparse)
    np.save(folder / "template_ind.npy", index)
    np.save(folder / "channel_map.npy", np.arange(len(CHANNEL_MAP), dtype=np.int32))
    np.save(folder / "channel_map_si.npy", np.array([f"ch{row}" for row in CHANNEL_MAP]))
    write_params(folder, f"r'../{RAW_NAME}'", len(CHANNEL_MAP), rate="25000.0")


def phy_spikeinterface_copy(folder: Path) -> None:
    phy_spikeinterface(folder)
    write_params(folder, r"r'/scratch/phy/recording.dat'", len(CHANNEL_MAP), rate="25000.0")


JRC_CLUSTERS = UNITS.copy()
JRC_CLUSTERS[::7] = 0  # noise
JRC_CLUSTERS[3::11] = -2  # deleted
IN_UNIT = np.maximum(JRC_CLUSTERS, 0)


def phy_jrclust(folder: Path) -> None:
    exported = np.maximum(JRC_CLUSTERS.astype(np.int64) - 1, 0)
    write_matlab_phy(folder, TIMES + 1, exported, exported, num_templates=5)
    save_matlab_npy(folder / "spike_sites.npy", PEAK_CHANNEL[UNITS - 1].astype(np.int32))
    write_params(folder, f"[r'E:\\data\\{RAW_NAME}']", NUM_ROWS)


def phy_without_clusters(folder: Path) -> None:
    phy_kilosort4(folder)
    (folder / "spike_clusters.npy").unlink()


# --- rez -------------------------------------------------------------------------------------------------

SHUFFLE = np.random.default_rng(1).permutation(TIMES.size)  # readers sort


def rez_ops(channel_map: NDArray[Any], **more: Any) -> dict[str, Any]:
    return {
        "fs": RATE,
        "fbinary": f"D:\\data\\{RAW_NAME}",
        "NchanTOT": float(NUM_ROWS),
        "Nchan": float(len(CHANNEL_MAP)),
        "chanMap": channel_map,
        **more,
    }


def factors() -> dict[str, NDArray[Any]]:
    """Templates as U (channel x template x rank) times W (time x template x rank)."""
    templates = make_templates(61)
    spatial = np.zeros((len(CHANNEL_MAP), NUM_TEMPLATES, 3), np.float32)
    temporal = np.zeros((61, NUM_TEMPLATES, 3), np.float32)
    for index, template in enumerate(templates):
        left, values, right = np.linalg.svd(template, full_matrices=False)
        temporal[:, index] = left[:, :3] * values[:3]
        spatial[:, index] = right[:3].T
    return {"U": spatial, "W": temporal}


def st3(times: NDArray[Any], *columns: NDArray[Any]) -> NDArray[np.float64]:
    return np.column_stack([times, *columns]).astype(float)[SHUFFLE]


def full_map() -> tuple[NDArray[Any], NDArray[Any]]:
    """Kilosort 1: every row of the file, the connected ones in the order of CHANNEL_MAP."""
    others = np.setdiff1d(np.arange(NUM_ROWS), CHANNEL_MAP)
    order = np.empty(NUM_ROWS, int)
    connected = np.zeros(NUM_ROWS, bool)
    connected[1::2] = True
    order[connected], order[~connected] = CHANNEL_MAP, others
    return order.reshape(-1, 1) + 1.0, connected.reshape(-1, 1)


def rez_kilosort1(*extra: NDArray[Any]) -> dict[str, Any]:
    order, connected = full_map()
    ones = np.ones(TIMES.size)
    table = st3(TIMES + 1, UNITS, 12.5 * ones, BATCHES, *extra)
    return {"rez": {"st3": table, "connected": connected, "ops": rez_ops(order), **factors()}}


def rez_kilosort2() -> dict[str, Any]:
    ones = np.ones(TIMES.size)
    table = st3(TIMES, UNITS, 12.5 * ones, 0.37 * ones, BATCHES)
    ops = rez_ops(CHANNEL_MAP.reshape(-1, 1) + 1.0, igood=np.ones((NUM_ROWS, 1), bool), ThPre=8.0)
    parts = factors()
    padded = np.concatenate([np.zeros((21, *parts["W"].shape[1:]), np.float32), parts["W"]])
    return {"rez": {"st3": table, "ops": ops, **parts, "Wphy": padded, "good": np.ones((32, 1))}}


def rez_kilosort3() -> dict[str, Any]:
    contents = rez_kilosort2()
    del contents["rez"]["Wphy"]
    contents["rez"]["iorig"] = np.arange(4.0)
    contents["rez"]["ops"]["nblocks"] = 5.0
    return contents


# --- JRCLUST ---------------------------------------------------------------------------------------------

SITES = PEAK_CHANNEL[UNITS - 1] + 1
COLUMN = (-1, 1)


def jrclust3() -> dict[str, Any]:
    return {
        "viTime_spk": (TIMES + 1).astype(np.int32).reshape(COLUMN),
        "viSite_spk": SITES.astype(np.int32).reshape(COLUMN),
        "S_clu": {"viClu": JRC_CLUSTERS.astype(np.int32).reshape(COLUMN)},
        "P": {
            "viSite2Chan": CHANNEL_MAP + 1.0,
            "sRateHz": RATE,
            "nChans": float(NUM_ROWS),
            "vcFile": "",
            "csFile_merge": ["D:\\data\\first.bin", f"D:\\data\\{RAW_NAME}"],
        },
    }


def jrclust4() -> dict[str, Any]:
    return {
        "spikeTimes": (TIMES + 1).astype(np.int32).reshape(COLUMN),
        "spikeSites": SITES.astype(np.uint32).reshape(COLUMN),
        "spikeClusters": JRC_CLUSTERS.astype(np.int32).reshape(COLUMN),
        "clusterSites": (PEAK_CHANNEL[:5] + 1.0).reshape(COLUMN),
        "rawShape": np.array([40.0, 12.0, TIMES.size]),
    }


PRM = f"""% JRCLUST parameters
rawRecordings = {{'D:\\50% done\\{RAW_NAME}'}}; % (formerly csFile_merge) the files
nChans = {NUM_ROWS}; % channels stored
sampleRate = 25000; % (formerly sRateHz)
siteLoc = [0, 0; 0, 20; 0, 40; ...
 0, 60; 0, 80; 0, 100]; % um
siteMap = [{", ".join(str(row + 1) for row in CHANNEL_MAP)}]; % (formerly viSite2Chan) site's channel
"""


def mat_layouts(
    name: str, file_name: str, contents: Callable[[], dict[str, Any]], source_format: str, **expected: Any
) -> list[Layout]:
    def writer(write: Callable[[Path, dict[str, Any]], None]) -> Callable[[Path], None]:
        def write_to(folder: Path) -> None:
            write(folder / file_name, contents())
            if file_name.endswith("_res.mat"):
                (folder / "session.prm").write_text(PRM)

        return write_to

    return [
        Layout(f"{name} v7.3", writer(write_v73), source_format, **expected),
        Layout(f"{name} v7", writer(write_v7), source_format, **expected),
    ]


def rows_of_templates(best: dict[int, int]) -> dict[int, int]:
    return {label: int(CHANNEL_MAP[PEAK_CHANNEL[unit - 1]]) for label, unit in best.items()}


def _most_common(label: int) -> int:
    return int(np.argmax(np.bincount(UNITS[label == MERGED])))


MERGED_ROWS = rows_of_templates({label: _most_common(label) for label in (1, 2)})
LAYOUTS = [
    Layout("phy Kilosort 1", phy_kilosort1, "phy"),
    Layout(
        "phy Kilosort 1 automerged",
        phy_kilosort1_automerged,
        "phy",
        labels=MERGED,
        main_rows=MERGED_ROWS,
        phy_ids=np.where(MERGED > 0, MERGED, -1),
        warns_of="AutoMerge",
    ),
    Layout(
        "phy Kilosort 1 curated",
        phy_kilosort1_curated,
        "phy",
        labels=CURATED,
        main_rows=rows_of_templates({3: 3, 4: 4, 5: 5, 6: int(np.argmax(np.bincount(UNITS[CURATED == 6])))}),
    ),
    Layout("phy Kilosort 2", phy_kilosort2, "phy"),
    Layout("phy Kilosort 2.5 or 3", phy_kilosort25, "phy", main_rows={}, num_rows=None),
    Layout("phy Kilosort 4", phy_kilosort4, "phy"),
    Layout("phy without spike_clusters", phy_without_clusters, "phy"),
    Layout(
        "phy SpikeInterface",
        phy_spikeinterface,
        "phy",
        main_rows={unit: int(PEAK_CHANNEL[unit - 1]) for unit in range(1, 6)},
        num_rows=len(CHANNEL_MAP),
    ),
    Layout("phy SpikeInterface, copied recording", phy_spikeinterface_copy, "phy", main_rows={}, num_rows=None),
    Layout(
        "phy JRCLUST",
        phy_jrclust,
        "phy",
        labels=np.maximum(JRC_CLUSTERS, 1),
        warns_of="noise and deleted spikes",
    ),
    *mat_layouts("rez Kilosort 1", "rez.mat", rez_kilosort1, "kilosort"),
    *mat_layouts(
        "rez Kilosort 1 merged",
        "rez.mat",
        lambda: rez_kilosort1(MERGED),
        "kilosort",
        labels=MERGED,
        main_rows=MERGED_ROWS,
    ),
    *mat_layouts("rez Kilosort 2", "rez.mat", rez_kilosort2, "kilosort"),
    *mat_layouts("rez2 Kilosort 2.5", "rez2.mat", rez_kilosort2, "kilosort"),
    *mat_layouts("rez Kilosort 3", "rez.mat", rez_kilosort3, "kilosort"),
    *mat_layouts("JRCLUST 3", "session_jrc.mat", jrclust3, "jrc", labels=IN_UNIT),
    *mat_layouts("JRCLUST 4", "session_res.mat", jrclust4, "jrc", labels=IN_UNIT),
]
