"""Every type of samples, in both byte orders, up to the ends of its range: the hybrid is source plus plan."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from odd_worlds import OddWorld, clipped_per_event, planned

from hybridfactory.cli import main

TYPES = ["i2", "u2", "i4", "f4", "f8"]
NUM_ROWS = 10

Make = Callable[..., OddWorld]


@pytest.fixture
def make_world(tiny: ModuleType, tmp_path: Path) -> Make:
    """Write the tiny recording as another type: `scale` and `offset` turn its counts into that type's."""

    def make(name: str, dtype: str, scale: float = 1, offset: float = 0, **changes: object) -> OddWorld:
        traces, trains = tiny.make_traces(num_rows=NUM_ROWS)
        traces = traces * scale + offset
        kind = np.dtype(dtype)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            traces = np.clip(np.rint(traces), limits.min, limits.max)
        folder = tmp_path / name
        tiny.write_phy(folder / "sorted", trains)
        traces.astype(kind).tofile(folder / "raw.bin")
        return OddWorld(folder, NUM_ROWS, kind, changes)

    return make


def expected_hybrid(source: NDArray[Any], patch: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Source plus plan in its own type, and which samples hit the end of its range."""
    total = source.astype(np.float64) + patch
    if source.dtype.kind == "f":
        return np.where(patch != 0, total, source).astype(source.dtype), np.zeros(patch.shape, bool)
    total = np.rint(total)
    limits = np.iinfo(source.dtype)
    is_clipped = (total < limits.min) | (total > limits.max)
    bounded = np.clip(total, float(limits.min), float(limits.max))
    return np.where(patch != 0, bounded, source).astype(source.dtype), is_clipped


@pytest.mark.parametrize("kind", TYPES)
def test_the_hybrid_is_source_plus_plan(make_world: Make, tmp_path: Path, kind: str) -> None:
    """And the byte order of the file changes nothing but the order of its bytes."""
    # As these types hold recordings: offset binary, 24 bits of a converter, µV, volts.
    scale, offset = {"i2": (1, 0), "u2": (1, 2.0**15), "i4": (2.0**12, 0), "f4": (0.195, 0), "f8": (1.95e-7, 0)}[kind]
    hybrids, truths = [], []
    for order in "<>":
        world = make_world(order, order + kind, scale, offset)
        result = world.run(tmp_path / f"out {order}")
        source, hybrid = world.source, world.hybrid(result)
        patch = planned(result, *source.shape)
        expected, is_clipped = expected_hybrid(source, patch)
        assert not is_clipped.any()
        assert hybrid.tobytes() == expected.tobytes()
        assert (hybrid != source).any(axis=1).sum() > 1000
        assert result.num_clipped_samples == 0
        hybrids.append(hybrid)
        truths.append(result.truth)
    np.testing.assert_array_equal(*hybrids)
    np.testing.assert_array_equal(*truths)
    assert truths[0].shape[1] > 60


@pytest.mark.parametrize("rail", ["low", "high", "both"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", ">u2", "<i4", ">i4"])
def test_clipped_samples_are_counted(make_world: Make, tmp_path: Path, dtype: str, rail: str) -> None:
    """Of a recording that is saturated itself, and of one whose events go beyond both ends of the range."""
    limits = np.iinfo(np.dtype(dtype))
    span = float(limits.max) - float(limits.min)
    if rail == "both":  # noise in the middle, events larger than what is above and below
        scale, offset, factor = span / 2500, (float(limits.max) + float(limits.min) + 1) / 2, 20.0
    else:  # the noise reaches the end of the range; units that point there are cut off
        scale = (1 if rail == "low" else -1) * span / 2000
        offset, factor = limits.min + span / 10 if rail == "low" else limits.max - span / 10, 2.0
    world = make_world("loud", dtype, scale, offset, amplitude_scale_min=factor, amplitude_scale_max=factor)
    result = world.run(tmp_path / "out")
    source, hybrid = world.source, world.hybrid(result)
    expected, is_clipped = expected_hybrid(source, planned(result, *source.shape))
    assert hybrid.tobytes() == expected.tobytes()
    counts = clipped_per_event(result, is_clipped)
    assert result.num_clipped_samples == counts.sum() > 100
    table = pd.read_csv(tmp_path / "out" / "artificial_units-odd.csv")
    assert table["clipped_samples"].sum() == counts.sum()
    assert table["clipped_samples"].max() == counts.max()
    if rail == "both":
        assert (hybrid == limits.min).any()
        assert (hybrid == limits.max).any()


def run_in_one_line(world: OddWorld, output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run on the command line; the one line of an error, or nothing."""
    params = world.folder / "params.toml"
    lines = [
        f"data_directory = '{world.sorting}'",
        f"raw_source_file = '{world.raw}'",
        f"data_type = '{world.dtype.str}'",
        "sample_rate = 20000",
        "ground_truth_units = [1, 2]",
        "start_time = 0",
        f"output_directory = '{output}'",
        "[probe]",
        f"channel_map = {list(range(world.num_rows))}",
        f"connected = {[1] * world.num_rows}",
        f"channel_positions = {[[0, 20 * row] for row in range(world.num_rows)]}",
    ]
    params.write_text("\n".join(lines))
    code = main(["generate", str(params), "--silent"])
    err = capsys.readouterr().err
    assert (code, err.count("\n")) in ((0, 0), (2, 1)), err
    assert output.exists() == (code == 0)
    return err


@pytest.mark.parametrize("dtype", ["<i2", ">u2", "<i4", "<f4", ">f8"])
@pytest.mark.parametrize("value", ["lowest", "highest", "zero"])
def test_a_recording_that_does_not_move(
    make_world: Make, tmp_path: Path, dtype: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a rail, or at zero, all the time: there is nothing to learn, and one line says so."""
    world = make_world("dead", dtype)
    kind = np.dtype(dtype)
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    held = {"lowest": limits.min, "highest": limits.max, "zero": 0}[value]
    np.full(world.source.shape, held, kind).tofile(world.raw)
    assert "no unit could be injected" in run_in_one_line(world, tmp_path / "out", capsys)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_floats_that_are_no_numbers_stay_as_they_are(
    make_world: Make, tmp_path: Path, dtype: str, value: float
) -> None:
    world = make_world("gaps", dtype)
    traces = world.source.copy()
    traces[7_000:7_300] = value
    traces[12_000:12_050, 4] = value
    traces.tofile(world.raw)
    result = world.run(tmp_path / "out")
    hybrid = world.hybrid(result)
    is_finite = np.isfinite(traces)
    np.testing.assert_array_equal(np.isfinite(hybrid), is_finite)
    np.testing.assert_array_equal(hybrid[~is_finite], traces[~is_finite])
    expected, _ = expected_hybrid(traces, planned(result, *traces.shape))
    assert hybrid.tobytes() == expected.tobytes()


def test_floats_at_the_ends_of_their_range(
    make_world: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too large to be squared, and too small: samples that nobody recorded."""
    for scale in (3e35, 1e20, 1e-42):
        world = make_world(f"{scale}", "<f4", scale)
        assert "no unit could be injected" in run_in_one_line(world, tmp_path / "out", capsys)


@pytest.mark.parametrize("scale", [1e-15, 1e-9, 1e9])
def test_any_unit_of_voltage_will_do(make_world: Make, tmp_path: Path, scale: float) -> None:
    plain = make_world("counts", "<f4").run(tmp_path / "plain")
    world = make_world("other", "<f4", scale)
    result = world.run(tmp_path / "other unit")
    np.testing.assert_array_equal(result.truth, plain.truth)
    expected, _ = expected_hybrid(world.source, planned(result, *world.source.shape))
    assert world.hybrid(result).tobytes() == expected.tobytes()


def test_a_few_absurd_values_cost_the_spikes_they_hit(make_world: Make, tmp_path: Path) -> None:
    """As a broken file has them: bytes that are no samples, taken for floats."""
    world = make_world("glitch", "<f4")
    traces = world.source.copy()
    traces[[500, 4_000, 9_000, 15_000], [3, 5, 1, 6]] = [1e30, -1e38, 3e25, -1e20]
    traces.tofile(world.raw)
    result = world.run(tmp_path / "out")
    assert len(result.plan.injected_units) == 2
    assert all(np.abs(unit.snr) < 100 for unit in result.plan.injected_units)
    patch = planned(result, *traces.shape)
    assert 50 < np.abs(patch).max() < 1000
    assert world.hybrid(result).tobytes() == expected_hybrid(traces, patch)[0].tobytes()
