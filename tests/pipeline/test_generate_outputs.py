"""Every documented file of a run is there, and what it says is true of the hybrid's samples."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_run import FinishedRun
from hybrid_world import DONORS, NUM_SAMPLES, RATE, WINDOW, World, contents, read_rows
from numpy.typing import NDArray

import hybridfactory
from hybridfactory.probes import load_probe


def isolated(events: pd.DataFrame, unit: int) -> pd.DataFrame:
    """Events of a unit with no other injected event in reach of their windows."""
    times = events["timestep"].to_numpy()
    gap = np.diff(times)
    alone = (np.append(np.inf, gap) > 81) & (np.append(gap, np.inf) > 81)
    return events[alone & (events["true_unit"] == unit).to_numpy()]


def events_of(difference: NDArray[np.int32], times: NDArray[np.int64]) -> NDArray[np.int32]:
    return difference[np.asarray(times)[:, None] + WINDOW]


def rows_moved(run: FinishedRun, label: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Raw rows of a donor's sites that land on a connected site, and the rows they land on, by geometry alone."""
    probe = run.world.probe
    unit = run.table("units").set_index("true_unit").loc[label]
    assert unit["move"] == "translation"
    shift = np.array([unit["displacement_x_um"], unit["displacement_y_um"]])
    seen = np.flatnonzero(np.abs(run.world.templates[label]).max(axis=0))
    position = {int(row): xy for row, xy in zip(probe.channel_map, probe.channel_positions, strict=True)}
    connected = probe.channel_map[probe.connected]
    pairs = [
        (row, target)
        for row in seen
        for target in connected
        if np.allclose(position[int(target)], position[int(row)] + shift)
    ]
    donor, landed = np.array(pairs).T
    return donor, landed


def test_the_documented_files_are_there_and_no_others(finished: FinishedRun) -> None:
    assert {path.name for path in finished.folder.iterdir()} == {
        "raw.GT.bin",
        "metadata-e2e.csv",
        "annotations-e2e.csv",
        "artificial_units-e2e.csv",
        "units-e2e.csv",
        "plan-e2e.csv",
        "probe-e2e.npz",
        "dtype-e2e.npy",
        "injection-e2e.npz",
        "journal-e2e.npz",
        "firings_true.npy",
        "hfparams_e2e.py",
        "manifest.json",
    }
    assert set(finished.result.truth_paths) | set(finished.result.recording_paths) == set(finished.folder.iterdir())
    assert finished.result.session_name == "e2e"


def test_the_source_is_not_touched(small_world: World, tmp_path: Path) -> None:
    before = small_world.raw.read_bytes(), small_world.raw.stat().st_mtime_ns, contents(small_world.sorting)
    small_world.run(tmp_path, ground_truth_units=[2])
    assert (small_world.raw.read_bytes(), small_world.raw.stat().st_mtime_ns, contents(small_world.sorting)) == before


def test_metadata(finished: FinishedRun) -> None:
    table = finished.table("metadata")
    assert list(table) == ["filename", "samples", "start_time", "sample_rate"]
    assert table.to_dict("records") == [
        {"filename": "raw.GT.bin", "samples": NUM_SAMPLES, "start_time": 0, "sample_rate": RATE}
    ]


def test_artificial_units(finished: FinishedRun) -> None:
    table = finished.table("artificial_units")
    assert list(table)[:4] == ["timestep", "true_unit", "new_unit", "center_channel"]
    assert set(table) == {
        *("timestep", "true_unit", "new_unit", "center_channel"),
        *("amplitude_factor", "donor_spike", "clipped_samples"),
    }
    assert table["timestep"].is_monotonic_increasing
    assert set(table["true_unit"]) == set(DONORS)
    assert (table["amplitude_factor"] == 1).all()
    assert (table["clipped_samples"] == 0).all()
    real = set(finished.world.stated)
    assert real.isdisjoint(table["new_unit"])
    assert table.groupby("true_unit")["new_unit"].nunique().max() == 1
    assert table.groupby("new_unit")["true_unit"].nunique().max() == 1
    for label in DONORS:
        spikes = table.loc[table["true_unit"] == label, "donor_spike"]
        nearest = np.abs(finished.world.troughs[label][:, None] - spikes.to_numpy()).min(axis=0)
        assert nearest.max() <= 1


def test_annotations_hold_real_and_injected_spikes(finished: FinishedRun) -> None:
    table = finished.table("annotations")
    assert list(table) == ["timestep", "cluster", "template"]
    assert table["timestep"].is_monotonic_increasing
    events = finished.table("artificial_units")
    for label, train in finished.world.stated.items():
        np.testing.assert_array_equal(table.loc[table["cluster"] == label, "timestep"], train)
    injected = table[~table["cluster"].isin(list(finished.world.stated))]
    assert sorted(zip(injected["timestep"], injected["cluster"], strict=True)) == sorted(
        zip(events["timestep"], events["new_unit"], strict=True)
    )


