"""The way the hybrid is written, and onto the disk."""

import os
import time

import pytest

from hybridfactory.injection import copying
from hybridfactory.injection.copying import flushing, touched_share


def test_share_of_a_recording_that_events_touch():
    assert touched_share(0, 81, 10_000) == 0
    assert touched_share(10, 81, 1_000_000) == pytest.approx(10 * 81 / 1_000_000, rel=1e-3)
    assert 0.99 < touched_share(10_000, 81, 100_000) <= 1


@pytest.fixture
def file(tmp_path):
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_flushed_while_it_is_written_and_at_the_end(file, monkeypatch):
    calls = []
    monkeypatch.setattr(copying, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(copying.os, "fdatasync", lambda descriptor: calls.append(("on the way", descriptor)))
    monkeypatch.setattr(copying.os, "fsync", lambda descriptor: calls.append(("at the end", descriptor)))
    with flushing([file]):
        time.sleep(0.2)
    assert calls[0] == ("on the way", file) and calls[-1] == ("at the end", file)
    assert [name for name, _ in calls].count("at the end") == 1


def test_a_disk_that_fails_to_take_it_is_an_error(file, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(copying, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(copying.os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output"), flushing([file]):
        time.sleep(0.1)


def test_the_block_s_own_error_comes_first(file):
    with pytest.raises(KeyError), flushing([file]):
        raise KeyError
