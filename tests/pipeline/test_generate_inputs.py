"""Every documented way to say what is wanted, and every documented input, ends in the same hybrid."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hybrid_world import NUM_ROWS, RATE, UNITS, World, contents, read_rows
from numpy.typing import NDArray

import hybridfactory
import hybridfactory.probes
from hybridfactory.cli import main
from hybridfactory.io.spikegl import get_start_times

PARAMS_2018 = """\
import numpy as np
import os
from os import path as op
import sys

import hybridfactory.probes
import hybridfactory.io.spikegl
import my_rig  # beside this file

home = os.getenv("HOME")
refchans = [36, 75]
xcoords = np.zeros(34)
nchans = 34

# required parameters
data_directory = op.join({folder!r}, "sorted")
raw_source_file = op.join({folder!r}, "run_g0_t*.bin")
data_type = np.int16
sample_rate = my_rig.RATE
ground_truth_units = [2, 4]
start_time = hybridfactory.io.spikegl.get_start_times(op.join({folder!r}, "run_g0_t*.meta"))
probe = hybridfactory.probes.eMouse()

# optional parameters
session_name = "two_thousand_eighteen"
random_seed = 10191
output_directory = op.join({folder!r}, "hybrid")
output_type = "phy"
num_singular_values = 6
channel_shift = None
synthetic_rate = []
jitter_factor = 100
amplitude_scale_min = 1.
amplitude_scale_max = 1.
samples_before = 40
samples_after = 40
event_threshold = -30
copy = True
erase = True
"""


def write_meta(path: Path, *, num_samples: int, first_sample: int) -> None:
    path.write_text(
        f"nSavedChans={NUM_ROWS}\nimSampRate={RATE:.0f}\nfirstSample={first_sample}\n"
        f"fileSizeBytes={num_samples * NUM_ROWS * 2}\nfileName=D:/data/{path.stem}.bin\nfileSHA1=ABC\n"
        f"snsApLfSy={NUM_ROWS - 1},0,1\nsnsSaveChanSubset=all\ntypeThis=imec\n"
    )


def shift_after(train: NDArray[np.int64], cuts: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Times on a timeline with gaps: each cut is a sample and the gap that follows it."""
    return train + sum(gap * (train >= cut) for cut, gap in cuts)


def without_names(output: Path) -> dict[str, bytes]:
    """Truth and hybrid without the files that say where they lie."""
    return {name: data for name, data in contents(output).items() if not name.startswith(("manifest", "hfparams"))}


