"""Which units of a sorting serve as donors, and ``ground_truth_units = "auto"``."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hybrid_world import DONORS, NUM_ROWS, SPARSE_UNIT, World, write_phy

from hybridfactory import generate
from hybridfactory.errors import NothingInjectedError, ParameterError, SortingError
from hybridfactory.parameters import load_parameters
from hybridfactory.pipeline.inputs import Known
from hybridfactory.pipeline.units import UnitSurvey, survey_units
from hybridfactory.probes import save_probe

MIXED, NOISE, LABELLED = 7, 8, 4


@pytest.fixture(scope="module")
def place(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's sorting, with a unit that is two and one that is none, and a label."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(world.raw, folder / "raw.bin")
    save_probe(world.probe, folder / "probe.npz")
    rng = np.random.default_rng(5)
    trains = {label: train for label, train in world.stated.items() if label != 3}
    # Units 3 and 5 are merged: their spikes differ in place and sign.
    trains[MIXED] = np.sort(np.concatenate([world.stated[3], world.stated[5][1::2]]))
    trains[5] = world.stated[5][::2]
    trains[NOISE] = np.sort(rng.integers(1000, 199_000, 150))
    write_phy(folder / "sorted", trains)
    (folder / "sorted" / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n0\tgood\n{LABELLED - 1}\tmua\n")
    return folder


@pytest.fixture(scope="module")
def survey(place: Path) -> UnitSurvey:
    return survey_units(place, Known(probe=str(place / "probe.npz")))


def test_every_unit_is_listed_and_every_refusal_has_a_reason(survey: UnitSurvey) -> None:
    units = {unit.label: unit for unit in survey.units}
    assert set(units) == {1, 2, 4, 5, SPARSE_UNIT, MIXED, NOISE}
    assert {1, 2} <= {unit.label for unit in survey.recommended}
    assert units[LABELLED].refusals == ("labelled mua",)
    assert units[SPARSE_UNIT].refusals[0].startswith("only 12 spikes")
    assert not units[NOISE].is_recommended
    assert not units[MIXED].is_recommended
    assert [unit.is_recommended for unit in survey.units] == sorted(
        (unit.is_recommended for unit in survey.units), reverse=True
    )


def test_a_meta_file_that_does_not_tell_the_gain(place: Path, tmp_path: Path) -> None:
    raw = tmp_path / "poor.bin"
    raw.write_bytes((place / "raw.bin").read_bytes())
    raw.with_suffix(".meta").write_text(
        f"nSavedChans={NUM_ROWS}\nimSampRate=20000\nfirstSample=0\nsnsApLfSy={NUM_ROWS - 1},0,1\ntypeThis=imec\n"
    )
    survey = survey_units(place / "sorted", Known(raw=(raw,), probe=str(place / "probe.npz")))
    assert survey.unit_of_amplitude == "counts" and survey.units
    assert "poor.meta does not tell µV per count" in survey.warnings[-1]


def test_measures_are_those_of_the_world(survey: UnitSurvey, world: World) -> None:
    unit = next(unit for unit in survey.units if unit.label == 1)
    template = world.templates[1]
    assert survey.unit_of_amplitude == "counts"
    assert unit.measures.amplitude == pytest.approx(np.abs(template).max(), rel=0.1)
    assert unit.main_row == np.abs(template).max(axis=0).argmax()
    assert unit.measures.num_spikes == world.stated[1].size
    assert unit.measures.firing_rate_hz == pytest.approx(world.stated[1].size / 10, rel=0.01)
    assert unit.measures.snr > 15
    assert unit.measures.isi_violations_ratio == 0
    assert unit.num_moves > 0
    assert unit.curation == "good"
    assert survey.records()[0].keys() == survey.records()[-1].keys()
    assert {record["unit"] - record["phy_id"] for record in survey.records()} == {1}


def test_a_parameter_file_says_it_all(place: Path, survey: UnitSurvey, world: World) -> None:
    params = place / "params.toml"
    generate_as = world.parameters(place / "out", data_directory=place / "sorted")
    assert generate_as["sample_rate"] == 20_000
    params.write_text(
        'data_directory = "sorted"\nraw_source_file = "raw.bin"\ndata_type = "int16"\nsample_rate = 20000\n'
        'ground_truth_units = "auto:2"\nstart_time = 0\nprobe = "eMouse"\nlabel_base = 0\nsamples_after = 70\n'
    )
    again = survey_units(params)
    assert [unit.label + 1 for unit in again.units] == [unit.label for unit in survey.units]
    assert again.label_base == 0


def test_realism_is_measured_for_the_best_alone(
    place: Path, survey: UnitSurvey, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measure(_recording: object, trains: dict[int, object], *_rest: object, **_options: object) -> list[object]:
        asked.extend(trains)
        return [SimpleNamespace(donor_label=label, separation=SimpleNamespace(largest=0.57)) for label in trains]

    monkeypatch.setattr("hybridfactory.realism.measure.measure_realism", measure)
    measured = survey_units(place, Known(probe=str(place / "probe.npz")), realism=True)
    assert asked == [unit.label for unit in survey.recommended][:5]
    found = {unit.label: unit.realism_auc for unit in measured.units}
    assert all(found[label] == 0.57 for label in asked)
    assert np.isnan(found[NOISE])
    assert [unit.label for unit in measured.units] == [unit.label for unit in survey.units]


def test_a_sorting_of_another_recording_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.bin").write_bytes((place / "raw.bin").read_bytes()[: 34 * 2 * 50_000])
    shutil.copytree(place / "sorted", tmp_path / "sorted")
    with pytest.raises(SortingError, match=r"the last spike .* lies at sample"):
        survey_units(tmp_path, Known(probe=str(place / "probe.npz")))


def test_what_is_missing_is_named_by_its_option(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot tell the probe: give --probe"):
        survey_units(place)
    shutil.copytree(place / "sorted", tmp_path / "sorted")
    with pytest.raises(ParameterError, match="give --raw"):
        survey_units(tmp_path)


def test_auto_takes_the_best_and_the_run_can_be_repeated(world: World, tmp_path: Path) -> None:
    asked = world.parameters(tmp_path / "first", ground_truth_units="auto:3", synthetic_rate=5)
    result = generate(asked, write=False)
    chosen = result.parameters.ground_truth_units
    assert len(chosen) == 3
    assert set(chosen) <= set(DONORS)
    assert [unit.donor_label for unit in result.plan.injected_units] == list(chosen)
    assert result.parameters.synthetic_rate == (5.0, 5.0, 5.0)
    hfparams = load_parameters(tmp_path / "first" / "hfparams_e2e.py")
    assert hfparams.ground_truth_units == chosen
    # The choice does not hang on the seed.
    other = generate(asked | {"random_seed": 99, "output_directory": tmp_path / "second"}, write=False)
    assert other.parameters.ground_truth_units == chosen


def test_auto_without_any_good_unit_says_why(world: World, tmp_path: Path) -> None:
    write_phy(tmp_path / "sorted", {1: world.stated[1][:40], 2: world.stated[2][:20]})
    asked = world.parameters(tmp_path / "out", ground_truth_units="auto", data_directory=tmp_path / "sorted")
    with pytest.raises(NothingInjectedError, match=r"none of the 2 units is recommended .*1: only 40 spikes"):
        generate(asked)
    assert not (tmp_path / "out").exists()
