"""Names and texts out of files: no script in a page, no control character on a terminal, no way out of the folder."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from bench import Workshop, answer
from hybrid_world import write_phy

from hybridfactory.cli import main
from hybridfactory.errors import HybridFactoryError, SortingError, printable_line

SCRIPT = "<script>alert(1)</script>"
ESCAPE = "\x1b[2J\x1b]0;owned\x07"


@pytest.fixture
def hostile(workshop: Workshop, tmp_path: Path) -> Path:
    """A run whose files say what nobody would."""
    run = tmp_path / "run"
    shutil.copytree(workshop.run, run)
    path = run / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["warnings"] = [f"{SCRIPT} {ESCAPE}"]
    content["parameters"]["note"] = SCRIPT
    content["versions"][SCRIPT] = "1"
    content["created"] = SCRIPT
    content["realism"] = {
        "is_thorough": False,
        "units": [
            {
                "donor_label": 2,
                "auc": 0.9,
                "interval": [0.8, 0.95],
                "classifier": SCRIPT,
                "hint": f"{SCRIPT} & more",
                "reason": None,
            }
        ],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    table = run / "units-e2e.csv"
    lines = table.read_text().splitlines()
    cells = lines[1].split(",")
    cells[lines[0].split(",").index("notes")] = SCRIPT
    table.write_text("\n".join([lines[0], ",".join(cells)]) + "\n")
    return run


def test_the_page_of_a_run_runs_nothing_out_of_its_files(hostile: Path) -> None:
    assert main(["plot", str(hostile), "--report", "--silent"]) == 0
    page = (hostile / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert not re.search(r"<(img|iframe|object|embed)[^>]*alert", page)


def test_the_page_of_a_validation_runs_nothing_out_of_the_sorting(
    workshop: Workshop, hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unit ids of SpikeInterface are text, and a folder's name is the sorting's."""
    from spikeinterface.core import NpzSortingExtractor, NumpySorting

    events = np.load(hostile / "firings_true.npy")[1].astype(np.int64)
    ids = [f"{SCRIPT}[/]{ESCAPE}"]
    sorting = NumpySorting.from_samples_and_labels([events], [np.array(ids * events.size)], 20_000.0, unit_ids=ids)
    path = tmp_path / "<b>sorted & found.npz"
    NpzSortingExtractor.write_sorting(sorting, path)
    output = tmp_path / "validation"
    arguments = ["validate", str(hostile), str(path), "--name", "a & b", "--output", str(output)]
    assert main(arguments) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "\x1b[2J" not in shown.out + shown.err
    assert "\x07" not in shown.out + shown.err
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in page
    assert "<script>alert" not in page


def test_messages_spell_out_control_characters(tmp_path: Path) -> None:
    folder = tmp_path / f"sorted{ESCAPE}\nnew line"
    write_phy(folder, {1: np.array([5, 9])})
    (folder / "spike_times.npy").write_bytes(b"")
    (tmp_path / "truth").mkdir()
    np.save(tmp_path / "truth" / "firings_true.npy", np.array([[1], [5], [1]]))
    code, lines, _ = answer(["validate", str(tmp_path / "truth"), str(folder), "--no-report"], tmp_path)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert "\\x1b[2J" in lines[0]


def test_what_a_message_quotes_stays_on_one_line_of_moderate_length() -> None:
    error = SortingError(f"a.npy: holds {'x' * 5000}\n{ESCAPE}; export it again")
    text = str(error)
    assert isinstance(error, HybridFactoryError)
    assert text.isprintable()
    assert len(text) < 1300
    assert text.endswith("; export it again")
    assert printable_line("µm → \u202e") == "µm → \\u202e"


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere", "a/b", "..", "a\0b", ""])
@pytest.mark.parametrize("where", ["session_name", "targets", "files"])
def test_no_name_in_a_manifest_leads_out_of_its_folder(
    workshop: Workshop, tmp_path: Path, where: str, name: str
) -> None:
    run = tmp_path / "deep" / "run"
    shutil.copytree(workshop.run, run)
    path = run / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    if where == "session_name":
        content[where] = name
    elif where == "targets":
        content[where][0]["name"] = name
    else:
        content[where].append(name)
    path.write_text(json.dumps(content), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    for command in ("write", "plot", "reset"):
        code, lines, _ = answer([command, str(run)], tmp_path)
        assert code == 2, lines
        assert f"no valid {where}" in lines[0]
    assert sorted(tmp_path.rglob("*")) == before
