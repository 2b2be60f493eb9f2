"""Target amplitudes, several units per donor and donors taken out, measured on the hybrid."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hybrid_world import DONORS, NOISE_COUNTS, NUM_ROWS, RATE, World, contents, read_rows, write_phy
from numpy.typing import NDArray

import hybridfactory
from hybridfactory import GenerateResult
from hybridfactory.errors import NothingInjectedError, ParameterError
from hybridfactory.events.background import background_deviation
from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.model import EventModel
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.parameters import load_parameters
from hybridfactory.pipeline.truth import write_truth
from hybridfactory.recording.flat import FlatFile, FlatRecording, open_flat_recording
from hybridfactory.recording.source import Source
from hybridfactory.sorting import read_sorting

DEFAULTS: dict[str, Any] = {"units_per_donor": 1, "remove_original": False}
NEUROPIXELS_META = (
    "nSavedChans=34\nimSampRate=20000\nfirstSample=0\nfileSizeBytes={size}\nsnsApLfSy=33,0,1\nacqApLfSy=384,384,1\n"
    "fileName=D:/run1_g0/run1_g0_t0.imec0.ap.bin\ntypeThis=imec\nsnsSaveChanSubset=0:32,768\nimDatPrb_type=0\nimDatPrb_pn=NP1010\nimMaxInt=512\nimAiRangeMax=0.6\nimAiRangeMin=-0.6\n"
    "~imroTbl=(0,384){imro}\n~snsChanMap=(384,384,1){names}\n"
)


def units(result: GenerateResult) -> pd.DataFrame:
    return pd.read_csv(result.output_directory / "units-e2e.csv")


def difference(world: World, result: GenerateResult) -> NDArray[np.int32]:
    return read_rows(result.recording_paths[0]).astype(np.int32) - world.source


def test_defaults_change_nothing(small_world: World, tmp_path: Path) -> None:
    small_world.run(tmp_path / "without", ground_truth_units=[2, 4])
    small_world.run(tmp_path / "with", ground_truth_units=[2, 4], **DEFAULTS)
    without, stated = contents(tmp_path / "without"), contents(tmp_path / "with")
    different = {name for name in without if without[name] != stated[name]}
    assert set(without) == set(stated) and different <= {"manifest.json", "hfparams_e2e.py"}


def test_new_parameters_do_not_move_the_first_units(small_world: World, tmp_path: Path) -> None:
    """One unit per donor, of its own size, is injected just so beside others, and where the donor is taken out."""
    plain = small_world.run(tmp_path / "plain", ground_truth_units=[2, 4])
    several = small_world.run(tmp_path / "several", ground_truth_units=[2, 4], units_per_donor=2)
    removed = small_world.run(tmp_path / "removed", ground_truth_units=[2, 4], remove_original=True)
    tables = [
        pd.read_csv(result.output_directory / "artificial_units-e2e.csv") for result in (plain, several, removed)
    ]
    firsts = tables[1][tables[1]["new_unit"].isin(tables[0]["new_unit"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(tables[0], firsts)
    pd.testing.assert_frame_equal(tables[0], tables[2])
    np.testing.assert_array_equal(plain.truth, removed.truth)
    assert several.truth.shape[1] > 1.9 * plain.truth.shape[1]


def test_copies_in_the_files_of_a_run(small_world: World, tmp_path: Path) -> None:
    result = small_world.run(tmp_path, ground_truth_units=[2, 4], units_per_donor=3)
    table = units(result)
    assert table["true_unit"].tolist() == [2, 2, 2, 4, 4, 4]
    assert table["new_unit"].tolist() == [12, 22, 32, 14, 24, 34]
    assert table.groupby("true_unit")["center_channel"].nunique().tolist() == [3, 3]
    run = hybridfactory.load(tmp_path)
    events = run.artificial_units
    assert events.groupby("new_unit").size().to_dict() == table.set_index("new_unit")["events"].to_dict()
    assert set(result.truth[2].tolist()) == {2, 4}
    assert run.sorting.get_unit_ids().tolist() == [12, 14, 22, 24, 32, 34]
    assert run.sorting.get_property("true_unit").tolist() == [2, 4, 2, 4, 2, 4]
    np.testing.assert_array_equal(run.recording.get_traces(), run.written_recording.get_traces())
    assert {unit["injected_label"] for unit in run.manifest.content["units"]} == {12, 22, 32, 14, 24, 34}
    again = hybridfactory.generate(tmp_path / "hfparams_e2e.py", write=False)
    np.testing.assert_array_equal(again.truth, result.truth)


@pytest.fixture
def with_gains(small_world: World, tmp_path: Path) -> Path:
    """The recording with a .meta file that states 1.2 V over 1024 steps at a gain of 500: 2.34375 µV per count."""
    raw = tmp_path / "run1_g0_t0.imec0.ap.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    imro = "".join(f"({channel} 0 0 500 250 1)" for channel in range(384))
    names = "".join(f"(AP{channel};{channel}:{channel})" for channel in range(33)) + "(SY0;768:768)"
    meta = NEUROPIXELS_META.format(size=raw.stat().st_size, imro=imro, names=names)
    raw.with_suffix(".meta").write_text(meta)
    return raw


def mean_peaks(world: World, result: GenerateResult) -> dict[int, float]:
    """Peak of the mean of each unit's events on its centre row, as they stand in the file."""
    changed = difference(world, result)
    events = pd.read_csv(result.output_directory / "artificial_units-e2e.csv")
    times = events["timestep"].to_numpy()
    alone = (np.diff(times, prepend=-1000) > 81) & (np.diff(times, append=10**9) > 81)
    return {
        int(str(label)): float(np.abs(changed[part["timestep"], part["center_channel"]].mean()))
        for label, part in events[alone].groupby("new_unit")
    }