def test_api_mapping_toml_python_and_command_line_agree(
    small_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes: dict[str, Any] = {"ground_truth_units": [2, 5], "amplitude_scale_min": 0.8}
    given = small_world.parameters(tmp_path / "mapping", **changes)
    hybridfactory.generate(given)
    hybridfactory.generate(hybridfactory.load_parameters(given | {"output_directory": tmp_path / "object"}))

    toml = tmp_path / "here" / "params.toml"
    toml.parent.mkdir()
    lines = [
        f"data_directory = '{small_world.sorting}'",
        f"raw_source_file = '{small_world.raw}'",
        "data_type = 'int16'",
        "sample_rate = 20000",
        "ground_truth_units = [2, 5]",
        "start_time = 0",
        "probe = 'eMouse'",
        "session_name = 'e2e'",
        "random_seed = 7",
        "amplitude_scale_min = 0.8",
        "samples_after = 40",
        "output_directory = '../toml'",
    ]
    toml.write_text("\n".join(lines))
    hybridfactory.generate(toml)

    arrays = ["[probe]"]
    for name in ("channel_map", "connected", "channel_positions"):
        arrays.append(f"{name} = {json.dumps(getattr(small_world.probe, name).tolist()).replace('NaN', 'nan')}")
    inline = [line for line in lines if not line.startswith("probe")] + [*arrays, "name = 'eMouse'"]
    toml.write_text("\n".join(inline).replace("../toml", "../inline"))
    assert main(["generate", str(toml.parent)]) == 0
    out, err = capsys.readouterr()
    assert "Injected" in out
    assert "over a copy of the source" in err and "earlier run" not in err

    toml.unlink()
    params = toml.with_name("params.py")
    text = "\n".join(lines).replace("'eMouse'", "hybridfactory.probes.eMouse()").replace("'../toml'", "'../python'")
    params.write_text("import hybridfactory.probes\n" + text)
    command = [sys.executable, "-m", "hybridfactory", "generate", "--silent"]
    done = subprocess.run(command, cwd=params.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    expected = without_names(tmp_path / "mapping")
    assert len(expected) == 11
    for name in ("object", "toml", "inline", "python"):
        assert without_names(tmp_path / name) == expected


def test_a_parameter_file_of_2018_runs_unchanged(
    small_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two SpikeGLX files, t2 before t10, with a gap between them, and bytes after the last whole sample."""
    cut, gap, first = 30_000, 5_000, 123_456
    pieces = {"run_g0_t2": small_world.source[:cut], "run_g0_t10": small_world.source[cut:]}
    starts = {"run_g0_t2": 0, "run_g0_t10": cut + gap}
    for name, piece in pieces.items():
        (tmp_path / f"{name}.bin").write_bytes(piece.tobytes() + (b"tail!" if name.endswith("10") else b""))
        write_meta(tmp_path / f"{name}.meta", num_samples=len(piece), first_sample=first + starts[name])
    (tmp_path / "sorted").mkdir()
    for path in small_world.sorting.iterdir():
        (tmp_path / "sorted" / path.name).write_bytes(path.read_bytes())
    times = np.load(small_world.sorting / "spike_times.npy")
    np.save(tmp_path / "sorted" / "spike_times.npy", shift_after(times, [(cut, gap)]))
    (tmp_path / "my_rig.py").write_text(f"RATE = {RATE}\n")
    params = tmp_path / "params.py"
    params.write_text(PARAMS_2018.format(folder=str(tmp_path)))

    assert main(["generate", str(params)]) == 0, capsys.readouterr().err
    out = tmp_path / "hybrid"
    metadata = pd.read_csv(out / "metadata-two_thousand_eighteen.csv")
    assert metadata["filename"].tolist() == ["run_g0_t2.GT.bin", "run_g0_t10.GT.bin"]
    assert metadata["start_time"].tolist() == [0, cut + gap]
    assert metadata["samples"].tolist() == [cut, len(small_world.source) - cut]
    events = pd.read_csv(out / "artificial_units-two_thousand_eighteen.csv")
    assert set(events["true_unit"]) == {2, 4}
    times = events["timestep"].to_numpy()
    for name, piece in pieces.items():
        data = (out / f"{name}.GT.bin").read_bytes()
        assert len(data) == (tmp_path / f"{name}.bin").stat().st_size
        assert data[piece.nbytes :] == (b"tail!" if name.endswith("10") else b"")
        hybrid = np.frombuffer(data[: piece.nbytes], "<i2").reshape(-1, NUM_ROWS)
        np.testing.assert_array_equal(hybrid[:, 32:], piece[:, 32:])
        changed = np.flatnonzero((hybrid != piece).any(axis=1)) + starts[name]
        assert np.abs(changed[:, None] - times).min(axis=1).max() <= 40
        inside = times[(times >= starts[name]) & (times < starts[name] + len(piece))]
        assert inside.size > 30
        assert inside.min() >= starts[name] + 40
        assert inside.max() < starts[name] + len(piece) - 40
        lines = (out / f"{name}.GT.meta").read_text().splitlines()
        assert f"firstSample={first + starts[name]}" in lines
        assert "fileSHA1=" in lines
    in_a_file = (times < cut) | (times >= cut + gap)
    assert in_a_file.all()
    np.testing.assert_array_equal(get_start_times(str(tmp_path / "run_g0_t*.meta")), [0, cut + gap])


def test_a_gap_changes_nothing_but_the_timeline(small_world: World, tmp_path: Path) -> None:
    """Cut into pieces with gaps, or in one: events that are far from a cut look the same."""
    cuts = [(20_000, 3_000), (45_000, 70_000)]
    for index, piece in enumerate(np.split(small_world.source, [20_000, 45_000])):
        piece.tofile(tmp_path / f"t{[1, 2, 10][index]}.bin")
    folder = tmp_path / "sorted"
    folder.mkdir()
    for path in small_world.sorting.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    times = np.load(folder / "spike_times.npy")
    np.save(folder / "spike_times.npy", shift_after(times, cuts))
    result = small_world.run(
        tmp_path / "out",
        data_directory=folder,
        raw_source_file=tmp_path / "t*.bin",
        start_time=[0, 23_000, 118_000],
        ground_truth_units=[1, 3],
    )
    assert [path.name for path in result.recording_paths] == ["t1.GT.bin", "t2.GT.bin", "t10.GT.bin"]
    times = result.truth[1].astype(np.int64)
    starts, stops = np.array([0, 23_000, 118_000]), np.array([20_000, 48_000, 143_000])
    file = np.searchsorted(starts, times, side="right") - 1
    assert (times >= starts[file] + 40).all()
    assert (times < stops[file] - 40).all()
    hybrid = np.concatenate([read_rows(path) for path in result.recording_paths])
    difference = hybrid.astype(int) - small_world.source
    on_one = times - np.cumsum([0, 3_000, 70_000])[file]
    assert (np.abs(difference[on_one, result.truth[0].astype(int)]) > 50).mean() > 0.95
    # The written truth is on the sorting's timeline; SpikeInterface's is per file.
    run = hybridfactory.load(tmp_path / "out")
    assert run.sorting.get_num_segments() == 3
    per_file = [
        np.sort(np.concatenate([run.sorting.get_unit_spike_train(unit, segment) for unit in run.sorting.unit_ids]))
        for segment in range(3)
    ]
    np.testing.assert_array_equal(np.concatenate([part + starts[k] for k, part in enumerate(per_file)]), times)


def test_the_folder_of_the_source_may_be_the_output(small_world: World, tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    for seed in (1, 2):  # the second time, the glob matches the hybrid of the first as well
        small_world.run(tmp_path, raw_source_file=tmp_path / "*.bin", ground_truth_units=[2], random_seed=seed)
        assert raw.read_bytes() == small_world.raw.read_bytes()
        assert {path.name for path in tmp_path.glob("*.bin")} == {"raw.bin", "raw.GT.bin"}


def test_a_source_without_extension_and_the_default_output(small_world: World, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(small_world.raw.read_bytes())
    sorting = tmp_path / "sorted"
    sorting.mkdir()
    for path in small_world.sorting.iterdir():
        (sorting / path.name).write_bytes(path.read_bytes())
    given = small_world.parameters(tmp_path, data_directory=sorting, raw_source_file=tmp_path / "data")
    del given["output_directory"]
    result = hybridfactory.generate(given | {"ground_truth_units": [2]})
    assert result.output_directory == sorting / "hybrid_output"
    assert result.recording_paths == (sorting / "hybrid_output" / "data.GT",)


@pytest.mark.parametrize("dtype", [">i2", "uint16", "int32", "float64"])
def test_other_types_of_samples(small_world: World, tmp_path: Path, dtype: str) -> None:
    offset = 2048 if dtype == "uint16" else 0
    (small_world.source + offset).astype(dtype).tofile(tmp_path / "other.bin")
    changes: dict[str, Any] = {"ground_truth_units": [2, 4]}
    ours = small_world.run(tmp_path / "i2", **changes)
    result = small_world.run(tmp_path / "out", raw_source_file=tmp_path / "other.bin", data_type=dtype, **changes)
    np.testing.assert_array_equal(result.truth, ours.truth)
    difference = read_rows(result.recording_paths[0], dtype=dtype).astype(float) - offset - small_world.source
    expected = read_rows(ours.recording_paths[0]).astype(float) - small_world.source
    assert np.abs(difference - expected).max() <= 1
    assert (np.load(tmp_path / "out" / "dtype-e2e.npy").dtype) == np.dtype(dtype)


# --- one run per reader family --------------------------------------------------------------------------

CHANNELS = np.array([3, 1, 2, *range(4, 32), 0])  # the sorter's own order of the connected rows
Variables = Callable[[World], dict[str, Any]]


def spikes_of(world: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    times = np.concatenate([world.stated[label] for label in (1, 2, 3, 4, 5, 6)])
    labels = np.repeat([1, 2, 3, 4, 5, 6], [world.stated[label].size for label in (1, 2, 3, 4, 5, 6)])
    order = np.argsort(times, kind="stable")
    return times[order], labels[order]


def rez_2(world: World) -> dict[str, Any]:
    times, labels = spikes_of(world)
    ones = np.ones(times.size)
    ops = {"fs": RATE, "fbinary": "D:\\raw.bin", "NchanTOT": float(NUM_ROWS), "chanMap": CHANNELS[:, None] + 1.0}
    table = np.column_stack([times, labels, 12.5 * ones, 0.37 * ones, 1 + times // 10_000]).astype(float)
    factors = {"U": np.ones((32, 6, 3), np.float32), "W": np.ones((61, 6, 3), np.float32)}
    return {"rez": {"st3": table, "ops": ops, **factors, "Wphy": np.ones((82, 6, 3), np.float32)}}


def sites_of(world: World, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = {label: world.probe.channel_map[UNITS.get(label, UNITS[1])[0]] for label in (1, 2, 3, 4, 5, 6)}
    return np.array([int(np.flatnonzero(rows[int(label)] == CHANNELS)[0]) + 1 for label in labels])


def jrclust_3(world: World) -> dict[str, Any]:
    times, labels = spikes_of(world)
    return {
        "viTime_spk": (times + 1).astype(np.int32)[:, None],
        "viSite_spk": sites_of(world, labels).astype(np.int32)[:, None],
        "S_clu": {"viClu": labels.astype(np.int32)[:, None]},
        "P": {"viSite2Chan": CHANNELS + 1.0, "sRateHz": RATE, "nChans": float(NUM_ROWS), "vcFile": "raw.bin"},
    }


def jrclust_4(world: World) -> dict[str, Any]:
    times, labels = spikes_of(world)
    return {
        "spikeTimes": (times + 1).astype(np.int32)[:, None],
        "spikeSites": sites_of(world, labels).astype(np.uint32)[:, None],
        "spikeClusters": labels.astype(np.int32)[:, None],
        "clusterSites": sites_of(world, np.arange(1, 7)).astype(float)[:, None],
    }


PRM = f"""rawRecordings = {{'raw.bin'}};
nChans = {NUM_ROWS};
sampleRate = {RATE:.0f};
siteMap = [{", ".join(str(row + 1) for row in CHANNELS)}];
"""

FAMILIES: dict[str, tuple[str, str, Variables, str]] = {
    "rez.mat v7.3": ("rez.mat", "write_v73", rez_2, "kilosort"),
    "rez.mat v7": ("rez.mat", "write_v7", rez_2, "kilosort"),
    "JRCLUST 3": ("session_jrc.mat", "write_v73", jrclust_3, "jrc"),
    "JRCLUST 4": ("session_res.mat", "write_v73", jrclust_4, "jrc"),
}


# Where a unit lands by itself depends on the main channels of all units, which not every format tells.
SAME_PLACE: dict[str, Any] = {"ground_truth_units": [1, 4], "channel_shift": 2}


@pytest.fixture(scope="module")
def phy_run(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_world.run(tmp_path_factory.mktemp("phy"), **SAME_PLACE).recording_paths[0].read_bytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_reader_leads_to_the_same_hybrid(
    small_world: World, tmp_path: Path, matlab_files: ModuleType, phy_run: bytes, family: str
) -> None:
    name, writer, variables, output_type = FAMILIES[family]
    folder = tmp_path / "sorted"
    folder.mkdir()
    getattr(matlab_files, writer)(folder / name, variables(small_world))
    if name.endswith("_res.mat"):
        (folder / "session.prm").write_text(PRM)
    result = small_world.run(tmp_path / "out", data_directory=folder, **SAME_PLACE)
    assert result.recording_paths[0].read_bytes() == phy_run
    annotations = pd.read_csv(tmp_path / "out" / "annotations-e2e.csv")
    times, labels = spikes_of(small_world)
    for label in np.unique(labels):
        found = annotations.loc[annotations["cluster"] == label, "timestep"]
        np.testing.assert_array_equal(found, times[labels == label])
    assert list(annotations)[2:] == (["template"] if output_type == "kilosort" else ["channel_index"])
    if family in ("rez.mat v7", "JRCLUST 4"):
        again = small_world.run(tmp_path / "stated", data_directory=folder, output_type=output_type, **SAME_PLACE)
        assert again.recording_paths[0].read_bytes() == phy_run


def test_phy_is_inferred_and_may_be_stated(small_world: World, tmp_path: Path) -> None:
    inferred = small_world.run(tmp_path / "inferred", ground_truth_units=[2])
    stated = small_world.run(tmp_path / "stated", ground_truth_units=[2], output_type="phy")
    assert inferred.recording_paths[0].read_bytes() == stated.recording_paths[0].read_bytes()


def test_only_the_rows_of_the_probe_are_touched(small_world: World, tmp_path: Path) -> None:
    """A probe may name fewer rows than the file has, where raw_source_rows says how many there are."""
    probe = small_world.probe
    few = np.flatnonzero(probe.connected)[::-1][:24]
    part = hybridfactory.probes.custom_probe(
        probe.channel_map[few], probe.connected[few], probe.channel_positions[few], "part"
    )
    result = small_world.run(tmp_path, probe=part, raw_source_rows=NUM_ROWS, ground_truth_units=[3, 4])
    difference = read_rows(result.recording_paths[0]) != small_world.source
    others = np.setdiff1d(np.arange(NUM_ROWS), part.channel_map)
    assert difference.any()
    assert not difference[:, others].any()
