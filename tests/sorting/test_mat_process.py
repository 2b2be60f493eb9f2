"""MATLAB files are read by another process: the same values, and whatever happens there is one clear line here."""

import os
import signal
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import jrclust3, rez_kilosort2
from matlab_files import write_v7, write_v73

from hybridfactory.errors import SortingError
from hybridfactory.sorting import mat_process, read_sorting
from hybridfactory.sorting.mat_file import open_mat, reader_of

pytestmark = pytest.mark.usefixtures("own_process")
WRITERS = {"v7.3": write_v73, "v7": write_v7}
NAMES = ["rez/st3", "rez/U", "rez/W", "rez/ops/chanMap", "rez/ops/fbinary", "rez/nothing", "rez/good"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_same_values_as_without_it(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "rez.mat", rez_kilosort2())
    here = reader_of(tmp_path / "rez.mat")(tmp_path / "rez.mat", ["rez"])
    with open_mat(tmp_path / "rez.mat", ["rez"]) as there:
        assert there.fields() == here.fields()
        assert there.fields("rez/ops") == here.fields("rez/ops")
        assert there.texts("rez/ops/fbinary") == here.texts("rez/ops/fbinary") != ()
        for name in NAMES:
            expected, found = here.numbers(name), there.numbers(name)
            if expected is None:
                assert found is None
                continue
            assert found is not None
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    here.close()


def test_the_process_ends_with_the_block(tmp_path: Path) -> None:
    write_v7(tmp_path / "a_jrc.mat", jrclust3())
    with open_mat(tmp_path / "a_jrc.mat", ["P"]) as mat:
        number = mat._process.pid  # type: ignore[attr-defined]
        os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (signal.SIGSEGV, "reading it ends in signal 11"),
        (signal.SIGXCPU, "reading it comes to no end"),
    ],
)
def test_a_reader_that_breaks_down(tmp_path: Path, end: int, reason: str) -> None:
    write_v7(tmp_path / "a_jrc.mat", jrclust3())
    with open_mat(tmp_path / "a_jrc.mat", ["P"]) as mat:
        os.kill(mat._process.pid, end)  # type: ignore[attr-defined]
        with pytest.raises(SortingError, match=rf"a_jrc\.mat: is damaged \({reason}\)"):
            mat.numbers("P/nChans")


def bomb(num_bytes: int) -> bytes:
    """A v7 file of one compressed variable: zeros, a thousand times larger than what stands for them."""
    side = num_bytes // 8
    name = np.array([1, 10], "<i4").tobytes() + b"spikeTimes".ljust(16, b"\x00")
    flags = np.array([6, 8, 6, 0], "<u4").tobytes() + np.array([5, 8, side, 1], "<i4").tobytes()
    values = np.array([9, num_bytes], "<u4").tobytes() + bytes(num_bytes)
    body = flags + name + values
    packed = zlib.compress(np.array([14, len(body)], "<u4").tobytes() + body, 1)
    heading = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return heading + np.array([15, len(packed)], "<u4").tobytes() + packed


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell a process's size")
def test_more_memory_than_such_a_file_needs(tmp_path: Path) -> None:
    data = bomb(400 << 20)
    assert len(data) < 2 << 20
    (tmp_path / "a_res.mat").write_bytes(data)
    with pytest.raises(SortingError, match=r"a_res\.mat: .*damaged") as caught:
        read_sorting(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_process_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_v7(tmp_path / "a_jrc.mat", jrclust3())
    monkeypatch.setattr(
        mat_process.sys, "executable", "/bin/false" if Path("/bin/false").exists() else sys.executable
    )
    with pytest.raises(SortingError, match="did not start"):
        read_sorting(tmp_path)


def test_a_file_that_crashes_the_library_that_reads_it(tmp_path: Path) -> None:
    """scipy looks up how to read a number's type in a table of ten, with whatever stands in the file."""
    flags = np.array([6, 8, 6, 0], "<u4").tobytes() + np.array([5, 8, 1, 4], "<i4").tobytes()
    name = np.array([1, 10], "<i4").tobytes() + b"spikeTimes".ljust(16, b"\x00")
    body = flags + name + np.array([166, 32], "<i4").tobytes() + bytes(32)
    heading = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a_res.mat").write_bytes(heading + np.array([14, len(body)], "<i4").tobytes() + body)
    with pytest.raises(SortingError, match=r"a_res\.mat: .*damaged"):
        read_sorting(tmp_path)