def test_target_amplitude(small_world: World, tmp_path: Path, with_gains: Path) -> None:
    result = small_world.run(
        tmp_path / "out", ground_truth_units=[2, 3, 5], raw_source_file=with_gains, target_amplitude_uV=300
    )
    for peak in mean_peaks(small_world, result).values():
        assert peak * 2.34375 == pytest.approx(300, rel=0.05)
    table = units(result)
    factors = table.set_index("true_unit")["unit_factor"]
    # Donors of 260, 420 and 380 counts at their centre.
    assert factors[2] / factors[3] == pytest.approx(420 / 260, rel=0.08)
    assert factors[2] == pytest.approx(300 / 2.34375 / 260, rel=0.08)


def test_target_amplitude_without_gains(small_world: World, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"target_amplitude_uV needs µV per count.*target_snr"):
        small_world.run(tmp_path / "out", target_amplitude_uV=300)
    assert not list((tmp_path / "out").glob("*"))
    raw = tmp_path / "poor.bin"
    raw.write_bytes(small_world.raw.read_bytes())
    raw.with_suffix(".meta").write_text(
        f"nSavedChans={NUM_ROWS}\nimSampRate=20000\nfirstSample=0\nfileSizeBytes={raw.stat().st_size}\n"
        f"snsApLfSy={NUM_ROWS - 1},0,1\ntypeThis=imec\n"
    )
    with pytest.raises(ParameterError, match=r"poor\.meta does not tell µV per count"):
        small_world.run(tmp_path / "out", raw_source_file=raw, target_amplitude_uV=300)


def test_target_snr(world: World, tmp_path: Path) -> None:
    result = world.run(tmp_path / "one", target_snr=12)
    true_noise = np.hypot(NOISE_COUNTS, 3)
    for peak in mean_peaks(world, result).values():
        # The baseline that is taken off takes some of the noise along, and neighbours' spikes add some.
        assert peak / true_noise == pytest.approx(12, rel=0.08)
    table = units(result)
    assert (table["snr"] > 20).all() and (table["unit_factor"] < 0.6).all()
    ranged = world.run(tmp_path / "range", target_snr=[5, 15])
    factors = units(ranged)["unit_factor"] / table["unit_factor"]
    assert 5 / 12 <= factors.min() < factors.max() <= 15 / 12 and factors.nunique() == len(DONORS)


