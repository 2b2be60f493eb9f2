"""Recordings that SpikeInterface opens, read through the interface of flat ones."""

import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from spikeinterface.core import NumpyRecording

from hybridfactory.errors import HybridFactoryError, MissingExtraError, MissingFileError, RecordingError
from hybridfactory.recording.foreign import Origin, open_foreign_recording
from hybridfactory.recording.foreign_source import find_recording
from hybridfactory.recording.formats import find_format

DATA = Path(__file__).parents[3] / "shared" / "data" / "neuropixels2_0.5s"

pytestmark = [
    pytest.mark.filterwarnings("ignore:The extractor is not serializable"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def traces():
    return np.random.default_rng(0).integers(-2000, 2000, (25_000, 5)).astype(np.int16)


@pytest.fixture(scope="module", params=["zarr", "binary"])
def saved(request, traces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / ("r.zarr" if request.param == "zarr" else "r")
    recording = NumpyRecording([traces[:11_000], traces[11_000:]], 10_000.0)
    recording.save(folder=folder, format=request.param, n_jobs=1, progress_bar=False, verbose=False)
    return Origin("spikeinterface", (folder,))


class TestReading:
    def test_segments_lie_one_after_the_other(self, saved, traces):
        recording = open_foreign_recording(saved)
        assert [(file.start_sample, file.num_samples) for file in recording.files] == [(0, 11_000), (11_000, 14_000)]
        assert [file.hybrid_name for file in recording.files] == ["r_seg0.GT.bin", "r_seg1.GT.bin"]
        assert (recording.dtype, recording.num_rows, recording.sampling_frequency) == (np.int16, 5, 10_000.0)
        assert not recording.is_copyable
        with recording.reader() as reader:
            assert np.array_equal(reader.read_timeline(11_000, 25_000), traces[11_000:])
            with pytest.raises(RecordingError, match="do not lie in one file"):
                reader.read_timeline(10_999, 11_001)

    def test_they_lie_where_the_user_says(self, saved):
        recording = open_foreign_recording(saved, start_samples=[5, 20_000])
        assert [file.start_sample for file in recording.files] == [5, 20_000]
        with pytest.raises(RecordingError, match="overlap on the timeline"):
            open_foreign_recording(saved, start_samples=[5, 6_000])

    @pytest.mark.parametrize(("start", "stop"), [(0, 1), (9_999, 10_001), (0, 14_000), (13_999, 14_000), (7, 7)])
    def test_any_piece(self, saved, traces, start, stop):
        with open_foreign_recording(saved).reader() as reader:
            found = reader.read(1, start, stop)
        assert np.array_equal(found, traces[11_000 + start : 11_000 + stop])

    def test_threads_share_a_reader(self, saved, traces):
        starts = np.random.default_rng(1).integers(0, 10_500, 300).tolist()
        with open_foreign_recording(saved).reader() as reader, ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda start: reader.read(0, start, start + 500), starts))
        for start, piece in zip(starts, found, strict=True):
            assert np.array_equal(piece, traces[start : start + 500])

    def test_past_the_end_is_an_error(self, saved):
        with open_foreign_recording(saved).reader() as reader, pytest.raises(RecordingError):
            reader.read(1, 13_990, 14_010)

    def test_files_behind_it(self, saved):
        files = open_foreign_recording(saved).source_files
        assert files == tuple(sorted(files))
        assert {path for path in saved.paths[0].rglob("*") if path.is_file()} == set(files)


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "beginning", "expected"),
        [
            ("a.nwb", b"\x89HDF\r\n\x1a\n", "nwb"),
            ("a.nwb", b"\0\0\1\0\2\0", None),
            ("a.rhd", struct.pack("<I", 0xC6912702), "intan"),
            ("a.rhs", struct.pack("<I", 0xD69127AC), "intan"),
            ("a.ns5", b"NEURALCD", "blackrock"),
            ("a.json", b"{}", "spikeinterface"),
            ("a.cbin", b"anything", None),
            ("a.dat", b"\x89HDF\r\n\x1a\n", None),
            ("a.bin", b"", None),
        ],
    )
    def test_a_file_tells_by_its_name_and_how_it_begins(self, name, beginning, expected, tmp_path):
        path = tmp_path / name
        path.write_bytes(beginning + b"\0" * 20)
        assert find_format(path, None) == expected
        assert find_format(path, "auto") == expected
        assert find_format(path, "flat") is None
        assert find_format(path, "Plexon") == "plexon"

    @pytest.mark.parametrize(
        ("mark", "expected"),
        [
            ("binary.json", "spikeinterface"),
            ("Record Node 101/experiment1/recording1/structure.oebin", "openephysbinary"),
            ("100_CH1.continuous", "openephyslegacy"),
            ("notes.txt", None),
        ],
    )
    def test_a_folder_tells_by_what_lies_in_it(self, mark, expected, tmp_path):
        (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / mark).touch()
        assert find_format(tmp_path, None) == expected

    def test_options_are_for_other_formats(self, tmp_path):
        (tmp_path / "raw.bin").touch()
        with pytest.raises(RecordingError, match="raw_source_options"):
            find_recording(tmp_path / "raw.bin", None, {"stream_name": "A"})

    def test_nothing_there(self, tmp_path):
        with pytest.raises(MissingFileError, match="does not exist"):
            open_foreign_recording(Origin("intan", (tmp_path / "gone.rhd",)))

    @pytest.mark.parametrize("name", ["ibl", "numpy", "sinapsresearchplatform", "nothing"])
    def test_readers_that_are_left_out(self, name, tmp_path):
        with pytest.raises(RecordingError, match="is not known; use one of"):
            open_foreign_recording(Origin(name, (tmp_path,)))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared recordings are not here")
