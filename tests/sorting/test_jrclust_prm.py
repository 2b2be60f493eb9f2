from pathlib import Path

import pytest
from layouts import PRM, RAW_NAME, jrclust4
from matlab_files import write_v73

from hybridfactory.sorting import read_sorting
from hybridfactory.sorting.jrclust_prm import find_prm, read_prm


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2, 3]", (1, 2, 3)),
        ("[1 2 3]';", (1, 2, 3)),
        ("[1; 2; 3]", (1, 2, 3)),
        ("1:3; % [9]", (1, 2, 3)),
        ("(1:3)'", (1, 2, 3)),
        ("[1:2:7, 10]", (1, 3, 5, 7, 10)),
        ("[3:-1:1]", (3, 2, 1)),
        ("[1, 2, ... the first\n 3]; % and 'so on'", (1, 2, 3)),
        ("[1, 2 % two\n 3]", (1, 2, 3)),
        ("7", (7,)),
        ("fliplr(1:3)", None),
        ("[1:0:3]", None),
        ("1:99999999999", None),
        ("[]", None),
        ("", None),
    ],
)
def test_site_map(tmp_path: Path, text: str, expected: tuple[int, ...] | None) -> None:
    path = tmp_path / "a.prm"
    path.write_text(f"siteLoc = [0, 0];\nsiteMap = {text}\nnChans = 385;\n")
    prm = read_prm(path)
    assert prm.site_map == expected
    assert prm.num_rows == 385


def test_recordings_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.prm"
    path.write_text(PRM + "sampleRate = 30000.5;\nrawRecordings = {'it''s.bin', 'b.bin'};\n")
    prm = read_prm(path)
    assert prm.recordings == ("it's.bin", "b.bin")
    assert prm.sampling_frequency == 30000.5


def test_names_of_version_3(tmp_path: Path) -> None:
    path = tmp_path / "a.prm"
    path.write_text("vcFile = 'E:\\a.bin';\nsRateHz = 25000;\nviSite2Chan = [2 1];\n")
    prm = read_prm(path)
    assert (prm.recordings, prm.sampling_frequency, prm.site_map) == (("E:\\a.bin",), 25000.0, (2, 1))


def test_the_sessions_own_prm_comes_first(tmp_path: Path) -> None:
    for name in ("a.prm", "b.prm"):
        (tmp_path / name).touch()
    assert find_prm(tmp_path / "b_res.mat") == tmp_path / "b.prm"
    assert find_prm(tmp_path / "c_res.mat") is None
    (tmp_path / "a.prm").unlink()
    assert find_prm(tmp_path / "c_res.mat") == tmp_path / "b.prm"


def test_without_prm(tmp_path: Path) -> None:
    write_v73(tmp_path / "a_res.mat", jrclust4())
    sorting = read_sorting(tmp_path, source_paths=[Path(RAW_NAME)])
    assert not sorting.unit_main_rows
    assert (sorting.num_rows, sorting.sampling_frequency) == (None, None)
    assert ["main channels not read" in warning for warning in sorting.warnings] == [True]