def test_probe_and_dtype(finished: FinishedRun) -> None:
    with np.load(finished.folder / "probe-e2e.npz", allow_pickle=False) as archive:
        assert {"channel_map", "connected", "channel_positions", "name"} <= set(archive.files)
        np.testing.assert_array_equal(archive["channel_map"], finished.world.probe.channel_map)
        np.testing.assert_array_equal(archive["connected"], finished.world.probe.connected)
        np.testing.assert_array_equal(archive["channel_positions"], finished.world.probe.channel_positions)
        assert str(archive["name"]) == "eMouse"
    assert load_probe(finished.folder / "probe-e2e.npz").name == "eMouse"
    assert np.load(finished.folder / "dtype-e2e.npy", allow_pickle=False).dtype == np.int16


def test_firings_true_agrees_with_the_tables(finished: FinishedRun) -> None:
    firings = np.load(finished.folder / "firings_true.npy", allow_pickle=False)
    events = finished.table("artificial_units")
    assert firings.dtype == np.uint64
    assert firings.shape == (3, len(events))
    assert (np.diff(firings[1].astype(np.int64)) >= 0).all()
    np.testing.assert_array_equal(finished.result.truth, firings)
    table = events[["center_channel", "timestep", "true_unit"]].to_numpy()
    assert sorted(map(tuple, firings.T.tolist())) == sorted(map(tuple, table.tolist()))


def test_the_plan_names_events_and_refusals(finished: FinishedRun) -> None:
    plan = finished.table("plan")
    assert {"true_unit", "timestep", "status", "reason"} <= set(plan)
    refused = plan[plan["status"] == "unit refused"]
    assert refused["true_unit"].tolist() == [6]
    assert "only 12 spikes" in refused["reason"].item()
    assert plan.loc[plan["status"] == "injected", "reason"].isna().all()
    events = finished.table("artificial_units")
    injected = plan[plan["status"] == "injected"]
    columns = ["timestep", "true_unit", "donor_spike", "center_channel"]
    assert sorted(map(tuple, injected[columns].astype(int).to_numpy().tolist())) == sorted(
        map(tuple, events[columns].to_numpy().tolist())
    )
    # Every donor spike is accounted for: it has an event, or a line that says why it has none.
    lost = plan[plan["status"] == "event refused"].groupby("true_unit").size()
    for label in DONORS:
        assert (injected["true_unit"] == label).sum() + lost.get(label, 0) == finished.world.stated[label].size


def test_refused_events_have_a_reason(world: World, tmp_path: Path) -> None:
    # Without jitter every event lies on its donor spike, so those at the file's ends have no room.
    world.run(tmp_path, ground_truth_units=[1], time_jitter=0)
    plan = pd.read_csv(tmp_path / "plan-e2e.csv")
    refused = plan[plan["status"] == "event refused"]
    assert refused["donor_spike"].tolist() == [15, NUM_SAMPLES - 12]
    assert refused["reason"].str.contains("edge of a file").all()
    assert refused["timestep"].isna().all()
    units = pd.read_csv(tmp_path / "units-e2e.csv")
    assert units["refused_events"].tolist() == [2]


