"""Files of few rows, few samples, many rows, and more bytes than 32 bits count."""

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hybrid_world import RATE
from numpy.typing import NDArray
from odd_worlds import OddWorld, planned

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.injection.copying import copy_file
from hybridfactory.injection.script import load_script
from hybridfactory.injection.writer import render_into
from hybridfactory.recording.flat import FlatFile, FlatRecording


def write_world(tiny: ModuleType, folder: Path, num_rows: int, num_samples: int = 20_000) -> OddWorld:
    """Write the tiny recording, its first rows alone, or with rows of noise after them."""
    traces, trains = tiny.make_traces(num_samples)
    tiny.write_phy(folder / "sorted", trains)
    more = max(num_rows - traces.shape[1], 0)
    samples = np.rint(traces[:, :num_rows]).astype("<i2")
    noise = np.random.default_rng(5).integers(-9, 10, (1, more), dtype="<i2")
    np.hstack([samples, np.repeat(noise, num_samples, axis=0)]).tofile(folder / "raw.bin")
    return OddWorld(folder, num_rows, np.dtype("<i2"))


def as_toml(world: OddWorld, output: Path, folder: Path | None = None) -> Path:
    path = (folder or world.folder) / "params.toml"
    path.write_text(
        f"data_directory = '{world.sorting}'\nraw_source_file = '{world.raw}'\ndata_type = 'int16'\n"
        f"sample_rate = {RATE}\nground_truth_units = [1, 2]\nstart_time = 0\noutput_directory = '{output}'\n"
        f"[probe]\nchannel_map = {list(range(world.num_rows))}\nconnected = {[1] * world.num_rows}\n"
        f"channel_positions = {[[0, 20 * row] for row in range(world.num_rows)]}\n"
    )
    return path


