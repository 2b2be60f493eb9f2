"""Windows out of a recording, and their baselines."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridfactory.events import blocks as blocks_module
from hybridfactory.events.locate import locate_units, spread_sample
from hybridfactory.events.snippets import SnippetRequest, iter_snippets, read_snippets, remove_baseline
from hybridfactory.recording.flat import FlatReader, open_flat_recording


@pytest.fixture
def two_files(tmp_path):
    """Two files of 3 rows with a gap between; sample s, row r holds 3 * s + r (of the timeline)."""
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    for path, start, stop in zip(paths, (10, 1500), (1200, 4000), strict=True):
        (3 * np.arange(start, stop)[:, None] + np.arange(3)).astype("<i4").tofile(path)
    return open_flat_recording(
        paths, start_samples=[10, 1500], dtype=np.dtype("<i4"), num_rows=3, sampling_frequency=1e4
    )


def expected(samples, rows, before, after):
    return 3 * (samples[:, None] + np.arange(-before, after + 1))[:, :, None] + rows


@pytest.mark.parametrize("block_bytes", [1, 2000, 8 << 20])
def test_windows_hold_the_recording_whatever_the_block(two_files, monkeypatch, block_bytes):
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", block_bytes)
    random = np.random.default_rng(1)
    requests = []
    for rows in ([2, 0], [1], [0, 1, 2]):
        # Edges of both files, and times that occur twice.
        drawn = [random.integers(15, 1190, 40), random.integers(1505, 3990, 90), [15, 15, 1189, 1505, 1505, 3989]]
        requests.append(SnippetRequest(np.sort(np.concatenate(drawn)), np.array(rows)))
    requests.append(SnippetRequest(np.zeros(0, dtype=np.int64), np.array([0])))
    found = read_snippets(two_files, requests, before=5, after=10)
    for request, windows in zip(requests, found, strict=True):
        assert windows.dtype == np.dtype("<i4")
        assert np.array_equal(windows, expected(request.samples, request.rows, 5, 10))


def test_each_window_comes_once_and_in_order(two_files):
    trains = [np.arange(100, 1100, 7), np.arange(1510, 3900)]
    requests = [SnippetRequest(train, np.array([row])) for row, train in enumerate(trains)]
    seen = [[], []]
    for owner, which, piece in iter_snippets(two_files, requests, before=2, after=2):
        assert len(piece) == which.stop - which.start
        seen[owner] += range(which.start, which.stop)
    assert seen == [list(range(request.samples.size)) for request in requests]


def test_nothing_asked_nothing_read(two_files):
    assert list(iter_snippets(two_files, [], before=2, after=2)) == []


class TestRemoveBaseline:
    @given(st.floats(-5, 5), st.floats(-1000, 1000), st.sampled_from([2, 19, 60]))
    def test_a_line_is_removed_whole(self, slope, level, num_samples):
        line = (level + slope * np.arange(float(num_samples)))[None, :, None] * np.ones((2, 1, 3))
        assert np.abs(remove_baseline(line)).max() < 1e-3

    def test_a_spike_between_flat_ends_is_left_alone(self):
        spike = np.zeros((1, 81, 1), dtype=np.int16)
        spike[0, 30:50, 0] = np.hanning(20) * -500
        assert np.array_equal(remove_baseline(spike), spike)

    def test_only_the_ends_are_measured(self):
        """Whatever lies between stays as it is: it is the spike."""
        values = np.zeros((2, 81, 3))
        values[:, 8:-8] = 1000 * np.random.default_rng(4).standard_normal((2, 65, 3))
        assert np.array_equal(remove_baseline(values), values.astype(np.float32))

    def test_ends_are_averaged(self):
        """The noise of one sample does not tilt the whole window."""
        values = np.zeros((1, 81, 1))
        values[0, [0, 80]] = 8
        assert remove_baseline(values)[0, 8:-8, 0] == pytest.approx(-1, abs=1e-5)

    @pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", "<u4", "<i8", "<u8", "<f4", ">f8", "<f2"])
    def test_types(self, dtype):
        values = 100 + np.random.default_rng(1).integers(0, 50, (3, 60, 2))
        reference = remove_baseline(values.astype(np.float64))
        result = remove_baseline(values.astype(dtype))
        assert result.dtype == np.float32
        assert result == pytest.approx(reference, abs=0.05 if dtype == "<f2" else 1e-3)

    def test_large_offset_costs_no_precision(self):
        values = np.random.default_rng(2).standard_normal((3, 60, 2))
        assert remove_baseline(values + 1e9) == pytest.approx(remove_baseline(values), abs=1e-5)
        unsigned = (values * 100).astype(np.int64)
        assert np.array_equal(remove_baseline((unsigned + 2**50).astype(np.uint64)), remove_baseline(unsigned))

    @pytest.mark.parametrize("num_samples", [2, 3, 5])
    def test_shortest_windows_stay_finite(self, num_samples):
        windows = np.random.default_rng(3).integers(0, 9, (4, num_samples, 2)).astype(np.int16)
        assert np.isfinite(remove_baseline(windows)).all()


@given(st.integers(1, 500), st.integers(2, 500))
def test_spread_sample(num_spikes, size):
    chosen = spread_sample(num_spikes, size)
    assert chosen.size == min(num_spikes, size)
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] == 0 and chosen[-1] == num_spikes - 1


@pytest.mark.parametrize("lag", [-12, 0, 7, 25])
def test_main_row_and_lag_are_found(short_bench, lag):
    down = short_bench.unit(short_bench.times(40), y_um=30, amplitude=150)
    up = short_bench.unit(short_bench.times(40), y_um=120, amplitude=-150)
    short_bench.add(down)
    short_bench.add(up)
    found = locate_units(
        short_bench.save(), [down.times - lag, up.times - lag], short_bench.sites.rows, search_samples=30
    )
    assert [place.column for place in found] == [np.abs(unit.mean).max(axis=0).argmax() for unit in (down, up)]
    assert [place.lag for place in found] == pytest.approx([lag, lag], abs=1)


@pytest.mark.parametrize("block_bytes", [1, 700])
def test_what_is_read_was_announced_once_and_before(two_files, monkeypatch, block_bytes):
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", block_bytes)
    told, read = [], []
    read_into = FlatReader.read_into

    def listen(self, traces, file_index, start):
        read.append((file_index, start, start + len(traces)))
        assert read[-1] in told
        read_into(self, traces, file_index, start)

    monkeypatch.setattr(FlatReader, "read_into", listen)
    monkeypatch.setattr(FlatReader, "announce", lambda self, *piece: told.append(piece))
    samples = np.sort(np.concatenate([np.arange(20, 1180, 37), np.arange(1510, 3900, 61)]))
    read_snippets(two_files, [SnippetRequest(samples, np.array([0, 2]))], before=5, after=5)
    assert len(set(told)) == len(told) > blocks_module.BLOCKS_ANNOUNCED
    assert sorted(told) == sorted(read)


def test_where_nothing_can_be_announced_it_is_read_all_the_same(two_files, monkeypatch):
    def refuse(*_arguments):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", refuse)
    request = SnippetRequest(np.array([100, 2000]), np.array([1]))
    assert np.array_equal(
        read_snippets(two_files, [request], before=3, after=3)[0], expected(request.samples, request.rows, 3, 3)
    )