def test_manifest(finished: FinishedRun) -> None:
    manifest = json.loads((finished.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["session_name"] == "e2e"
    assert manifest["random_seed"] == 7
    assert {"hybridfactory", "python", "numpy", "scipy", "spikeinterface"} <= set(manifest["versions"])
    assert manifest["versions"]["hybridfactory"] == hybridfactory.__version__
    (source,), (target,) = manifest["sources"], manifest["targets"]
    assert source["path"] == str(finished.world.raw)
    assert target["name"] == "raw.GT.bin"
    for record, path in ((source, finished.world.raw), (target, finished.folder / "raw.GT.bin")):
        assert record["size"] == path.stat().st_size
        assert record["mtime_ns"] == path.stat().st_mtime_ns
        assert re.fullmatch(r"sha256[-a-z]*:[0-9a-f]{64}", record["fingerprint"])
    assert source["fingerprint"] != target["fingerprint"]
    assert set(hybridfactory.Parameters.__dataclass_fields__) == set(manifest["parameters"])
    assert all((finished.folder / name).is_file() for name in manifest["files"])
    reasons = {unit["donor_label"]: unit["reason"] for unit in manifest["units"]}
    assert [label for label, reason in reasons.items() if reason] == [6]


def test_only_the_new_place_changes(finished: FinishedRun) -> None:
    probe = finished.world.probe
    position = dict(zip(probe.channel_map.tolist(), probe.channel_positions, strict=True))
    allowed = np.zeros(finished.hybrid.shape, dtype=bool)
    for event in finished.table("artificial_units").itertuples():
        center = position[int(event.center_channel)]
        near = [row for row, xy in position.items() if np.linalg.norm(xy - center) < 65]
        allowed[event.timestep - 40 : event.timestep + 41, near] = True
    changed = finished.difference != 0
    assert changed.any()
    assert not (changed & ~allowed).any()
    assert not changed[:, probe.channel_map[~probe.connected]].any()


@pytest.mark.parametrize("label", DONORS)
def test_the_injected_mean_is_the_donors(finished: FinishedRun, label: int) -> None:
    events = isolated(finished.table("artificial_units"), label)
    assert len(events) > 60
    donor_rows, rows = rows_moved(finished, label)
    mean = events_of(finished.difference, events["timestep"])[:, :, rows].mean(axis=0)
    true = finished.world.templates[label][:, donor_rows]
    assert np.corrcoef(mean.ravel(), true.ravel())[0, 1] > 0.99
    assert np.vdot(mean, true) / np.vdot(true, true) == pytest.approx(1, abs=0.05)
    # Row by row too, as far as the unit is more there than the rounding.
    for column in np.flatnonzero(np.abs(true).max(axis=0) > 0.05 * np.abs(true).max()):
        assert np.corrcoef(mean[:, column], true[:, column])[0, 1] > 0.98


@pytest.mark.parametrize("label", DONORS)
def test_second_moments_are_the_donors(finished: FinishedRun, label: int) -> None:
    """Covariances over time and sites of the injected events, and of the same donor spikes less the noise."""
    events = isolated(finished.table("artificial_units"), label)
    donor_rows, rows = rows_moved(finished, label)
    strong = np.abs(finished.world.templates[label][:, donor_rows]).max(axis=0) > 0.2 * 300
    donor_rows, rows = donor_rows[strong], rows[strong]
    times = np.arange(20, 61)  # around the spike; the ends hold other spikes of the source
    injected = events_of(finished.difference, events["timestep"])[:, times][:, :, rows].reshape(len(events), -1)
    donors = events_of(finished.world.source.astype(np.int32), events["donor_spike"])[:, times][:, :, donor_rows]
    donors = donors.reshape(len(events), -1)
    true = finished.world.templates[label][times][:, donor_rows].ravel()
    # Each event's size along the mean: mean, spread, and that it is that of its very donor spike.
    size, donor_size = injected @ true / (true @ true), donors @ true / (true @ true)
    assert size.mean() == pytest.approx(donor_size.mean(), abs=0.02)
    assert size.std() == pytest.approx(donor_size.std(), rel=0.1)
    assert np.corrcoef(size, donor_size)[0, 1] > 0.95
    # The covariance matrix: amplitude changes and sub-sample shifts, and nothing of the noise.
    slope = np.gradient(finished.world.templates[label], axis=0)[times][:, donor_rows].ravel()
    expected = donor_size.var() * np.outer(true, true) + np.outer(slope, slope) / 12
    covariance = np.cov(injected.T)
    assert np.corrcoef(covariance.ravel(), expected.ravel())[0, 1] > 0.97
    assert np.trace(covariance) == pytest.approx(np.trace(expected), rel=0.2)


@pytest.mark.parametrize("label", DONORS)
def test_the_centre_row_is_the_one_with_the_largest_mean(finished: FinishedRun, label: int) -> None:
    events = isolated(finished.table("artificial_units"), label)
    mean = events_of(finished.difference, events["timestep"]).mean(axis=0)
    assert np.abs(mean).max(axis=0).argmax() == events["center_channel"].iloc[0]


@pytest.mark.parametrize("label", DONORS)
def test_every_event_has_its_trough_at_the_stated_sample(finished: FinishedRun, label: int) -> None:
    events = isolated(finished.table("artificial_units"), label)
    row = int(events["center_channel"].iloc[0])
    traces = np.abs(events_of(finished.difference, events["timestep"])[:, :, row])
    peaks = traces.argmax(axis=1) - 40
    assert np.abs(peaks).max() <= 1  # a spike may lie half a sample off, and rounding may tip the scale
    assert (peaks == 0).mean() > 0.7
    assert traces.mean(axis=0).argmax() == 40


def test_no_event_without_a_truth_and_no_truth_without_an_event(finished: FinishedRun) -> None:
    events = finished.table("artificial_units")
    rows = events["center_channel"].to_numpy()
    at_trough = np.abs(finished.difference[events["timestep"].to_numpy(), rows])
    assert (at_trough > 0).all()
    covered = np.zeros(NUM_SAMPLES, dtype=bool)
    covered[(events["timestep"].to_numpy()[:, None] + WINDOW).ravel()] = True
    assert not finished.difference[~covered].any()


def test_refractory_period_and_distance_to_the_donor(finished: FinishedRun) -> None:
    events = finished.table("artificial_units")
    for label in DONORS:
        times = events.loc[events["true_unit"] == label, "timestep"].to_numpy()
        assert np.diff(times).min() >= 0.002 * RATE
        assert times.min() >= 40
        assert times.max() < NUM_SAMPLES - 40
    # A spike in collision lends its time and its neighbour the waveform; a donor named once is an event's own.
    own = events[~events.duplicated(["true_unit", "donor_spike"], keep=False)]
    assert len(own) > 500
    assert np.abs(own["timestep"] - own["donor_spike"]).min() >= 0.001 * RATE - 1


def test_a_longer_refractory_period_is_kept(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path, ground_truth_units=[3], refractory_ms=8.0, time_jitter=400)
    times = pd.read_csv(tmp_path / "artificial_units-e2e.csv")["timestep"]
    assert np.diff(times).min() >= 0.008 * RATE


def test_hfparams_repeat_the_run_elsewhere(finished: FinishedRun, tmp_path: Path) -> None:
    text = (finished.folder / "hfparams_e2e.py").read_text(encoding="utf-8")
    params = tmp_path / "again.py"
    params.write_text(text.replace(str(finished.folder), str(tmp_path / "again")), encoding="utf-8")
    hybridfactory.generate(params)
    again, first = contents(tmp_path / "again"), contents(finished.folder)
    assert again.keys() == first.keys()
    different = {name for name in first if again[name] != first[name]}
    assert different <= {"manifest.json", "hfparams_e2e.py"}


def test_hfparams_repeat_a_run_whose_seed_and_session_were_drawn(small_world: World, tmp_path: Path) -> None:
    result = small_world.run(tmp_path / "out", random_seed=None, session_name=None, ground_truth_units=[2, 5])
    first = contents(tmp_path / "out")
    assert re.fullmatch(r"[0-9a-f]{6,16}", result.session_name)
    assert 0 <= result.parameters.random_seed < 2**31
    hfparams = tmp_path / "out" / f"hfparams_{result.session_name}.py"
    assert f"random_seed = {result.parameters.random_seed}" in hfparams.read_text(encoding="utf-8")
    hybridfactory.generate(hfparams)  # into the folder it lies in
    second = contents(tmp_path / "out")
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} <= {"manifest.json"}
    other = small_world.run(tmp_path / "other", random_seed=None, session_name=None, ground_truth_units=[2])
    assert other.session_name != result.session_name
    assert other.parameters.random_seed != result.parameters.random_seed


def test_clipped_samples_are_counted(world: World, tmp_path: Path) -> None:
    """The row on which unit 1 arrives sits just above the low end of int16, and the donor elsewhere."""
    target = world.probe.channel_map[24]
    lowered = world.source.copy()
    lowered[:, target] = np.maximum(lowered[:, target].astype(np.int32) - (32_768 - 60), -32_768)
    lowered.tofile(tmp_path / "lowered.bin")
    result = world.run(
        tmp_path / "out", raw_source_file=tmp_path / "lowered.bin", ground_truth_units=[1], channel_shift=15
    )
    hybrid = read_rows(result.recording_paths[0])
    events = pd.read_csv(tmp_path / "out" / "artificial_units-e2e.csv")
    assert events["center_channel"].unique().tolist() == [target]
    at_floor = (hybrid == -32_768) & (hybrid != lowered)
    per_event = at_floor[events["timestep"].to_numpy()[:, None] + WINDOW].sum(axis=(1, 2))
    assert (events["clipped_samples"] > 0).mean() > 0.9
    # Where the source lies at the end already, a clipped sample shows no change.
    clear = ~(lowered == -32_768)[events["timestep"].to_numpy()[:, None] + WINDOW].any(axis=(1, 2))
    assert clear.sum() > 100
    # A sample that lands on the end exactly is not clipped, and one where two events meet counts for both.
    assert np.abs(events["clipped_samples"] - per_event)[clear].mean() < 0.2
    assert result.num_clipped_samples == events["clipped_samples"].sum()
    assert (hybrid[events["timestep"], target] < 0).all()  # no wrap-around
