"""From parameters and .meta files to an opened source."""

import numpy as np
import pytest

from hybridfactory.errors import MissingFileError, ProbeError, RecordingError
from hybridfactory.probes import custom_probe
from hybridfactory.recording.source import find_source_files, hybrid_name, open_source

META = {
    "fileSizeBytes": "600",
    "firstSample": "1000",
    "imProbeOpt": "3",
    "imSampRate": "30000",
    "nSavedChans": "3",
    "snsApLfSy": "2,0,1",
    "acqApLfSy": "2,2,1",
    "snsSaveChanSubset": "0:1,4",
    "typeThis": "imec",
    "~imroTbl": "(641251510,3,2)(0 0 0 500 250)(1 0 0 500 250)",
    "~snsShankMap": "(1,2,480)(0:0:0:1)(0:1:0:1)",
}
PROBE = custom_probe([0, 1], [True, True], [[0, 0], [0, 20]])


@pytest.fixture
def make(tmp_path):
    """Write a raw file of some samples × 3 rows, with a .meta where fields are given."""

    def write(name, num_samples=100, *, trailing=0, meta=None):
        path = tmp_path / name
        path.write_bytes(np.arange(3 * num_samples, dtype="<i2").tobytes() + bytes(trailing))
        if meta is not None:
            size = {"fileSizeBytes": str(path.stat().st_size)}
            lines = [f"{key}={value}\n" for key, value in {**META, **size, **meta}.items()]
            path.with_suffix(".meta").write_text("".join(lines))
        return path

    return write


def opened(paths, **changes):
    options = {
        "start_time": None,
        "dtype": np.dtype("<i2"),
        "sampling_frequency": 30_000.0,
        "probe": PROBE,
        "num_rows": None,
    }
    return open_source(paths, **{**options, **changes})


@pytest.mark.parametrize(
    ("name", "hybrid"),
    [
        ("data.bin", "data.GT.bin"),
        ("data", "data.GT"),
        ("run_g0_t0.imec.ap.bin", "run_g0_t0.imec.ap.GT.bin"),
        (".hidden", ".hidden.GT"),
        ("data.v2.dat", "data.v2.GT.dat"),
    ],
)
def test_hybrid_name(name, hybrid):
    assert hybrid_name(name) == hybrid


class TestFindSourceFiles:
    def test_natural_order(self, make, tmp_path):
        for name in ("t10.bin", "t2.bin", "t1.bin"):
            make(name)
        assert [path.name for path in find_source_files(tmp_path / "t*.bin")] == ["t1.bin", "t2.bin", "t10.bin"]

    def test_hybrids_of_an_earlier_run_are_no_sources(self, make, tmp_path):
        for name in ("t1.bin", "t2.bin", "t1.GT.bin", "t2.GT.bin", "t1.GT.GT.bin"):
            make(name)
        assert [path.name for path in find_source_files(tmp_path / "*.bin")] == ["t1.bin", "t2.bin"]

    def test_hybrids_without_an_extension(self, make, tmp_path):
        make("data")
        make("data.GT")
        assert [path.name for path in find_source_files(tmp_path / "data*")] == ["data"]

    def test_a_hybrid_may_be_asked_for_by_name(self, make, tmp_path):
        make("t1.bin")
        make("t1.GT.bin")
        assert find_source_files(tmp_path / "t1.GT.bin") == [tmp_path / "t1.GT.bin"]

    def test_hybrids_in_the_folder_of_outputs_below(self, make, tmp_path):
        """`**` finds the default output folder as well."""
        make("t1.bin")
        (tmp_path / "hybrid_output").mkdir()
        (tmp_path / "hybrid_output" / "t1.GT.bin").write_bytes(bytes(600))
        assert find_source_files(tmp_path / "**" / "*.bin") == [tmp_path / "t1.bin"]

    def test_one_name_in_two_folders(self, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "data.bin").write_bytes(b"1")
        with pytest.raises(RecordingError, match=r"several files named data\.bin"):
            find_source_files(tmp_path / "*" / "data.bin")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(MissingFileError, match="matches no file"):
            find_source_files(tmp_path / "*.bin")


