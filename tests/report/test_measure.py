"""The figures of a run show what is in its recordings."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridfactory import HybridRun, load
from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.events.snippets import remove_baseline
from hybridfactory.report import measure
from hybridfactory.report.intervals import INTERVAL_EDGES_MS, count_intervals
from hybridfactory.report.measure import ViewOfRun, measure_run
from hybridfactory.report.unit_tables import unit_tables


def samples_of(path: Path, run: HybridRun) -> np.ndarray:
    return np.fromfile(path, dtype="<i2").reshape(-1, run.manifest.content["recording"]["num_rows"])


def windows(traces: np.ndarray, times: np.ndarray, rows: np.ndarray) -> np.ndarray:
    index = times[:, None] + np.arange(-40, 41)
    return remove_baseline(traces[index[:, :, None], rows])


def test_every_injected_unit_is_there(run: HybridRun, view: ViewOfRun) -> None:
    assert [unit.donor.label for unit in view.units] == [1, 2]
    assert [unit.injected.label for unit in view.units] == run.units["new_unit"].dropna().tolist()
    assert view.unit_of_value == "counts"
    assert view.times_ms[40] == 0
    assert view.times_ms[-1] == pytest.approx(2.0)  # 40 samples at 20 kHz


@pytest.mark.parametrize("side", ["donor", "injected"])
def test_means_amplitudes_and_snippets_are_those_of_the_recording(run: HybridRun, view: ViewOfRun, side: str) -> None:
    if side == "donor":
        traces = samples_of(Path(run.manifest.content["sources"][0]["path"]), run)
    else:
        traces = samples_of(run.manifest.target_paths[0], run)
    events = run.artificial_units
    for unit in view.units:
        place = getattr(unit, side)
        mine = events[events["new_unit"] == unit.injected.label]
        times = np.unique(mine["donor_spike" if side == "donor" else "timestep"])
        assert place.row == mine["center_channel"].iloc[0] or side == "donor"
        np.testing.assert_array_equal(place.drawn_samples, times)
        read = windows(traces, times, place.rows)
        np.testing.assert_allclose(place.mean, read.mean(axis=0), rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(place.amplitudes, read[:, 40, 0], atol=1e-3)
        which = np.searchsorted(times, place.snippet_samples)
        assert len(which) == min(len(times), 100)
        np.testing.assert_allclose(place.snippets, read[which][:, :, 0], atol=1e-3)


def test_intervals_come_from_all_spikes_of_the_donor(run: HybridRun, view: ViewOfRun) -> None:
    spikes = pd.read_csv(run.manifest.paths.annotations)
    for unit in view.units:
        stated = np.sort(spikes.loc[spikes["cluster"] == unit.donor.label, "timestep"])
        np.testing.assert_array_equal(unit.donor.samples, stated)


def test_the_main_channel_comes_first_and_its_neighbours_follow(run: HybridRun, view: ViewOfRun) -> None:
    positions = dict(zip(run.probe.connected_rows.tolist(), run.probe.connected_positions, strict=True))
    for unit in view.units:
        for place in (unit.donor, unit.injected):
            assert place.rows[0] == place.row
            distances = np.linalg.norm(place.positions_um - positions[place.row], axis=1)
            assert (np.diff(distances) >= 0).all()
            assert np.abs(place.mean[40]).argmax() == 0


def test_few_spikes_are_read_and_evenly(run: HybridRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "MAX_SPIKES_OF_UNIT", 10)
    monkeypatch.setattr(measure, "NUM_SNIPPETS", 4)
    for unit in measure_run(run).units:
        assert unit.injected.drawn_samples.size == 10
        assert unit.injected.drawn_samples[0] == unit.injected.samples[0]
        assert unit.injected.drawn_samples[-1] == unit.injected.samples[-1]
        np.testing.assert_array_equal(unit.injected.snippet_samples, unit.injected.drawn_samples[[0, 3, 6, 9]])
        assert unit.injected.snippets.shape == (4, 81)


def test_the_rendered_hybrid_is_the_written_one(run_folder: Path, view: ViewOfRun, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run_folder, moved)
    manifest = json.loads((moved / "manifest.json").read_text(encoding="utf-8"))
    manifest["sources"][0]["path"] = str(tmp_path / "gone.bin")
    (moved / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    without_source = measure_run(load(moved))
    assert "gone.bin is gone" in without_source.note
    for unit, same in zip(view.units, without_source.units, strict=True):
        np.testing.assert_array_equal(unit.injected.mean, same.injected.mean)
        np.testing.assert_allclose(unit.donor.mean[:, 0], same.donor.mean[:, 0], atol=20)  # of some 300

    hybrid = load(moved).manifest.target_paths[0]
    hybrid.write_bytes(hybrid.read_bytes())
    with pytest.raises(RecordingError, match=r"gone\.bin is gone, and the hybrid .* was changed"):
        measure_run(load(moved))
    hybrid.unlink()
    with pytest.raises(MissingFileError, match=r"gone\.bin is gone, and so is the hybrid"):
        measure_run(load(moved))


def test_a_source_that_was_changed_is_refused(run_folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run_folder, moved)
    manifest = json.loads((moved / "manifest.json").read_text(encoding="utf-8"))
    manifest["sources"][0]["mtime_ns"] += 1
    (moved / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(RecordingError, match="was changed after the run"):
        measure_run(load(moved))


def test_intervals_over_a_gap_are_not_counted() -> None:
    samples = np.array([0, 30, 90, 1_000_000, 1_000_045, 1_900_000])
    counts, total = count_intervals(samples, 30_000.0, (0, 900_000))
    assert total == 4
    assert counts.sum() == 3  # that of 30 s is longer than the last bin
    assert counts[1] == 2  # 1 and 1.5 ms
    assert counts[2] == 1  # 2 ms
    assert len(counts) == len(INTERVAL_EDGES_MS) - 1


def test_tables_hold_what_was_measured(view: ViewOfRun) -> None:
    unit = view.units[0]
    tables = unit_tables(view, unit)
    means = tables["waveforms"].query("side == 'injected' and channel == @unit.injected.row")
    np.testing.assert_array_equal(means["mean_counts"], unit.injected.mean[:, 0])
    np.testing.assert_array_equal(means["time_ms"], view.times_ms)
    snippets = tables["snippets"].query("side == 'donor'")
    np.testing.assert_array_equal(snippets.iloc[:, 4:], unit.donor.snippets)
    assert [float(name) for name in snippets.columns[4:]] == pytest.approx(view.times_ms, abs=1e-4)
    amplitudes = tables["amplitudes"].query("side == 'injected'")
    np.testing.assert_array_equal(amplitudes["amplitude_counts"], unit.injected.amplitudes)
    np.testing.assert_allclose(amplitudes["time_s"] * view.sampling_frequency, unit.injected.drawn_samples)
    intervals = tables["intervals"]
    short = np.diff(unit.donor.samples) / view.sampling_frequency * 1e3 < INTERVAL_EDGES_MS[-1]
    assert intervals["donor_intervals"].sum() == short.sum()
    assert intervals["donor_percent"].sum() == pytest.approx(100 * short.mean())
