"""One run at a time in an output folder."""

import subprocess
import sys

import pytest

from hybridfactory.errors import OutputError
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
