"""What the program sets for its own process, and for no other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

CODE = """
import json, os, subprocess, sys
from hybridfactory.cli.process import prepare_to_learn
assert "numpy" not in sys.modules
prepare_to_learn()
from threadpoolctl import threadpool_info
threads = [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps([threads, os.environ.get("OPENBLAS_NUM_THREADS")]))
"""


@pytest.mark.parametrize("stated", [None, "2"])
def test_matrix_products_stay_on_one_thread_and_other_programs_are_told_nothing(stated: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {} if stated is None else {"OPENBLAS_NUM_THREADS": stated}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    threads, left = json.loads(done.stdout)
    assert set(threads) <= {1 if stated is None else min(2, os.cpu_count() or 1)}
    assert left == stated


def test_what_a_parameter_file_leaves_open_is_closed(tmp_path: Path) -> None:
    """Cycles of objects aren't taken apart at the end, but what was written is there, and exit handlers run."""
    params = """
        import atexit
        log = open("log.txt", "w")
        log.write("some")
        atexit.register(print, "handled")
        no_such_parameter = 1
    """
    (tmp_path / "params.py").write_text(dedent(params))
    command = [sys.executable, "-m", "hybridfactory", "generate"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "handled\n")
    assert (tmp_path / "log.txt").read_text() == "some"