class TestWithoutMeta:
    def test_rows_are_those_of_the_probe(self, make):
        probe = custom_probe([0, 1, 2], [True, True, False], [[0, 0], [0, 20], [np.nan, np.nan]])
        source = opened([make("a.bin")], probe=probe, start_time=5)
        assert (source.recording.num_rows, source.recording.num_samples) == (3, 100)
        assert source.recording.files[0].start_sample == 5
        assert source.metas == (None,) and source.warnings == ()

    def test_rows_as_stated(self, make):
        assert opened([make("a.bin")], num_rows=3, start_time=0).recording.num_rows == 3

    def test_remainder_is_the_sign_of_a_wrong_word(self, make):
        with pytest.raises(RecordingError, match="left over"):
            opened([make("a.bin", trailing=2)], num_rows=3, start_time=0)

    def test_start_time_is_needed(self, make):
        with pytest.raises(RecordingError, match=r"'start_time' is missing.*a\.meta does not exist"):
            opened([make("a.bin")], num_rows=3)

    def test_probe_is_needed(self, make):
        with pytest.raises(ProbeError, match=r"'probe' is missing.*a\.meta"):
            opened([make("a.bin")], probe=None, start_time=0)

    def test_probe_beyond_the_file_s_rows(self, make):
        probe = custom_probe([0, 3], [True, True], [[0, 0], [0, 20]])
        with pytest.raises(ProbeError, match=r"names row 3, but the raw file has 3 rows \(0 to 2\)"):
            opened([make("a.bin")], probe=probe, num_rows=3, start_time=0)

    def test_several_files(self, make):
        source = opened([make("a.bin"), make("b.bin", 50)], num_rows=3, start_time=(0, 130))
        assert [file.start_sample for file in source.recording.files] == [0, 130]

    def test_one_start_time_for_several_files(self, make):
        with pytest.raises(RecordingError, match="give one per file"):
            opened([make("a.bin"), make("b.bin")], num_rows=3, start_time=0)


class TestWithMeta:
    def test_rows_start_and_probe_come_from_it(self, make):
        paths = [make("a.bin", meta={}), make("b.bin", meta={"firstSample": "1150"})]
        source = opened(paths, probe=None)
        assert source.recording.num_rows == 3
        assert [file.start_sample for file in source.recording.files] == [0, 150]
        assert source.probe.num_channels == 3
        assert source.warnings == ()

    def test_start_time_given_goes_before(self, make):
        assert opened([make("a.bin", meta={})], start_time=77).recording.files[0].start_sample == 77

    def test_bytes_after_the_last_sample_are_allowed_and_mentioned(self, make):
        source = opened([make("a.bin", trailing=3, meta={})])
        assert source.recording.files[0].num_trailing_bytes == 3
        assert "last 3 bytes" in source.warnings[0]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"sampling_frequency": 25_000.0}, "sample_rate is 25000 Hz, but a.meta says 30000 Hz"),
            ({"dtype": np.dtype("<f4")}, "data_type is float32"),
            ({"dtype": np.dtype(">i2")}, "data_type is >i2"),
            ({"num_rows": 2}, "nSavedChans=3"),
        ],
    )
    def test_contradictions_are_refused(self, make, changes, message):
        with pytest.raises(RecordingError, match=message):
            opened([make("a.bin", meta={})], **changes)

    def test_another_size_than_stated_is_mentioned(self, make):
        source = opened([make("a.bin", meta={"fileSizeBytes": "606"})])
        assert "606" in source.warnings[0]

    def test_metas_that_contradict_each_other(self, make):
        """Two files of different row counts cannot be one recording."""
        paths = [make("a.bin", meta={}), make("b.bin", meta={"firstSample": "1150", "nSavedChans": "4"})]
        with pytest.raises(RecordingError, match="nSavedChans"):
            opened(paths)

    def test_one_file_without_meta(self, make):
        with pytest.raises(RecordingError, match=r"b\.meta does not exist"):
            opened([make("a.bin", meta={}), make("b.bin")])
