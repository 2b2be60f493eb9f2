"""The demo's recording and sorting are what SpikeGLX and phy would have written, and they agree."""

import hashlib
import json
import runpy
import warnings
from pathlib import Path

import numpy as np
import probeinterface
import pytest
from spikeinterface.extractors import read_phy, read_spikeglx

from hybridfactory.cli import main
from hybridfactory.demo import make_demo
from hybridfactory.errors import OutputError

DURATION_S = 4.0
NUM_SAMPLES = 120_000
NUM_ROWS = 49


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo") / "new folder", seed=3, duration_s=DURATION_S).parent


def raw_path(folder: Path) -> Path:
    return folder / "recording" / "demo_g0_t0.imec0.ap.bin"


def traces_uv(folder: Path) -> np.ndarray:
    counts = np.fromfile(raw_path(folder), dtype="<i2").reshape(-1, NUM_ROWS)
    return counts[:, :-1] * 2.34375


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_spikeinterface_opens_the_recording(folder: Path) -> None:
    recording = read_spikeglx(folder / "recording", stream_id="imec0.ap")
    assert recording.get_num_samples() == NUM_SAMPLES
    assert recording.get_sampling_frequency() == 30000
    assert recording.get_num_channels() == NUM_ROWS - 1
    np.testing.assert_allclose(recording.get_channel_gains(), 2.34375)
    sync = read_spikeglx(folder / "recording", stream_id="imec0.ap-SYNC").get_traces()
    assert set(np.unique(sync)) == {0, 64}


def test_the_geometry_is_that_of_the_meta_file(folder: Path) -> None:
    probe = probeinterface.read_spikeglx(raw_path(folder).with_suffix(".meta"))
    positions = np.load(folder / "sorting" / "channel_positions.npy")
    offset = probe.contact_positions[0] - positions[0]
    np.testing.assert_allclose(probe.contact_positions - positions, np.tile(offset, (len(positions), 1)))


def test_phy_times_are_the_troughs(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SpikeInterface's and Neo's own
        sorting = read_phy(folder / "sorting")
    assert len(sorting.unit_ids) >= 12
    traces = traces_uv(folder)
    for unit in sorting.unit_ids:
        times = sorting.get_unit_spike_train(unit)
        mean = np.mean([traces[time - 30 : time + 31] for time in times], axis=0)
        main_channel = np.ptp(mean, axis=0).argmax()
        assert mean[:, main_channel].argmin() == 30
        assert -230 < mean[30, main_channel] < -45
        assert np.diff(times).min() >= 0.002 * 30000


def test_the_noise_is_that_of_a_probe(folder: Path) -> None:
    traces = traces_uv(folder)
    level = 1.4826 * np.median(np.abs(traces - np.median(traces, axis=0)), axis=0)
    assert 9 < level.mean() < 12
    correlation = np.corrcoef(traces[:, [0, 1, 44]].T)
    assert correlation[0, 1] > correlation[0, 2] + 0.15


def test_the_donors_are_units_of_the_sorting(folder: Path) -> None:
    parameters = runpy.run_path(str(folder / "params.py"))
    labels = np.unique(np.load(folder / "sorting" / "spike_clusters.npy")) + 1
    assert set(parameters["ground_truth_units"]) <= set(labels)
    assert Path(parameters["raw_source_file"]).is_file()
    assert Path(parameters["data_directory"]).is_dir()


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "again", seed=3, duration_s=DURATION_S)
    assert digest(tmp_path / "again") == digest(folder)
    make_demo(tmp_path / "again", seed=4, duration_s=1.0)
    assert digest(tmp_path / "again")["sorting/spike_times.npy"] != digest(folder)["sorting/spike_times.npy"]


def test_a_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "README.txt"
    mine.write_text("my notes")
    with pytest.raises(OutputError, match="not empty"):
        make_demo(tmp_path)
    assert mine.read_text() == "my notes"
    assert list(tmp_path.iterdir()) == [mine]
    with pytest.raises(OutputError, match="is a file"):
        make_demo(mine)


def test_the_command_makes_a_hybrid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:

    folder = tmp_path / "demo"
    assert main(["demo", str(folder)]) == 0
    out, _ = capsys.readouterr()
    assert "Injected" in out
    assert str(folder) in out
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 150e6
    truth = np.load(folder / "hybrid" / "firings_true.npy")
    assert truth.shape[0] == 3
    assert truth.shape[1] > 500
    hybrid = np.fromfile(next((folder / "hybrid").glob("*.GT*.bin")), dtype="<i2").reshape(-1, NUM_ROWS)
    source = np.fromfile(raw_path(folder), dtype="<i2").reshape(-1, NUM_ROWS)
    assert hybrid.shape == source.shape
    np.testing.assert_array_equal(hybrid[:, -1], source[:, -1])
    assert np.any(hybrid != source)

    assert main(["demo", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"params", "generate"}
    assert told["generate"]["num_events"] == truth.shape[1]
