"""Natural order of names, and files found by name or glob."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.errors import MissingFileError
from hybridfactory.recording.natural_order import files_in_natural_order, natural_key


def test_numbers_count_as_numbers():
    names = ["t10", "t9", "t1b", "t1", "t1b2", "t01", "t", "u0", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "t", "t01", "t1", "t1b", "t1b2", "t9", "t10", "u0"]


@given(st.lists(st.text("ab01_.²"), unique=True))
def test_any_names_can_be_ordered_in_one_way(names):
    once = sorted(names, key=natural_key)
    backwards = once[::-1]
    backwards.sort(key=natural_key)
    assert backwards == once


def test_files(tmp_path):
    for name in ("r_t10.bin", "r_t2.bin", "r_t2.meta"):
        (tmp_path / name).touch()
    (tmp_path / "r_t3.bin").mkdir()
    assert [path.name for path in files_in_natural_order(tmp_path / "*.bin")] == ["r_t2.bin", "r_t10.bin"]
    assert files_in_natural_order(str(tmp_path / "r_t2.bin")) == [tmp_path / "r_t2.bin"]


def test_a_file_with_brackets_in_its_name(tmp_path):
    (tmp_path / "r[1].bin").touch()
    (tmp_path / "r1.bin").touch()
    assert files_in_natural_order(tmp_path / "r[1].bin") == [tmp_path / "r[1].bin"]


def test_nothing_found(tmp_path):
    with pytest.raises(MissingFileError, match=r"\*\.bin matches no file"):
        files_in_natural_order(tmp_path / "*.bin")
    with pytest.raises(MissingFileError, match=r"a\.bin does not exist"):
        files_in_natural_order(tmp_path / "a.bin")
