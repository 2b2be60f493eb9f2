"""Validation of runs with several units per donor, with sizes of their own, and with donors taken out."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sorted_run import Sorted, compare, sorted_run

import hybridfactory
from hybridfactory.probes import Probe

REMOVED = [1, 4]


@pytest.fixture(scope="module")
def hybrid(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Sorted:
    """Two units of each of two donors that are taken out; target SNR 15."""
    changes = {"ground_truth_units": REMOVED, "units_per_donor": 2, "target_snr": 15, "remove_original": True}
    return sorted_run(world, tmp_path_factory.mktemp("run") / "hybrid", **changes)


@pytest.fixture(scope="module")
def perfect(hybrid: Sorted, worlds: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a perfect sorter finds: no donor any more."""
    folder = tmp_path_factory.mktemp("sorted") / "perfect"
    worlds.write_phy(folder, {label: train for label, train in hybrid.trains.items() if label not in REMOVED})
    return folder


@pytest.fixture(scope="module")
def result(hybrid: Sorted, perfect: Path, tmp_path_factory: pytest.TempPathFactory) -> hybridfactory.ValidationResult:
    return compare(hybrid.folder, perfect, output_directory=tmp_path_factory.mktemp("out") / "validation")


def test_every_copy_is_found_by_itself(result: hybridfactory.ValidationResult) -> None:
    units = result.sorters[0].units
    assert units["new_unit"].tolist() == [11, 14, 21, 24]
    assert units["true_unit"].tolist() == [1, 4, 1, 4]
    assert units["found_unit"].tolist() == [10, 13, 20, 23]
    assert (units["accuracy"] == 1).all()
    waveforms = result.sorters[0].unit_waveforms
    for shown in waveforms:
        assert shown.match is not None
        assert np.corrcoef(shown.truth.ravel(), shown.match.ravel())[0, 1] > 0.9
    assert not np.array_equal(waveforms[0].rows, waveforms[2].rows)


def test_they_have_the_size_that_was_asked_for(result: hybridfactory.ValidationResult) -> None:
    """Noise as validation measures it, in the hybrid, is that of the plan's target to some per cent."""
    assert np.allclose(result.truth_units["snr"], 15, rtol=0.12)


def test_removed_donors_are_no_native_units(result: hybridfactory.ValidationResult) -> None:
    baseline = result.sorters[0].baseline
    assert baseline["native_unit"].tolist() == [2, 3, 5, 6]
    assert not baseline["is_donor"].any()
    assert (baseline["accuracy"] == 1).all()
    assert any("took out" in note and "1, 4" in note for note in result.notes)


def test_nor_are_they_where_the_sorting_is_gone(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(hybrid.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["parameters"]["data_directory"] = str(tmp_path / "gone")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = compare(folder, perfect, output_directory=tmp_path / "out")
    assert result.sorters[0].baseline["native_unit"].tolist() == [2, 3, 5, 6]


def test_donors_that_stay_are_native_units(world: Any, worlds: Any, tmp_path: Path) -> None:
    kept = sorted_run(world, tmp_path / "hybrid", ground_truth_units=REMOVED, units_per_donor=2)
    worlds.write_phy(tmp_path / "perfect", kept.trains)
    result = compare(kept.folder, tmp_path / "perfect", output_directory=tmp_path / "out")
    baseline = result.sorters[0].baseline
    assert baseline.loc[baseline["is_donor"], "native_unit"].tolist() == REMOVED
    assert (result.sorters[0].units["accuracy"] == 1).all()


def test_events_at_the_times_of_a_donor_that_is_gone_confuse_nobody(world: Any, worlds: Any, tmp_path: Path) -> None:
    for removed in (True, False):
        run = sorted_run(
            world, tmp_path / str(removed), ground_truth_units=[2], time_jitter=0, remove_original=removed
        )
        worlds.write_phy(tmp_path / f"perfect-{removed}", run.trains)
        result = compare(run.folder, tmp_path / f"perfect-{removed}", output_directory=tmp_path / f"out-{removed}")
        assert any("time_jitter = 0" in note for note in result.notes) is not removed


def save_templates(folder: Path, templates: NDArray[np.float32], probe: Probe) -> None:
    """Put templates on raw rows into a phy folder, on the connected ones."""
    np.save(folder / "templates.npy", templates[:, :, probe.connected_rows])
    np.save(folder / "channel_map.npy", probe.connected_rows)
    np.save(folder / "channel_positions.npy", probe.connected_positions)


def test_templates_of_copies_are_moved_each_to_its_place(world: Any, worlds: Any, tmp_path: Path) -> None:
    """Stored templates of donor and hybrid, scaled as the unit was: no difference is left, nor any distance."""
    sorting = tmp_path / "sorted"
    shutil.copytree(world.sorting, sorting)
    templates = np.zeros((6, 81, 34), dtype=np.float32)
    for label, template in world.templates.items():
        templates[label - 1] = template
    save_templates(sorting, templates, world.probe)
    changes = {"data_directory": sorting, "ground_truth_units": [4], "units_per_donor": 2, "target_snr": 10}
    run = sorted_run(world, tmp_path / "hybrid", **changes)
    worlds.write_phy(tmp_path / "perfect", run.trains)
    found = np.zeros((30, 81, 34), dtype=np.float32)
    table = run.run.units.set_index("new_unit")
    rows, places = world.probe.connected_rows, world.probe.connected_positions
    for label in run.injected:
        step = table.loc[label, ["displacement_x_um", "displacement_y_um"]].to_numpy(dtype=float)
        target, origin = np.nonzero(np.linalg.norm(places[:, None] - step - places[None], axis=2) < 1)
        assert target.size > 10
        found[label - 1][:, rows[target]] = table.loc[label, "unit_factor"] * templates[3][:, rows[origin]]
    save_templates(tmp_path / "perfect", found, world.probe)
    result = compare(run.folder, tmp_path / "perfect", output_directory=tmp_path / "out", template_metric="frobenius")
    scores = result.sorters[0].template_units
    assert scores["origin"].tolist() == ["stored"] * 2
    assert scores["best_unit"].tolist() == [label - 1 for label in run.injected]
    assert (scores["best_score"] < 1e-3 * np.linalg.norm(templates[3])).all()


def test_realism_and_report_of_copies(hybrid: Sorted, tmp_path: Path) -> None:
    """One score per donor, one figure per injected unit."""
    pytest.importorskip("sklearn")
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    scores = hybridfactory.score_realism(folder)
    assert [unit.donor_label for unit in scores.units] == REMOVED
    assert all(unit.separation is not None for unit in scores.units)
    hybridfactory.plot(folder, report=True)
    drawn = {path.stem for path in (folder / "figures").glob("unit-*.png")}
    assert drawn == {"unit-11", "unit-14", "unit-21", "unit-24"}
    places = pd.read_csv(folder / "figures" / "probe.csv")
    injected = places[places["kind"] == "injected"]
    assert injected["unit"].tolist() == [11, 21, 14, 24] and injected["donor"].tolist() == [1, 1, 4, 4]
    assert (folder / "report.html").is_file() and "taken out" in (folder / "report.html").read_text()
