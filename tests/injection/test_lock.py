"""One run at a time in an output folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hybridfactory.errors import OutputError
from hybridfactory.injection import staging
from hybridfactory.injection.staging import staging_folder


def test_a_second_run_is_refused_and_leaves_the_first_alone(tmp_path):
    with staging_folder(tmp_path) as first:
        (first / "work").write_text("unfinished")
        with pytest.raises(OutputError, match="another run is writing there"), staging_folder(tmp_path):
            pass
        assert (first / "work").read_text() == "unfinished"
    with staging_folder(tmp_path):
        pass


def test_the_lock_dies_with_its_process(tmp_path):
    program = (
        "import os, pathlib, sys\n"
        "from hybridfactory.injection.staging import staging_folder\n"
        "with staging_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'work').write_text('x')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 9
    left = []
    with staging_folder(tmp_path, tell=left.append):
        pass
    assert len(left) == 1 and "unfinished files" in left[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", ["made", "removed"])
def test_a_signal_while_the_folder_is_made_or_removed_leaves_nothing(tmp_path, monkeypatch, stage):
    """It may come between any two lines; a second one is not heard."""
    made, removed = Path.mkdir, shutil.rmtree
    heard = []

    def interrupt():
        if not heard:
            heard.append(stage)
            raise KeyboardInterrupt

    def mkdir(path, *arguments, **named):
        made(path, *arguments, **named)
        if stage == "made" and path.name == staging.STAGING_NAME:
            interrupt()

    def rmtree(path, *arguments, **named):
        if stage == "removed":
            interrupt()
        removed(path, *arguments, **named)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(KeyboardInterrupt), staging_folder(tmp_path / "deep" / "out"):
        pass
    assert heard and not (tmp_path / "deep").exists()
