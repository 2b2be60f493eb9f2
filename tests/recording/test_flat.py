"""Flat binary files on one timeline."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.recording.flat import FlatFile, FlatRecording, open_flat_recording

INT16 = np.dtype("<i2")


def open_files(paths, starts, *, dtype=INT16, num_rows=3, **options):
    return open_flat_recording(
        paths, start_samples=starts, dtype=dtype, num_rows=num_rows, sampling_frequency=1e4, **options
    )


@pytest.fixture
def numbered(tmp_path):
    """Write files of a given number of samples × 3 rows; sample s of file f, row r holds 1000 f + 3 s + r."""

    def write(*lengths, dtype=INT16, trailing=b""):
        paths = []
        for number, length in enumerate(lengths):
            paths.append(tmp_path / f"t{number}.bin")
            values = 1000 * number + np.arange(3 * length).reshape(length, 3)
            paths[-1].write_bytes(values.astype(dtype).tobytes() + trailing)
        return paths

    return write


class TestTimeline:
    recording = FlatRecording(
        (FlatFile(None, 10, 90), FlatFile(None, 100, 50), FlatFile(None, 200, 10)), INT16, 3, 1e4
    )

    def test_file_of_every_sample(self):
        samples = np.array([9, 10, 99, 100, 149, 150, 199, 200, 209, 210, -5])
        assert self.recording.file_of(samples).tolist() == [-1, 0, 0, 1, 1, -1, -1, 2, 2, -1, -1]

    @given(st.integers(-20, 250), st.integers(0, 60), st.integers(0, 60))
    def test_window_lies_in_one_file(self, sample, before, after):
        needed = set(range(sample - before, sample + after + 1))
        files = [set(range(file.start_sample, file.stop_sample)) for file in self.recording.files]
        holds = self.recording.holds_window(np.array([sample]), before, after)[0]
        assert holds == any(needed <= file for file in files)

    def test_sizes(self):
        assert self.recording.num_samples == 150
        assert self.recording.bytes_per_sample == 6
        assert self.recording.files[1].stop_sample == 150


class TestRead:
    @pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "<f4", ">f8", "<i8"])
    def test_samples_as_written(self, numbered, dtype):
        paths = numbered(20, 30, dtype=dtype)
        recording = open_files(paths, [0, 25], dtype=np.dtype(dtype))
        with recording.reader() as reader:
            piece = reader.read(1, 7, 11)
            assert piece.dtype == np.dtype(dtype)
            assert np.array_equal(piece, (1000 + np.arange(21, 33).reshape(4, 3)).astype(dtype))
            assert np.array_equal(reader.read_timeline(32, 36), piece)
            assert reader.read(0, 5, 5).shape == (0, 3)

    @pytest.mark.parametrize(("start", "stop"), [(18, 22), (20, 22), (-1, 3), (54, 56), (24, 26)])
    def test_ranges_not_within_one_file_are_refused(self, numbered, start, stop):
        recording = open_files(numbered(20, 30), [0, 25])
        with recording.reader() as reader, pytest.raises(RecordingError, match="one file"):
            reader.read_timeline(start, stop)

    def test_file_that_shrank_is_an_error_and_no_crash(self, numbered):
        (path,) = numbered(1000)
        recording = open_files([path], [0])
        with recording.reader() as reader:
            os.truncate(path, 3001)
            assert reader.read(0, 0, 500).shape == (500, 3)
            with pytest.raises(RecordingError, match=r"t0\.bin ended early"):
                reader.read(0, 400, 600)

    def test_many_threads_may_share_a_reader(self, numbered):
        from concurrent.futures import ThreadPoolExecutor

        (path,) = numbered(10_000)
        with open_files([path], [0]).reader() as reader, ThreadPoolExecutor(4) as pool:
            pieces = list(pool.map(lambda k: reader.read(0, k * 100, k * 100 + 100), range(100)))
        assert np.concatenate(pieces).tobytes() == path.read_bytes()

    def test_files_are_closed_afterwards(self, numbered):
        with open_files(numbered(5), [0]).reader() as reader:
            descriptor = reader.descriptors[0]
            os.fstat(descriptor)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(descriptor)

    def test_source_that_cannot_be_written_is_read(self, numbered):
        (path,) = numbered(5)
        path.chmod(0o400)
        with open_files([path], [0]).reader() as reader:
            assert reader.read(0, 0, 5).shape == (5, 3)


class TestOpen:
    def test_several_files_with_a_gap(self, numbered):
        recording = open_files(numbered(20, 30, 10), [100, 120, 200])
        assert [(file.start_sample, file.stop_sample) for file in recording.files] == [
            (100, 120),
            (120, 150),
            (200, 210),
        ]

    def test_bytes_left_over_are_refused_where_the_rows_are_the_user_s_word(self, numbered):
        with pytest.raises(RecordingError, match=r"t0\.bin has 65 bytes.*5 bytes are left over"):
            open_files(numbered(10, trailing=b"12345"), [0])

    def test_bytes_left_over_are_kept_where_the_rows_are_certain(self, numbered):
        (file,) = open_files(numbered(10, trailing=b"12345"), [0], allow_trailing_bytes=True).files
        assert (file.num_samples, file.num_trailing_bytes) == (10, 5)

    @pytest.mark.parametrize("size", [0, 5])
    @pytest.mark.parametrize("allowed", [True, False])
    def test_empty_file(self, tmp_path, size, allowed):
        (tmp_path / "a.bin").write_bytes(bytes(size))
        with pytest.raises(RecordingError, match=r"a\.bin is empty or holds less than one sample"):
            open_files([tmp_path / "a.bin"], [0], allow_trailing_bytes=allowed)

    def test_missing_file(self, tmp_path):
        with pytest.raises(MissingFileError, match=r"a\.bin"):
            open_files([tmp_path / "a.bin"], [0])

    def test_folder(self, tmp_path):
        with pytest.raises(MissingFileError):
            open_files([tmp_path], [0])

    @pytest.mark.parametrize(
        ("starts", "message"),
        [([0, 19], "overlap"), ([0, 0], "overlap"), ([50, 0], "ascend"), ([50, 49], "ascend")],
    )
    def test_files_that_do_not_follow_each_other(self, numbered, starts, message):
        with pytest.raises(RecordingError, match=message) as caught:
            open_files(numbered(20, 30), starts)
        assert "t1.bin" in str(caught.value) and "\n" not in str(caught.value)

    @pytest.mark.parametrize("starts", [[0], [0, 20, 50]])
    def test_one_start_per_file(self, numbered, starts):
        with pytest.raises(RecordingError, match=r"start_time has \d value.* for 2 file"):
            open_files(numbered(20, 30), starts)
