"""Valid files of every format that is read, to be spoilt."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hybrid_world import make_world
from layouts import PRM, RATE, jrclust3, jrclust4, phy_kilosort4, phy_spikeinterface, rez_kilosort1, rez_kilosort2
from matlab_files import write_v7, write_v73

__all__ = ["META", "META_3A", "PARAMS", "PARAMS_OF_MATLAB", "TOML", "TSV", "Seeds", "make_seeds"]

META = """\
acqApLfSy=6,0,1
appVersion=20190327
fileCreateTime=2020-02-09T10:22:31
fileName=D:/run_g0_t0.imec0.ap.bin
fileSHA1=A94A8FE5CCB19BA61C4C0873D391E987982FBBD3
fileSizeBytes=140000
firstSample=1000
imDatPrb_pn=NP1000
imDatPrb_type=0
imSampRate=30000.23
nSavedChans=7
snsApLfSy=6,0,1
snsSaveChanSubset=0:5,6
typeThis=imec
~imroTbl=(0,6)(0 0 0 500 250 1)(1 0 0 500 250 1)(2 0 0 500 250 1)(3 0 0 500 250 1)(4 0 0 500 250 1)(5 0 0 500 250 1)
~snsChanMap=(6,0,1)(AP0;0:0)(AP1;1:1)(AP2;2:2)(AP3;3:3)(AP4;4:4)(AP5;5:5)(SY0;6:6)
~snsShankMap=(1,2,480)(0:0:0:1)(0:1:0:1)(0:0:1:1)(0:1:1:0)(0:0:2:1)(0:1:2:1)
"""
META_3A = META.replace("imDatPrb_pn=NP1000\nimDatPrb_type=0\n", "imProbeOpt=3\n").replace("(0,6)", "(641251209,3,6)")

TOML = """\
data_directory = "sorted"
raw_source_file = "raw*.bin"
data_type = "int16"
sample_rate = 30000.23
ground_truth_units = [2, 4]
start_time = [0, 100]
session_name = "new"
random_seed = 5
output_directory = "out"
synthetic_rate = [1.5, 2]
amplitude_scale_min = 0.5
samples_before = 30
num_singular_values = "auto"
copy = true
[probe]
channel_map = [0, 1, 2]
connected = [true, true, false]
channel_positions = [[0, 0], [0, 20], [nan, nan]]
name = "tiny µ"
"""
PARAMS = f"dat_path = ['/else/other.bin', 'raw.bin']\nn_channels_dat = 12\ndtype = 'int16'\nsample_rate = {RATE}\n"
PARAMS_OF_MATLAB = (
    "dat_path = 'D:\\new\\temp_wh.dat'\nn_channels_dat = 32\noffset = 0\nsample_rate = 3e4\nhp_filtered = True"
)
TSV = "cluster_id\tgroup\tKSLabel\n0\tgood\tgood\n1\tmua\tmua\n2\tnoise\tgood\n"

Seeds = list[bytes]


def make_seeds(folder: Path) -> dict[str, Seeds]:
    """Write every layout once, and read the bytes of each file back; a run lies in ``folder/run`` then."""
    npy = _npy_of(phy_kilosort4, folder / "dense"), _npy_of(phy_spikeinterface, folder / "sparse")
    seeds: dict[str, Seeds] = {}
    for part in npy:
        for name, data in part.items():
            seeds.setdefault(f"npy {name}", []).append(data)
    seeds |= {
        "npy firings_true": [_npy(np.array([[1, 1, 2], [10, 20, 30], [1, 2, 1]], np.uint64))],
        "meta": [META.encode(), META_3A.encode(), META.replace("\n", "\r\n").encode()],
        "toml": [TOML.encode(), TOML.split("[probe]", maxsplit=1)[0].encode() + b'probe = "eMouse"\n'],
        "phy params": [PARAMS.encode(), PARAMS_OF_MATLAB.encode()],
        "tsv": [TSV.encode(), TSV.replace("\n", "\r\n").encode()],
        "prm": [PRM.encode(), PRM.replace("siteMap = [8, 10", "viSite2Chan = [9:-1:1, 10").encode()],
        "probe json": [_probe_json(folder)],
    }
    for name, make in (
        ("rez", rez_kilosort1),
        ("rez", rez_kilosort2),
        ("jrclust 3", jrclust3),
        ("jrclust 4", jrclust4),
    ):
        seeds.setdefault(f"mat v7 {name}", []).extend(_mat_v7(make(), folder / "v7.mat"))
        seeds.setdefault(f"mat v7.3 {name}", []).extend(_mat_v73(make(), folder / "v73.mat"))
    run = _make_run(folder)
    for name in ("manifest.json", "artificial_units-e2e.csv", "units-e2e.csv", "annotations-e2e.csv", "plan-e2e.csv"):
        seeds[f"run {name}"] = [(run / name).read_bytes()]
    for name in ("probe-e2e.npz", "injection-e2e.npz", "journal-e2e.npz"):
        seeds[f"run {name}"] = [(run / name).read_bytes()]
    return seeds


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _npy_of(write: Callable[[Path], None], folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    write(folder)
    names = (
        "spike_times",
        "spike_clusters",
        "spike_templates",
        "templates",
        "templates_ind",
        "template_ind",
        "channel_map",
    )
    return {name: (folder / f"{name}.npy").read_bytes() for name in names if (folder / f"{name}.npy").is_file()}


def _mat_v7(contents: dict[str, Any], path: Path) -> Seeds:
    """As MATLAB compresses it, and with its structure laid open."""
    import scipy.io

    write_v7(path, contents)
    packed = path.read_bytes()
    opened = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
    scipy.io.savemat(path, opened, do_compression=False)
    return [packed, path.read_bytes()]


def _mat_v73(contents: dict[str, Any], path: Path) -> Seeds:
    write_v73(path, contents)
    packed = path.read_bytes()
    with h5py.File(path, "r") as source, h5py.File(path.with_suffix(".latest"), "w", libver="latest") as target:
        for name in source:
            source.copy(name, target)
    return [packed, path.with_suffix(".latest").read_bytes()]


def _probe_json(folder: Path) -> bytes:
    import probeinterface

    probe = probeinterface.Probe(ndim=2, si_units="um", name="tiny")
    probe.set_contacts(positions=np.array([[0, 0], [0, 20.0], [0, 40.0]]), shank_ids=["a", "a", "b"])
    probe.set_device_channel_indices(np.arange(3))
    probeinterface.write_probeinterface(folder / "probe.json", probe)
    return (folder / "probe.json").read_bytes()


def _make_run(folder: Path) -> Path:
    """Make a run that takes up little: its tables are read whole for every input."""
    world = make_world(folder / "world", num_samples=70_000)
    world.run(folder / "run", ground_truth_units=[2, 4, 6])
    manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
    (folder / "run" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder / "run"