@pytest.mark.parametrize("num_rows", [1, 2, 3])
def test_hardly_any_rows(tiny: ModuleType, tmp_path: Path, num_rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A unit that has no other site to move to is refused by name; what could be injected is the plan."""
    world = write_world(tiny, tmp_path / "world", num_rows)
    code = main(["generate", str(as_toml(world, tmp_path / "out")), "--silent"])
    err = capsys.readouterr().err
    if code == 0:
        result = world.run(tmp_path / "again")
        patch = planned(result, *world.source.shape)
        np.testing.assert_array_equal(world.hybrid(result), np.rint(world.source.astype(np.float64) + patch))
        return
    assert code == 2
    assert err.count("\n") == 1
    assert "no unit could be injected: unit 1: " in err
    assert not (tmp_path / "out").exists()


def test_one_row_has_no_other_place(tiny: ModuleType, tmp_path: Path) -> None:
    world = write_world(tiny, tmp_path / "world", 1)
    with pytest.raises(hybridfactory.errors.NothingInjectedError):
        world.run(tmp_path / "out")


def test_five_thousand_rows(tiny: ModuleType, tmp_path: Path) -> None:
    world = write_world(tiny, tmp_path / "world", 5_000, num_samples=14_000)
    result = world.run(tmp_path / "out")
    source, hybrid = world.source, world.hybrid(result)
    patch = planned(result, *source.shape)
    assert result.plan.num_events > 50
    touched = np.flatnonzero(patch.any(axis=0))
    np.testing.assert_array_equal(
        hybrid[:, touched], np.rint(source[:, touched].astype(np.float64) + patch[:, touched])
    )
    hybrid[:, touched] = source[:, touched]
    assert hybrid.tobytes() == source.tobytes()


@pytest.mark.parametrize("num_samples", [0, 1, 2, 50, 121, 5_000])
def test_hardly_any_samples(
    tiny: ModuleType, tmp_path: Path, num_samples: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world = write_world(tiny, tmp_path / "world", 10)
    os.truncate(world.raw, num_samples * 10 * 2)
    spikes = np.minimum(np.arange(90), max(num_samples - 1, 0))
    np.save(world.sorting / "spike_times.npy", spikes)
    for name in ("spike_clusters", "spike_templates"):
        np.save(world.sorting / f"{name}.npy", np.arange(90, dtype=np.int32) % 2)
    assert main(["generate", str(as_toml(world, tmp_path / "out")), "--silent"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("hybridfactory: error: ")
    assert err.count("\n") == 1
    assert ("is empty" if num_samples == 0 else "no unit could be injected") in err
    assert not (tmp_path / "out").exists()


FAR_BYTES = (1 << 32) + (1 << 30)
NUM_ROWS = 64


@pytest.fixture
def vast(tiny: ModuleType, tmp_path: Path) -> OddWorld:
    """The tiny recording behind a hole of five gigabytes."""
    traces, trains = tiny.make_traces()
    start = FAR_BYTES // (2 * NUM_ROWS)
    tiny.write_phy(tmp_path / "sorted", {label: train + start for label, train in trains.items()})
    samples = np.zeros((len(traces), NUM_ROWS), "<i2")
    samples[:, : traces.shape[1]] = np.rint(traces)
    with (tmp_path / "raw.bin").open("wb") as stream:
        os.truncate(stream.fileno(), FAR_BYTES + samples.nbytes)
        stream.seek(FAR_BYTES)
        stream.write(samples.tobytes())
    if (tmp_path / "raw.bin").stat().st_blocks * 512 > FAR_BYTES // 2:
        pytest.skip("this disk keeps no holes")
    return OddWorld(tmp_path, NUM_ROWS, np.dtype("<i2"))


def read_far(path: Path) -> NDArray[np.int16]:
    with path.open("rb") as stream:
        stream.seek(FAR_BYTES)
        return np.frombuffer(stream.read(), "<i2").reshape(-1, NUM_ROWS)


def test_more_than_four_gigabytes(vast: OddWorld, tmp_path: Path) -> None:
    """Events beyond 2³² bytes, in the rendered recording and in the files, which keep the hole."""
    start = FAR_BYTES // (2 * NUM_ROWS)
    result = hybridfactory.generate(vast.parameters(tmp_path / "out"), write=False)
    far = result.truth[1].astype(np.int64)
    assert far.min() > start
    assert far.size > 60
    source = read_far(vast.raw)
    patch = planned(result, *source.shape, start=start)
    expected = np.rint(source.astype(np.float64) + patch).astype("<i2")
    assert (expected != source).any(axis=1).sum() > 1000
    rendered = hybridfactory.load(tmp_path / "out").recording
    traces = rendered.get_traces(start_frame=start, end_frame=start + len(source))
    np.testing.assert_array_equal(traces, expected)
    assert not rendered.get_traces(start_frame=start - 5000, end_frame=start).any()

    # The writer on a target with a hole, as a copy that shares blocks with its source is.
    target = tmp_path / "hybrid.bin"
    with target.open("wb") as stream:
        os.truncate(stream.fileno(), vast.raw.stat().st_size)
        stream.seek(FAR_BYTES)
        stream.write(source.tobytes())
    num_samples = vast.raw.stat().st_size // (2 * NUM_ROWS)
    recording = FlatRecording((FlatFile(vast.raw, 0, num_samples),), vast.dtype, NUM_ROWS, RATE)
    [path] = [path for path in result.truth_paths if path.name.startswith("injection-")]
    clipped = render_into((target,), recording, load_script(path)).clipped
    assert clipped.sum() == 0
    np.testing.assert_array_equal(read_far(target), expected)
    assert target.stat().st_blocks * 512 < 50 << 20
    assert target.stat().st_size == vast.raw.stat().st_size


def test_a_timeline_that_begins_far_out(tiny: ModuleType, tmp_path: Path) -> None:
    """Years into an experiment: sample numbers beyond 2³², and beyond what a double counts."""
    near = write_world(tiny, tmp_path / "near", 10)
    plain = near.run(tmp_path / "plain")
    times = np.load(near.sorting / "spike_times.npy")
    for start in (2**32 + 5, 2**53 + 3, 2**61):
        np.save(near.sorting / "spike_times.npy", times + start)
        result = near.run(tmp_path / f"out {start}", start_time=start)
        truth = result.truth.copy()
        truth[1] -= np.uint64(start)
        np.testing.assert_array_equal(truth, plain.truth)
        assert near.hybrid(result).tobytes() == near.hybrid(plain).tobytes()


def test_a_file_with_a_hole_is_copied_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as stream:
        stream.write(b"begin")
        stream.seek(30 << 20)
        stream.write(b"end")
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
