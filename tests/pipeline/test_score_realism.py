"""Realism of a finished run, as a command and from Python: what is measured, kept, printed and refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_run import FinishedRun
from hybrid_world import World

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.pipeline import realism as pipeline


@pytest.fixture(scope="module")
def run_folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.run(
        tmp_path_factory.mktemp("realism") / "run", ground_truth_units=[2, 4], num_singular_values="auto"
    ).output_directory


def test_scores_are_measured_and_kept(finished: FinishedRun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    before = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    steps = []
    result = hybridfactory.score_realism(folder, progress=lambda step, done, total: steps.append((step, done, total)))
    # The sparse unit was not injected, and has no score.
    assert [unit.donor_label for unit in result.units] == [1, 2, 3, 4, 5]
    assert len(result.largest_aucs) == 5
    assert np.median(result.largest_aucs) < 0.65
    assert ("telling real from injected", 5, 5) in steps
    after = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kept = after.pop("realism")
    assert after == before
    assert kept == result.as_json()
    assert [unit["donor_label"] for unit in kept["units"]] == [1, 2, 3, 4, 5]
    for unit in kept["units"]:
        low, high = unit["interval"]
        assert low < unit["auc"] < high
        assert unit["auc"] == max(unit["aucs"].values()) == unit["aucs"][unit["classifier"]]
        assert min(unit["num_real"], unit["num_injected"]) >= 30
    hybridfactory.load(folder).recording.get_traces(start_frame=0, end_frame=10)


def test_thorough_looks_at_more_and_gives_the_same_again(run_folder: Path) -> None:
    quick = hybridfactory.score_realism(run_folder)
    thorough = hybridfactory.score_realism(hybridfactory.load(run_folder), thorough=True)
    assert thorough.is_thorough
    assert not quick.is_thorough
    assert all(some.num_real <= every.num_real for some, every in zip(quick.units, thorough.units, strict=True))
    assert hybridfactory.score_realism(run_folder) == quick


def test_the_command_prints_what_the_manifest_keeps(
    run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, measured = pipeline.measure_realism, []

    def measure_once(*arguments: Any, **options: Any) -> Any:
        if not measured:
            measured.append(measure(*arguments, **options))
        return measured[0]

    monkeypatch.setattr(pipeline, "measure_realism", measure_once)
    assert main(["realism", str(run_folder)]) == 0
    printed = capsys.readouterr()
    kept = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))["realism"]
    for unit in kept["units"]:
        (line,) = (text for text in printed.out.splitlines() if text.split()[:1] == [str(unit["donor_label"])])
        assert f" {unit['auc']:.2f} " in line
        assert unit["classifier"] in line
    assert "telling real from injected" in printed.err
    assert main(["realism", str(run_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == kept
    assert main(["realism", str(run_folder), "--silent"]) == 0
    assert capsys.readouterr() == ("", "")


def test_generate_with_report_has_the_scores_in_it(world: World, tmp_path: Path) -> None:
    given = world.parameters(tmp_path / "out", ground_truth_units=[2, 4], probe=None)
    lines = [f"{name} = {value!r}" for name, value in given.items() if name not in ("data_type",)]
    lines = [line.replace("PosixPath", "") for line in lines]
    text = "from hybridfactory.probes import eMouse\nprobe = eMouse()\ndata_type = 'int16'\n" + "\n".join(lines)
    (tmp_path / "params.py").write_text(text, encoding="utf-8")
    assert main(["generate", str(tmp_path / "params.py"), "--report", "--silent"]) == 0
    kept = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["realism"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for unit in kept["units"]:
        assert f"realism AUC {unit['auc']:.2f}" in page


def refusal(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["realism", str(run_folder)]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_what_is_refused(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere", capsys)
    assert "not the output folder of a finished run" in refusal(tmp_path, capsys)
    monkeypatch.setattr(pipeline, "find_spec", lambda name: None)
    message = "realism needs scikit-learn: pip install 'hybridfactory[report]'"
    assert message in refusal(run_folder, capsys)
    assert main(["realism", str(run_folder), "--silent", "--json"]) == 2


def test_a_source_that_changed_or_is_gone(small_world: World, tmp_path: Path) -> None:
    source = tmp_path / "raw.bin"
    shutil.copyfile(small_world.raw, source)
    folder = small_world.run(tmp_path / "run", ground_truth_units=[2], raw_source_file=source).output_directory
    before = (folder / "manifest.json").read_bytes()
    with source.open("ab") as stream:
        stream.write(bytes(68))
    with pytest.raises(RecordingError, match="changed after the run"):
        hybridfactory.score_realism(folder)
    source.unlink()
    with pytest.raises(MissingFileError, match="is gone"):
        hybridfactory.score_realism(folder)
    assert (folder / "manifest.json").read_bytes() == before