def test_noise_is_measured_as_that_of_the_donors(world: World) -> None:
    """A target SNR of a donor's own SNR would leave it as it is, if it stayed where it was."""
    source = open_flat_recording(
        [world.raw], start_samples=[0], dtype=np.dtype("<i2"), num_rows=NUM_ROWS, sampling_frequency=RATE
    )
    sites = Sites(world.probe.connected_rows, world.probe.connected_positions, np.zeros(32, dtype=np.int64))
    settings = ModelSettings(40, 40, 6, "shrunk_svd", 7)
    models = learn_event_models(source, {label: world.stated[label] for label in DONORS}, sites, settings)
    for model in models.values():
        assert isinstance(model, EventModel)
        (here,) = background_deviation(
            source, model.rows[[model.main_column]], samples_before=40, samples_after=40, seed=7
        )
        assert here == pytest.approx(model.noise_level, rel=0.04)


def test_a_target_out_of_reach_is_told(small_world: World, tmp_path: Path) -> None:
    with pytest.raises(NothingInjectedError, match=r"unit 2: target_snr 1e\+03 would scale it up .* times"):
        small_world.run(tmp_path / "none", ground_truth_units=[2], target_snr=1000)
    assert not list((tmp_path / "none").glob("*"))


def rms_at(traces: NDArray[Any], row: int, times: NDArray[np.int64]) -> float:
    return float(np.sqrt((traces[times[:, None] + np.arange(-15, 25), row].astype(float) ** 2).mean()))


def test_the_old_place_is_left_to_the_noise(world: World, tmp_path: Path) -> None:
    plain = world.run(tmp_path / "plain")
    removed = world.run(tmp_path / "removed", remove_original=True)
    # The same events went in: what is left of the difference is the donors.
    hybrid = read_rows(removed.recording_paths[0]).astype(np.int32)
    rest = hybrid - difference(world, plain)
    every = np.sort(np.concatenate([world.troughs[label] for label in DONORS]))
    random = np.random.default_rng(0)
    quiet = random.integers(100, len(world.source) - 100, 3000)
    quiet = quiet[np.abs(quiet[:, None] - every).min(axis=1) > 80]
    for label in DONORS:
        row = int(np.abs(world.templates[label]).max(axis=0).argmax())
        times = world.troughs[label][1:-1]
        others = np.sort(np.concatenate([world.troughs[other] for other in DONORS if other != label]))
        lone = times[np.abs(times[:, None] - others).min(axis=1) > 80]
        noise = rms_at(world.source, row, quiet)
        assert rms_at(world.source, row, lone) > 9 * noise
        assert rms_at(rest, row, lone) == pytest.approx(noise, rel=0.04)
        # Spikes that collide go as well, with the shares of others.
        assert rms_at(rest, row, times) < 2 * noise < 0.2 * rms_at(world.source, row, times)


def test_what_a_removal_says_of_itself(world: World, tmp_path: Path) -> None:
    result = world.run(tmp_path, ground_truth_units=[1, 3, 6], remove_original=True, units_per_donor=2)
    table = units(result).set_index("new_unit")
    # Two spikes of unit 1 lie over the file's ends.
    expected = world.stated[1].size - 2, world.stated[3].size
    assert table.loc[[11, 21, 13, 23], "removed_spikes"].tolist() == [expected[0]] * 2 + [expected[1]] * 2
    assert "2 of its donor's spikes stay" in table.loc[11, "notes"]
    refused = units(result).query("status == 'refused'")
    assert refused["true_unit"].tolist() == [6] and refused["removed_spikes"].tolist() == [0]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["parameters"]["remove_original"] is True
    counts = {unit["injected_label"]: unit["num_removed_spikes"] for unit in manifest["units"]}
    assert counts == {11: expected[0], 21: expected[0], 13: expected[1], 23: expected[1], None: 0}
    events = pd.read_csv(tmp_path / "artificial_units-e2e.csv")
    assert manifest["num_events"] == len(events) == result.truth.shape[1] == table["events"].sum()
    assert set(events["new_unit"]) == {11, 21, 13, 23}


