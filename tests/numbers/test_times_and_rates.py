"""Spike times at the ends of 64 bits, labels likewise, and sampling rates that are no round number."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hybrid_world import RATE
from odd_worlds import OddWorld, planned
from test_sizes import as_toml, write_world

import hybridfactory
from hybridfactory.cli import main


@pytest.fixture
def world(tiny: ModuleType, tmp_path: Path) -> OddWorld:
    return write_world(tiny, tmp_path / "world", 10)


EXTREME_TIMES = [
    np.array([2**63], np.uint64),
    np.array([2**63 - 1], np.uint64),
    np.array([2**64 - 1], np.uint64),
    np.array([2**63 - 1], np.int64),
    np.array([-(2**63)], np.int64),
    np.array([2**62], ">i8"),
    np.array([2**32], np.uint64),
    np.array([2.0**63]),
    np.array([1e300]),
    np.array([-1e300]),
    np.array([np.inf]),
    np.array([np.nan]),
]


@pytest.mark.parametrize("times", EXTREME_TIMES, ids=lambda times: f"{times[0]} {times.dtype.str}")
def test_times_that_no_recording_has(
    world: OddWorld, tmp_path: Path, times: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """One among good ones: never taken modulo, never cut off, never a wait."""
    path = world.sorting / "spike_times.npy"
    good = np.load(path)
    for place in (0, good.size // 2, good.size - 1):
        with np.errstate(over="ignore", invalid="ignore"):
            spoilt = good.astype(times.dtype)
        spoilt[place] = times[0]
        np.save(path, spoilt)
        assert main(["generate", str(as_toml(world, tmp_path / "out")), "--silent"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("hybridfactory: error: ")
        assert err.count("\n") == 1
        assert "spike" in err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dtype", ["<u8", ">u8", "<i8", ">i4", "<u4", "<f8"])
def test_good_times_of_any_type(world: OddWorld, tmp_path: Path, dtype: str) -> None:
    plain = world.run(tmp_path / "plain")
    path = world.sorting / "spike_times.npy"
    np.save(path, np.load(path).astype(dtype)[:, None])  # a column, as MATLAB's users save it
    result = world.run(tmp_path / "out")
    np.testing.assert_array_equal(result.truth, plain.truth)
    assert world.hybrid(result).tobytes() == world.hybrid(plain).tobytes()


@pytest.mark.parametrize(
    "label", [np.uint64(2**63), np.uint64(2**64 - 1), np.int64(2**63 - 1), np.int64(-(2**63)), np.int64(-1)]
)
def test_labels_at_the_ends_of_64_bits(
    world: OddWorld, tmp_path: Path, label: np.integer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = world.sorting / "spike_clusters.npy"
    labels = np.load(path).astype(label.dtype)
    labels[7] = label
    np.save(path, labels)
    assert main(["generate", str(as_toml(world, tmp_path / "out")), "--silent"]) in (0, 2)
    err = capsys.readouterr().err
    assert err == "" or (err.startswith("hybridfactory: error: ") and err.count("\n") == 1 and "label" in err)
    assert (tmp_path / "out").exists() == (err == "")


@pytest.mark.parametrize("start", [2**63, 2**63 - 1, 2**63 - 20_000, 2**64, 10**30])
def test_start_times_beyond_64_bits(
    world: OddWorld, tmp_path: Path, start: int, capsys: pytest.CaptureFixture[str]
) -> None:
    params = as_toml(world, tmp_path / "out")
    params.write_text(params.read_text().replace("start_time = 0", f"start_time = {start}"))
    assert main(["generate", str(params), "--silent"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("hybridfactory: error: ")
    assert err.count("\n") == 1
    assert "start_time" in err or "outside the recording" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rate", [20_000.23, 24_414.0625, 19_531.25 + 1e-9, 30_000.23, 1_000.5])
def test_rates_that_are_no_round_number(world: OddWorld, tmp_path: Path, rate: float) -> None:
    """The rate is kept to its last digit in everything that states it, and samples stay samples."""
    result = world.run(tmp_path / "out", sample_rate=rate, samples_before=20)
    source = world.source
    np.testing.assert_array_equal(world.hybrid(result), np.rint(source + planned(result, *source.shape)))
    metadata = pd.read_csv(tmp_path / "out" / "metadata-odd.csv")
    assert metadata["sample_rate"].tolist() == [rate]
    run = hybridfactory.load(tmp_path / "out")
    assert run.sampling_frequency == rate
    assert run.recording.get_sampling_frequency() == rate
    assert run.sorting.get_sampling_frequency() == rate
    again = hybridfactory.generate(
        hybridfactory.load_parameters(tmp_path / "out" / "hfparams_odd.py"),
    )
    assert again.parameters.sample_rate == rate
    np.testing.assert_array_equal(again.truth, result.truth)
    stated = np.load(tmp_path / "out" / "dtype-odd.npy")
    assert stated.dtype == np.dtype("<i2")
    assert stated.size == 0  # which int16 cannot hold


@pytest.mark.parametrize("rate", ["1e-300", "1e300", "0.001", "1e15", "inf", "nan", "-20000.0", "2**20"])
def test_rates_of_no_recording(
    world: OddWorld, tmp_path: Path, rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    params = as_toml(world, tmp_path / "out")
    params.write_text(params.read_text().replace(f"sample_rate = {RATE}", f"sample_rate = {rate}"))
    code = main(["generate", str(params), "--silent"])
    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith("hybridfactory: error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
