"""``hybridfactory plot``, and ``generate --report``: what they write, print and refuse."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import hybridfactory
from hybridfactory.cli import main
from hybridfactory.demo import make_demo
from hybridfactory.report import extra

Install = Callable[..., None]


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_demo(tmp_path_factory.mktemp("plot") / "demo", duration_s=6.0)
    text = path.read_text(encoding="utf-8")
    few, changed = re.subn(r"(?m)^ground_truth_units = .*$", "ground_truth_units = [9]", text)
    assert changed == 1
    path.write_text(few, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run_folder(params: Path) -> Path:
    return hybridfactory.generate(params).output_directory


def test_figures_go_to_the_run_folder(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_folder.iterdir()}
    assert main(["plot", str(run_folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"Figures: {run_folder / 'figures'}\n"
    assert "drawing figures" in err
    labels = hybridfactory.load(run_folder).units["new_unit"].dropna().astype(int)
    kinds = (".png", ".svg", "-waveforms.csv", "-snippets.csv", "-amplitudes.csv", "-intervals.csv")
    expected = {f"unit-{label}{kind}" for label in labels for kind in kinds}
    expected |= {"probe.png", "probe.svg", "probe.csv"}
    assert {path.name for path in (run_folder / "figures").iterdir()} == expected
    after = {path: path.stat().st_mtime_ns for path in run_folder.iterdir() if path.name != "figures"}
    manifest = run_folder / "manifest.json"
    assert after.keys() == before.keys()
    assert [path for path in before if after[path] != before[path]] == [manifest]
    derived = json.loads(manifest.read_text(encoding="utf-8"))["derived"]
    assert {f"figures/{name}" for name in expected} == set(derived)


def test_output_report_and_silence(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "new" / "pictures"
    (output / "figures").mkdir(parents=True)
    (output / "figures" / "unit-7.png").touch()  # of an earlier run
    (output / "figures" / "mine.png").touch()
    assert main(["plot", str(run_folder), "--output", str(output), "--report", "--silent"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["plot", str(run_folder), "--output", str(output), "--report", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["report"] == str(output / "report.html")
    assert {Path(path) for path in told["figures"]} == {*(output / "figures").iterdir()} - {
        output / "figures" / "mine.png"
    }
    assert main(["plot", str(run_folder), "--json", "--silent"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert (output / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (output / "figures" / "probe.svg").is_file()
    assert (output / "figures" / "mine.png").is_file()
    assert not (output / "figures" / "unit-7.png").exists()
    assert sorted(path.name for path in output.iterdir()) == ["figures", "report.html"]


def test_generate_with_a_report(params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(params), "--report"]) == 0
    out = capsys.readouterr().out
    folder = params.parent / "hybrid"
    assert "Written to " in out
    assert out.endswith(f"Figures: {folder / 'figures'}\nReport: {folder / 'report.html'}\n")
    assert (folder / "report.html").stat().st_size < 2_000_000
    assert list((folder / "figures").glob("unit-*.png"))


def test_plain_generate_draws_nothing_and_loads_nothing_to_draw_with(params: Path) -> None:
    code = (
        "import sys\n"
        "from hybridfactory.cli import main\n"
        f"assert main(['generate', {str(params)!r}, '--silent']) == 0\n"
        "print([name for name in ('matplotlib', 'jinja2', 'hybridfactory.report') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_a_missing_extra_is_told_before_any_work(
    missing: str,
    run_folder: Path,
    pipeline: Install,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def worked(*_arguments: object, **_options: object) -> object:
        raise RuntimeError("too late")

    pipeline(worked)
    find = importlib.util.find_spec
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == missing else find(name))
    for arguments, command in (
        (["plot", str(run_folder)], "plot"),
        (["generate", "params.py", "--report"], "generate --report"),
    ):
        assert main(arguments) == 2
        assert capsys.readouterr() == (
            "",
            f"hybridfactory: error: {command} needs matplotlib and Jinja2: pip install 'hybridfactory[report]'\n",
        )


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(tmp_path)]) == 2
    assert "it is not the output folder of a finished run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_where_drawing_fails(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import hybridfactory.report.run_report as page

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "write_run_report", fail)
    assert main(["plot", str(run_folder), "--output", str(tmp_path / "new"), "--report"]) == 2
    assert "disk is full" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_json_stays_alone_on_standard_output(
    pipeline: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []

    def score(run_folder: Path, *, thorough: bool, progress: object) -> None:
        done.append((run_folder.name, thorough))

    def draw(run_folder: Path, output: Path | None, *, report: bool, progress: object) -> None:
        done.append((run_folder.name, output, report))

    for name, function in (("score_realism", score), ("plot", draw)):
        module = ModuleType(f"hybridfactory.pipeline.{name.removeprefix('score_')}")
        setattr(module, name, function)
        module.require_scikit_learn = lambda command: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert main(["generate", "--json", "--report"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("}")
    # The page shows the scores, so that they come first.
    assert done == [("hybrid output", False), ("hybrid output", None, True)]