def test_a_removal_can_be_checked_rendered_and_taken_back(small_world: World, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"ground_truth_units": [1, 2, 4], "remove_original": True, "target_snr": [8, 12]}
    result = small_world.run(tmp_path / "run", **changes)
    run = hybridfactory.load(tmp_path / "run")
    np.testing.assert_array_equal(run.recording.get_traces(), run.written_recording.get_traces())
    assert hybridfactory.verify(tmp_path / "run").is_identical
    later = small_world.run(tmp_path / "later", **changes)
    assert later.truth.shape == result.truth.shape
    run.reset()
    assert result.recording_paths[0].read_bytes() == small_world.raw.read_bytes()
    hybridfactory.write(tmp_path / "run")
    assert result.recording_paths[0].read_bytes() == later.recording_paths[0].read_bytes()
    # The next run, which takes nothing out, starts from the source's own bytes again.
    reused = small_world.run(tmp_path / "run", ground_truth_units=[2])
    fresh = small_world.run(tmp_path / "fresh", ground_truth_units=[2])
    assert reused.recording_paths[0].read_bytes() == fresh.recording_paths[0].read_bytes()


def test_clipped_samples_are_those_of_injected_events(small_world: World, tmp_path: Path) -> None:
    """A recording that sits near the end of its type's range: events clip, and so does taking spikes out."""
    raised = small_world.source.astype(np.int32) + 32767 - 100
    clipped = np.clip(raised, -32768, 32767).astype("<i2")
    (tmp_path / "raw.bin").write_bytes(clipped.tobytes())
    write_phy(tmp_path / "sorted", small_world.stated, raw="../raw.bin")
    changes: dict[str, Any] = {"raw_source_file": tmp_path / "raw.bin", "data_directory": tmp_path / "sorted"}
    result = small_world.run(tmp_path / "out", ground_truth_units=[2], remove_original=True, **changes)
    events = pd.read_csv(tmp_path / "out" / "artificial_units-e2e.csv")
    assert 0 < events["clipped_samples"].sum() <= result.num_clipped_samples
    before = (tmp_path / "out" / "artificial_units-e2e.csv").read_bytes()
    hybridfactory.reset(tmp_path / "out")
    assert (tmp_path / "out" / "raw.GT.bin").read_bytes() == clipped.tobytes()
    hybridfactory.write(tmp_path / "out")
    assert (tmp_path / "out" / "artificial_units-e2e.csv").read_bytes() == before
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["num_clipped_samples"] == result.num_clipped_samples


def test_sites_of_copies_are_their_own_in_the_annotations(small_world: World, tmp_path: Path) -> None:
    """JRCLUST states a site for every spike: each injected unit of a donor gets that of its own centre."""
    plan = small_world.run(tmp_path / "out", ground_truth_units=[2], units_per_donor=2).plan
    phy = read_sorting(small_world.sorting, label_base=1)
    jrclust = replace(phy, spike_templates=None, spike_channel_index=np.zeros(phy.spike_times.size, dtype=np.int64))
    source = Source(
        FlatRecording((FlatFile(small_world.raw, 0, len(small_world.source)),), np.dtype("<i2"), NUM_ROWS, RATE),
        small_world.probe,
        (None,),
        (),
    )
    parameters = load_parameters(small_world.parameters(tmp_path))
    paths = RunPaths(tmp_path, "e2e")
    write_truth(paths, parameters, source, jrclust, plan)
    table = pd.read_csv(paths.annotations)
    channels = small_world.probe.channel_map.tolist()
    for unit in plan.injected_units:
        mine = table.loc[table["cluster"] == unit.injected_label, "channel_index"]
        assert mine.size == unit.num_events and (mine == channels.index(unit.center_row)).all()
