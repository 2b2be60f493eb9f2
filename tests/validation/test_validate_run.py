"""A run, sortings of it in every form, and what validation writes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sorted_run import Sorted, compare, sorted_run
from spikeinterface.comparison import GroundTruthComparison
from spikeinterface.core import NpzSortingExtractor, NumpySorting

import hybridfactory
from hybridfactory.errors import MissingExtraError, MissingFileError, OutputError
from hybridfactory.validation.result import TABLES

RATE = 20_000.0


def validate(hybrid: Sorted, sortings: Any, tmp_path: Path, **options: Any) -> hybridfactory.ValidationResult:
    return compare(hybrid.folder, sortings, output_directory=tmp_path / "out", **options)


def as_spikeinterface(hybrid: Sorted, name: str = "unit {}") -> NumpySorting:
    times = np.concatenate(list(hybrid.trains.values()))
    labels = np.repeat(list(hybrid.trains), [train.size for train in hybrid.trains.values()])
    order = np.argsort(times, kind="stable")
    names = np.array([name.format(label) for label in labels])
    return NumpySorting.from_samples_and_labels([times[order]], [names[order]], RATE)


def test_a_perfect_sorting_of_a_run(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    result = validate(hybrid, perfect, tmp_path)
    sorter = result.sorters[0]
    assert sorter.name == "perfect"
    assert (sorter.units["accuracy"] == 1).all()
    assert sorter.units["found_unit"].tolist() == [label - 1 for label in hybrid.injected]
    assert sorter.units["true_unit"].tolist() == [1, 2, 3, 4, 5]
    assert sorter.merges.empty
    assert sorter.lag_ms == 0
    # The world's third unit is stated five samples late, which is within the tolerance.
    assert sorter.baseline.set_index("native_unit").loc[[1, 2, 3, 4, 5], "accuracy"].min() == 1
    assert sorter.baseline["is_donor"].tolist() == [True] * 5 + [False]
    assert result.truth_units["events"].tolist() == [hybrid.trains[label].size for label in hybrid.injected]
    assert result.session_name == "e2e"
    assert result.duration_s == 120_000 / RATE
    assert result.realism == {}


def test_events_know_their_size_and_surroundings(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    result = validate(hybrid, perfect, tmp_path)
    events = result.sorters[0].events
    table = hybrid.run.artificial_units.sort_values(["timestep", "new_unit"])
    assert events["timestep"].tolist() == table["timestep"].tolist()
    assert events["new_unit"].tolist() == table["new_unit"].tolist()
    # The hybrid minus the source is the event itself, where no other event is near.
    source = np.fromfile(hybrid.world.raw, dtype="<i2").reshape(-1, 34).astype(int)
    made = np.fromfile(hybrid.run.manifest.target_paths[0], dtype="<i2").reshape(-1, 34).astype(int)
    difference = made - source
    alone = np.diff(events["timestep"], prepend=-1000, append=10**9)
    alone = (alone[:-1] > 100) & (alone[1:] > 100)
    checked = 0
    for (step, row), amplitude in zip(
        table.loc[alone, ["timestep", "center_channel"]].to_numpy(), events.loc[alone, "amplitude"], strict=True
    ):
        assert np.abs(difference[step - 30 : step + 31, row]).max() == pytest.approx(amplitude, abs=1.0)
        checked += 1
    assert checked > 50
    # Noise of 9 counts on every row and of 3 on all together.
    assert np.allclose(events["amplitude"] / events["snr"], np.hypot(9, 3), rtol=0.1)
    assert events["shift_um"].max() < 15
    assert events["depth_um"].nunique() <= 5


def test_waveforms_of_truth_and_match_agree(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    shown = validate(hybrid, perfect, tmp_path).sorters[0].unit_waveforms
    assert [unit.new_unit for unit in shown] == hybrid.injected
    for unit in shown:
        assert unit.match is not None
        assert unit.truth.shape == unit.match.shape == (81, unit.rows.size)
        assert unit.times_ms[40] == 0
        peak = np.abs(unit.truth).max()
        assert np.abs(unit.truth[40]).max() == peak
        correlation = np.corrcoef(unit.truth.ravel(), unit.match.ravel())[0, 1]
        assert correlation > 0.97
        assert np.abs(unit.match).max() == pytest.approx(peak, rel=0.15)


def test_measured_templates_find_the_right_unit(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    for metric in ("pearson", "frobenius"):
        sorter = validate(hybrid, perfect, tmp_path, template_metric=metric).sorters[0]
        table = sorter.template_units
        assert table["best_unit"].tolist() == sorter.units["found_unit"].tolist()
        assert table["template_unit"].tolist() == sorter.units["found_unit"].tolist()
        assert set(table["metric"]) == {metric}
        assert set(table["origin"]) == {"measured"}
        assert (table["share"] > 0.5).all()
        if metric == "pearson":
            assert (table["score"] > 0.95).all()
        events = sorter.template_events
        assert (events["time_difference_ms"].abs() <= 1).all()
        best = events.groupby("new_unit")["template_unit"].agg(lambda part: part.value_counts().index[0])
        assert best.tolist() == table["template_unit"].tolist()


def forms(hybrid: Sorted, folder: Path, perfect: Path, matlab_files: Any) -> dict[str, Any]:
    """One sorting in every form that can be read."""
    sorting = as_spikeinterface(hybrid, "{}")
    times = np.concatenate(list(hybrid.trains.values()))
    labels = np.repeat(list(hybrid.trains), [train.size for train in hybrid.trains.values()])
    ones = np.ones(times.size)
    st3 = np.column_stack([times, labels, 12.5 * ones, 0.37 * ones, ones]).astype(float)
    for name in ("rez", "jrc3", "jrc4"):
        (folder / name).mkdir()
    ops = {"fs": RATE, "igood": np.ones((33, 1), bool)}
    matlab_files.write_v73(folder / "rez" / "rez.mat", {"rez": {"st3": st3, "ops": ops, "good": np.ones((5, 1))}})
    column = (-1, 1)
    matlab_files.write_v73(
        folder / "jrc3" / "a_jrc.mat",
        {
            "viTime_spk": (times + 1).reshape(column).astype(np.int32),
            "S_clu": {"viClu": labels.reshape(column).astype(np.int32)},
            "P": {"sRateHz": RATE},
        },
    )
    matlab_files.write_v7(
        folder / "jrc4" / "a_res.mat",
        {
            "spikeTimes": (times + 1).reshape(column).astype(np.int32),
            "spikeClusters": labels.reshape(column).astype(np.int32),
        },
    )
    sorting.save(folder=folder / "folder", format="numpy_folder")
    sorting.save(folder=folder / "stored.zarr", format="zarr")
    NpzSortingExtractor.write_sorting(sorting, folder / "sorting.npz")
    return {
        "phy": perfect,
        "rez": folder / "rez" / "rez.mat",
        "jrclust 3": folder / "jrc3",
        "jrclust 4": folder / "jrc4" / "a_res.mat",
        "folder": folder / "folder",
        "zarr": folder / "stored.zarr",
        "npz": folder / "sorting.npz",
        "memory": sorting,
    }


@pytest.mark.filterwarnings("ignore:The extractor is not serializable")
def test_every_form_of_a_sorting_scores_alike(
    hybrid: Sorted, perfect: Path, tmp_path: Path, matlab_files: Any
) -> None:
    sources = forms(hybrid, tmp_path, perfect, matlab_files)
    result = validate(hybrid, list(sources.values()), tmp_path, names=list(sources))
    assert [sorter.name for sorter in result.sorters] == list(sources)
    first = result.sorters[0].units.drop(columns=[c for c in result.sorters[0].units if "unit" in c or c == "pieces"])
    for sorter in result.sorters[1:]:
        others = sorter.units.drop(columns=[c for c in sorter.units if "unit" in c or c == "pieces"])
        pd.testing.assert_frame_equal(first, others)
        shown = sorter.units["found_unit"].tolist()
        assert shown == [
            str(label) if sorter.name in ("folder", "zarr", "npz", "memory") else label for label in hybrid.injected
        ]
    assert result.ranking["rank"].tolist() == [1] * 8
    assert (result.ranking["median_accuracy"] == 1).all()


def test_the_figures_are_those_of_spikeinterface(hybrid: Sorted, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    trains = {
        k: np.sort(train[rng.random(train.size) < 0.8] + rng.integers(-6, 7, 1)) for k, train in hybrid.trains.items()
    }
    worse = as_spikeinterface(Sorted(hybrid.run, hybrid.world, trains))
    sorter = validate(hybrid, worse, tmp_path).sorters[0]
    lag = round(sorter.lag_ms / 1000 * RATE)
    shifted = as_spikeinterface(
        Sorted(hybrid.run, hybrid.world, {k: train - lag for k, train in trains.items()}), "{}"
    )
    as_numbers = shifted.rename_units([int(unit) for unit in shifted.unit_ids])
    comparison = GroundTruthComparison(hybrid.run.sorting, as_numbers, delta_time=0.4)
    performance = comparison.get_performance()
    for unit in sorter.units.to_dict("records"):
        label = unit["new_unit"]
        assert unit["hungarian_unit"] == f"unit {comparison.hungarian_match_12[label]}"
        for name in ("accuracy", "precision", "recall", "false_discovery_rate", "miss_rate"):
            assert unit[f"hungarian_{name}"] == performance.loc[label, name]


def test_a_ranking_with_verdicts(hybrid: Sorted, perfect: Path, worlds: Any, tmp_path: Path) -> None:
    lost = {label: train for label, train in hybrid.trains.items() if label != hybrid.injected[0]}
    first = hybrid.injected[1]
    lost[first] = lost[first][::2]
    worlds.write_phy(tmp_path / "worse", lost)
    result = validate(hybrid, [tmp_path / "worse", perfect], tmp_path)
    assert result.ranking["sorter"].tolist() == ["perfect", "worse"]
    assert result.ranking["found"].tolist() == [5, 3]
    assert result.ranking["units"].tolist() == [5, 5]
    worse = result.sorter("worse")
    assert worse.verdict.startswith("worse found 3 of 5 units at accuracy ≥ 0.8")
    assert f"1 ({hybrid.injected[0]}) was not found at all" in worse.verdict
    assert worse.units["accuracy"].tolist()[0] == 0
    assert result.table("units")["sorter"].tolist() == ["worse"] * 5 + ["perfect"] * 5


def test_what_is_written(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    result = validate(hybrid, [perfect, as_spikeinterface(hybrid)], tmp_path, names=["a", "b"])
    folder = result.output_directory
    assert folder == tmp_path / "out"
    for name in TABLES:
        written = pd.read_csv(folder / f"{name}.csv")
        table = result.table(name)
        assert written.columns.tolist() == table.columns.tolist(), name
        assert len(written) == len(table), name
        assert set(written["sorter"]) <= {"a", "b"}
    matrix = pd.read_csv(folder / "confusion-b.csv", index_col=0)
    assert matrix.to_numpy().tolist() == result.sorter("b").confusion.to_numpy().tolist()
    assert matrix.columns[-1] == "missed"
    assert matrix.index[-1] == "other"
    for name in ("truth_units", "probe", "ranking"):
        assert len(pd.read_csv(folder / f"{name}.csv")) == len(getattr(result, name))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["format"] == "hybridfactory validation"
    names = {path.name for path in folder.iterdir()}
    assert names == {*summary["files"], "summary.json"}
    assert [sorter["name"] for sorter in summary["sorters"]] == ["a", "b"]
    assert summary["sorters"][0]["units"][0]["accuracy"] == 1.0
    assert len(pd.read_csv(folder / "waveforms.csv")) == 2 * sum(
        unit.truth.size for unit in result.sorters[0].unit_waveforms
    )


def test_figures_and_the_page_come_along(world: Any, worlds: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    hybrid = sorted_run(world, tmp_path / "run", ground_truth_units=[2])
    perfect = tmp_path / "perfect"
    worlds.write_phy(perfect, hybrid.trains)
    result = hybridfactory.validate(hybrid.folder, perfect, output_directory=tmp_path / "out")
    names = {path.name for path in result.output_directory.iterdir()}
    assert {"report.html", "confusion-perfect.png", "confusion-perfect.svg", "units.csv", "summary.json"} <= names
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert names == {*summary["files"], "summary.json"}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "perfect found 1 of 1 unit at" in page
    # Another validation without figures takes those of the first away.
    compare(hybrid.folder, perfect, output_directory=tmp_path / "out")
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.suffix in (".png", ".svg", ".html")]


def test_the_extra_is_asked_for_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridfactory.report.extra.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hybridfactory\[report\]'"):
        hybridfactory.validate(tmp_path / "nowhere", tmp_path / "nothing")
    with pytest.raises(MissingFileError):
        compare(tmp_path / "nowhere", tmp_path / "nothing")


def test_the_default_place_and_an_earlier_validation(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    before = {path.name for path in folder.iterdir()}
    first = compare(folder, [perfect, as_spikeinterface(hybrid)], names=["x", "y"])
    target = folder / "validation-e2e"
    assert first.output_directory == target
    (target / "my notes.txt").write_text("keep me")
    second = compare(hybridfactory.load(folder), perfect)
    names = {path.name for path in target.iterdir()}
    assert "confusion-perfect.csv" in names
    assert not {"confusion-x.csv", "confusion-y.csv"} & names
    assert (target / "my notes.txt").read_text() == "keep me"
    assert pd.read_csv(target / "units.csv")["sorter"].unique().tolist() == ["perfect"]
    assert {path.name for path in folder.iterdir()} == before | {"validation-e2e"}
    assert second.sorters[0].name == "perfect"


def test_strangers_are_not_overwritten(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "units.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"holds units\.csv and no earlier validation"):
        validate(hybrid, perfect, tmp_path)
    assert (tmp_path / "out" / "units.csv").read_text() == "mine"
    with pytest.raises(OutputError, match="no earlier validation"):
        compare(hybrid.folder, perfect, output_directory=hybrid.folder)


def test_a_failure_leaves_nothing(
    hybrid: Sorted, perfect: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hybridfactory.pipeline import validate as module

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_summary", fail)
    with pytest.raises(OSError, match="No space"):
        validate(hybrid, perfect, tmp_path)
    assert not (tmp_path / "out").exists()


def killed(folder: Path, staged: list[str], aside: list[str]) -> None:
    """Make a folder look as if it had been killed with some files still staged, others taken away."""
    partial = folder / ".hybridfactory-partial"
    (partial / "replaced").mkdir(parents=True)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    names.sort(key=lambda name: name == "summary.json")
    (partial / "moves.json").write_text(json.dumps(names))
    for name in staged:
        (folder / name).replace(partial / name)
    for name in aside:
        (partial / "replaced" / name).write_text("of the earlier validation")


def test_a_validation_killed_while_it_put_files_in_place(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    compare(hybrid.folder, perfect, names=["first"], output_directory=out)
    killed(out, ["summary.json", "events.csv"], ["summary.json", "confusion-old.csv"])
    result = compare(hybrid.folder, perfect, names=["second"], output_directory=out)
    names = {path.name for path in out.iterdir()}
    assert "confusion-second.csv" in names
    assert "confusion-first.csv" not in names
    assert ".hybridfactory-partial" not in names
    assert json.loads((out / "summary.json").read_text())["sorters"][0]["name"] == "second"
    assert len(pd.read_csv(out / "events.csv")) == len(result.sorters[0].events)


def test_a_validation_killed_before_it_put_files_in_place(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    """The earlier one is back, whether the next succeeds or not."""
    out = tmp_path / "out"
    compare(hybrid.folder, perfect, names=["first"], output_directory=out)
    partial = out / ".hybridfactory-partial"
    (partial / "replaced").mkdir(parents=True)
    (partial / "moves.json").write_text(json.dumps(["units.csv", "summary.json"]))
    for name in ("summary.json", "units.csv"):
        (partial / name).write_text("of the killed one")
        (out / name).replace(partial / "replaced" / name)
    compare(hybrid.folder, perfect, names=["second"], output_directory=out)
    assert "confusion-first.csv" not in {path.name for path in out.iterdir()}
    assert set(pd.read_csv(out / "units.csv")["sorter"]) == {"second"}


def test_without_the_hybrid_files(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    for path in folder.glob("*.GT*"):
        path.unlink()
    result = compare(folder, perfect)
    sorter = result.sorters[0]
    assert any("hybrid files are gone" in note for note in result.notes)
    assert any("no template scores" in note for note in sorter.notes)
    assert (sorter.units["accuracy"] == 1).all()
    assert sorter.template_units.empty
    assert all(unit.match is None for unit in sorter.unit_waveforms)
    # The donors' own background stands in, which is the same everywhere in this world.
    assert sorter.events["snr"].notna().all()


def test_without_the_original_sorting(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["parameters"]["data_directory"] = str(tmp_path / "gone")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = compare(folder, perfect)
    assert any("native spikes are taken from annotations-e2e.csv" in note for note in result.notes)
    baseline = result.sorters[0].baseline
    assert (baseline.set_index("native_unit").loc[[1, 2, 3, 4, 5], "accuracy"] == 1).all()
    assert baseline["distance_um"].isna().all()


def test_events_on_their_donor_spikes_are_told(world: Any, worlds: Any, tmp_path: Path) -> None:
    same = sorted_run(world, tmp_path / "run", time_jitter=0, ground_truth_units=[2])
    worlds.write_phy(tmp_path / "perfect", same.trains)
    result = compare(same.folder, tmp_path / "perfect")
    assert any("time_jitter = 0" in note for note in result.notes)
    # The donor's spikes lie at the same times: what coincides is no merge.
    assert result.sorters[0].merges.empty


def test_realism_of_the_run_comes_along(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["realism"] = {"units": [], "median": 0.53}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert compare(folder, perfect).realism == {"units": [], "median": 0.53}


def test_firings_true_alone_are_enough(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(hybrid.folder / "firings_true.npy", folder)
    for given in (folder, folder / "firings_true.npy"):
        result = compare(given, perfect, output_directory=tmp_path / "out")
        sorter = result.sorters[0]
        assert sorter.units["new_unit"].tolist() == [1, 2, 3, 4, 5]
        assert (sorter.units["accuracy"] == 1).all()
        assert sorter.units["found_unit"].tolist() == [label - 1 for label in hybrid.injected]
        assert np.diag(sorter.confusion.to_numpy())[:5].tolist() == result.truth_units["events"].tolist()
        covariates = set(sorter.recall_curves["covariate"])
        assert {"local_rate_hz", "other_time_ms", "time_s"} <= covariates
        assert "snr" not in covariates
        assert sorter.baseline.empty
        assert sorter.template_units.empty
        assert result.probe.empty
        assert any("only firings_true.npy is there" in note for note in result.notes)
    assert result.session_name == "elsewhere"


def test_the_run_lists_what_was_made_of_it(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    """So that the next run in the folder takes it away with this one."""
    folder = tmp_path / "run"
    shutil.copytree(hybrid.folder, folder)
    result = compare(folder, perfect, report=False)
    derived = json.loads((folder / "manifest.json").read_text())["derived"]
    inside = {path.relative_to(folder).as_posix() for path in result.output_directory.iterdir()}
    assert inside and set(derived) == inside
    compare(folder, perfect, output_directory=tmp_path / "elsewhere", report=False)
    assert json.loads((folder / "manifest.json").read_text())["derived"] == derived


def test_the_donors_own_sorting_is_called_the_wrong_one(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    of_donors = Path(hybrid.run.manifest.content["parameters"]["data_directory"])
    result = validate(hybrid, [of_donors, perfect], tmp_path, names=["source", "hybrid"])
    about = [note for note in result.notes if "the sorting that the donors came from" in note]
    assert len(about) == 1
    assert about[0].startswith("source is") and "sort the hybrid" in about[0]
