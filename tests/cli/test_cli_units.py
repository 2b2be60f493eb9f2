"""``hybridfactory units``: what it prints, writes and refuses."""

import csv
import json
from pathlib import Path

import pytest

from hybridfactory.cli import main
from hybridfactory.cli.recording_options import _repeated
from hybridfactory.demo import make_demo
from hybridfactory.pipeline.units import UnitSurvey, survey_units


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("units") / "demo", duration_s=8.0).parent


@pytest.fixture(scope="module")
def surveyed(demo: Path) -> UnitSurvey:
    return survey_units(demo / "sorting")


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch, surveyed: UnitSurvey) -> list[tuple[object, ...]]:
    """Hand out a survey that was made once."""
    calls: list[tuple[object, ...]] = []

    def survey(*arguments: object, **options: object) -> UnitSurvey:
        calls.append((*arguments, options))
        return surveyed

    monkeypatch.setattr("hybridfactory.pipeline.units.survey_units", survey)
    return calls


def test_the_table_fits_100_columns(
    demo: Path, no_work: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str], surveyed: UnitSurvey
) -> None:
    assert main(["units", str(demo / "sorting")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100 or lines[-1].startswith("ground_truth_units")
    assert " ".join(lines[0].split()) == "unit phy label spikes Hz SNR µV ISI drift isol. moves realism donor?"
    assert sum(line.endswith("yes") for line in lines) == len(surveyed.recommended) > 3
    assert lines[-1] == f"ground_truth_units = {[unit.label for unit in surveyed.recommended]}"
    assert main(["units", str(demo / "sorting"), "--wide"]) == 0
    assert "present" in capsys.readouterr().out


def test_machines_get_everything(
    demo: Path, no_work: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["units", str(demo / "sorting"), "--json", "--csv", str(tmp_path / "units.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unit_of_amplitude"] == "µV"
    assert len(found["units"]) == 14
    assert found["recommended"] == [unit["unit"] for unit in found["units"] if unit["recommended"]]
    with (tmp_path / "units.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["unit"]) for row in rows] == [unit["unit"] for unit in found["units"]]
    assert float(rows[0]["snr"]) == found["units"][0]["snr"]


def test_the_picture(demo: Path, no_work: list[tuple[object, ...]], tmp_path: Path) -> None:
    picture = tmp_path / "units.png"
    assert main(["units", str(demo), "--silent", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["units", str(demo), "--plot", str(tmp_path / "units.pdf")]) == 2


def test_a_folder_that_is_not_there_is_seen_before_the_work(
    demo: Path, no_work: list[tuple[object, ...]], tmp_path: Path
) -> None:
    for option, name in (("--csv", "x.csv"), ("--plot", "x.png")):
        assert main(["units", str(demo), option, str(tmp_path / "nothing" / name)]) == 2
    assert no_work == []


def test_options_reach_the_library(demo: Path, no_work: list[tuple[object, ...]]) -> None:
    words = ["units", "--raw", "a.bin", "b.bin", str(demo), "--rows", "5", "--label-base", "0", "--silent"]
    assert main(words) == 0
    place, known, options = no_work[0]
    assert place == demo
    assert known.raw == (Path("a.bin"), Path("b.bin"))  # type: ignore[attr-defined]
    assert known.num_rows == 5  # type: ignore[attr-defined]
    assert options["label_base"] == 0  # type: ignore[index]


def test_raw_takes_files_until_an_option_or_a_folder(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert _repeated(["s", "--raw", "a", "b", "--json"]) == ["s", "--raw", "a", "--raw", "b", "--json"]
    assert _repeated(["--raw", "a", folder]) == ["--raw", "a", folder]
    assert _repeated(["s", "--rows", "3"]) == ["s", "--rows", "3"]


def test_a_missing_sorting_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["units", str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