def test_a_compressed_recording_of_spikeglx(tmp_path):
    mtscomp = pytest.importorskip("mtscomp")
    source = next(DATA.glob("*.ap.bin"))
    meta = source.with_suffix(".meta")
    (tmp_path / meta.name).write_bytes(meta.read_bytes())
    traces = np.fromfile(source, dtype="<i2").reshape(-1, 385)
    target = tmp_path / source.with_suffix(".cbin").name
    mtscomp.compress(
        source,
        target,
        target.with_suffix(".ch"),
        sample_rate=30_000.0,
        n_channels=385,
        dtype=np.int16,
        n_threads=1,
        check_after_compress=False,
    )
    paths, origin = find_recording(target, None, {})
    assert origin is not None
    assert (paths, origin.name) == ([target], "compressedbinaryibl")
    recording = open_foreign_recording(origin)
    assert {path.suffix for path in recording.source_files} == {".cbin", ".ch", ".meta"}
    with recording.reader() as reader:
        found = reader.read(0, 100, 9_000)
    assert np.array_equal(found, traces[100:9_000, :384])
    assert recording.gains_uV is not None
    assert recording.segments[0][0].has_probe()


def test_damaged_headers_are_one_line(tmp_path):
    path = tmp_path / "a.rhd"
    path.write_bytes(struct.pack("<I", 0xC6912702) + b"\1" * 60)
    with pytest.raises(HybridFactoryError, match="cannot be opened as intan") as caught:
        open_foreign_recording(Origin("intan", (path,)))
    assert "\n" not in str(caught.value)


def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mtscomp", None)
    for suffix in (".cbin", ".ch", ".meta"):
        (tmp_path / f"a{suffix}").touch()
    paths, origin = find_recording(tmp_path / "a.cbin", None, {})
    assert origin is not None
    with pytest.raises(
        MissingExtraError, match=r"a package that is not installed \(.*mtscomp.*\): install it"
    ) as caught:
        open_foreign_recording(origin)
    assert "\n" not in str(caught.value)
    assert paths == [tmp_path / "a.cbin"]


def test_several_files_become_segments_in_natural_order(traces, tmp_path):
    for number in (10, 2):
        (tmp_path / f"t{number}.dat").write_bytes(b"header" + traces[: 100 * number].tobytes())
    options = {"sampling_frequency": 10_000.0, "dtype": "int16", "num_channels": 5, "file_offset": 6}
    paths, origin = find_recording(tmp_path / "t*.dat", "binary", options)
    assert [path.name for path in paths] == ["t2.dat", "t10.dat"]
    assert origin is not None
    recording = open_foreign_recording(origin)
    assert [file.hybrid_name for file in recording.files] == ["t2.GT.bin", "t10.GT.bin"]
    assert [(file.start_sample, file.num_samples) for file in recording.files] == [(0, 200), (200, 1000)]
    with recording.reader() as reader:
        assert np.array_equal(reader.read(1, 0, 1000), traces[:1000])


def test_files_of_other_shapes_are_not_one_recording(traces, tmp_path):
    for name, rows in (("a", 5), ("b", 4)):
        recording = NumpyRecording([traces[:, :rows]], 10_000.0)
        recording.save(folder=tmp_path / name, n_jobs=1, progress_bar=False, verbose=False)
    with pytest.raises(RecordingError, match="b has 4 channels, and the first file 5"):
        open_foreign_recording(Origin("spikeinterface", (tmp_path / "a", tmp_path / "b")))
