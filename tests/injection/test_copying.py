"""The source's bytes into another file, and onto the disk."""

import errno
import mmap
import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from hybridfactory.errors import RecordingError
from hybridfactory.injection import copying, target_file
from hybridfactory.injection.copying import Copied, copy_file, flushing, touched_share
from hybridfactory.injection.target_file import TargetFile


def test_share_of_a_recording_that_events_touch():
    assert touched_share(0, 81, 10_000) == 0
    assert touched_share(10, 81, 1_000_000) == pytest.approx(10 * 81 / 1_000_000, rel=1e-3)
    assert 0.99 < touched_share(10_000, 81, 100_000) <= 1


@pytest.fixture
def through_cache(monkeypatch):
    """A file system without a disk of its own."""
    monkeypatch.setattr(target_file, "_open_directly", lambda path, descriptor: None)


@pytest.fixture
def around_cache(monkeypatch):
    """A disk that takes whole pages; what it does not take is refused as a disk refuses it."""
    direct, write = set(), os.pwrite

    def open_directly(path, descriptor):
        opened = os.open(path, os.O_WRONLY)
        direct.add(opened)
        return opened

    def pwrite(descriptor, data, offset):
        if descriptor in direct and (offset % 4096 or len(data) % 4096):
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(descriptor, data, offset)

    monkeypatch.setattr(target_file, "_open_directly", open_directly)
    monkeypatch.setattr(os, "pwrite", pwrite)


class TestCopyFile:
    @pytest.mark.parametrize("way", ["through_cache", "around_cache"])
    @pytest.mark.parametrize("size", [0, 1, 1000, 8192, 70_000])
    def test_copies_every_byte(self, tmp_path, monkeypatch, request, size, way):
        request.getfixturevalue(way)
        monkeypatch.setattr(copying, "COPY_BYTES", 4096)
        monkeypatch.setattr(copying, "DIRECT_BYTES", 8192)
        (tmp_path / "a").write_bytes(os.urandom(size))
        (tmp_path / "b").write_bytes(b"longer than nothing" * 9000)
        counts = []
        copy_file(tmp_path / "a", tmp_path / "b", advance=counts.append)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
        assert sum(counts) == size

    @pytest.mark.parametrize("calls_that_work", [0, 2])
    def test_where_the_kernel_cannot_a_plain_copy_goes_on(
        self, tmp_path, monkeypatch, through_cache, calls_that_work
    ):
        real, calls = os.copy_file_range, []

        def fails_later(*arguments):
            calls.append(arguments)
            if len(calls) > calls_that_work:
                raise OSError(errno.EOPNOTSUPP, "cannot")
            return real(*arguments)

        monkeypatch.setattr(os, "copy_file_range", fails_later)
        monkeypatch.setattr(copying, "COPY_BYTES", 4096)
        (tmp_path / "a").write_bytes(os.urandom(50_000))
        copy_file(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    @pytest.mark.parametrize(("way", "call"), [("through_cache", "copy_file_range"), ("around_cache", "pwrite")])
    def test_other_errors_are_not_hidden(self, tmp_path, monkeypatch, request, way, call):
        request.getfixturevalue(way)

        def full(*arguments):
            raise OSError(errno.ENOSPC, "no space")

        monkeypatch.setattr(os, call, full)
        (tmp_path / "a").write_bytes(b"x" * 5000)
        with pytest.raises(OSError, match="no space"):
            copy_file(tmp_path / "a", tmp_path / "b")

    @pytest.mark.parametrize("way", ["through_cache", "around_cache"])
    @pytest.mark.parametrize("left", [0, 5000, 20_000])
    def test_a_source_that_shrinks_is_an_error(self, tmp_path, monkeypatch, request, way, left):
        request.getfixturevalue(way)
        monkeypatch.setattr(copying, "COPY_BYTES", 4096)
        monkeypatch.setattr(copying, "DIRECT_BYTES", 4096)
        source = tmp_path / "a"
        source.write_bytes(os.urandom(50_000))

        def shrink(descriptor, target):
            os.truncate(source, left)
            return False

        monkeypatch.setattr(copying, "_share_blocks", shrink)
        with pytest.raises(RecordingError, match="became shorter"):
            copy_file(source, tmp_path / "b")

    @pytest.mark.parametrize("piece", [8192, 65_536])
    @pytest.mark.parametrize("left", [12_288, 12_800, 49_500])
    def test_a_source_that_shrinks_while_its_pages_are_written_is_an_error(
        self, tmp_path, monkeypatch, around_cache, left, piece
    ):
        """What is no longer there the system refuses to read, or shows as zeros up to the page's end."""
        source, write = tmp_path / "a", os.pwrite
        source.write_bytes(os.urandom(50_000))

        def shrink_and_write(descriptor, data, offset):
            os.truncate(source, left)
            return write(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", shrink_and_write)
        monkeypatch.setattr(copying, "DIRECT_BYTES", piece)
        with pytest.raises(RecordingError, match="became shorter"):
            copy_file(source, tmp_path / "b")

    def test_the_system_is_told_ahead_what_will_be_read(self, tmp_path, monkeypatch, around_cache):
        told = []
        monkeypatch.setattr(copying, "announce", lambda descriptor, offset, count: told.append((offset, count)))
        monkeypatch.setattr(copying, "DIRECT_BYTES", 8192)
        (tmp_path / "a").write_bytes(os.urandom(50_000))
        copy_file(tmp_path / "a", tmp_path / "b", advance=told.append)
        assert told[:3] == [(16_384, 8192), 8192, (24_576, 8192)]

    @pytest.mark.parametrize("failing", ["mmap", "pwrite"])
    def test_where_pages_cannot_be_written_they_are_read(self, tmp_path, monkeypatch, around_cache, failing):
        """File systems without maps, and sources whose pages cannot be brought into memory."""
        write = os.pwrite

        def no_map(*arguments, **options):
            raise OSError(errno.ENODEV, "No such device")

        def no_page(descriptor, data, offset):
            if isinstance(memoryview(data).obj, mmap.mmap):
                raise OSError(errno.EFAULT, "Bad address")
            return write(descriptor, data, offset)

        with monkeypatch.context() as patch:
            if failing == "mmap":
                patch.setattr(mmap, "mmap", no_map)
            else:
                patch.setattr(os, "pwrite", no_page)
            (tmp_path / "a").write_bytes(os.urandom(70_000))
            copy_file(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    @pytest.mark.parametrize("way", ["through_cache", "around_cache"])
    def test_stops_when_it_is_told_to(self, tmp_path, monkeypatch, request, way):
        request.getfixturevalue(way)
        monkeypatch.setattr(copying, "COPY_BYTES", 4096)
        monkeypatch.setattr(copying, "DIRECT_BYTES", 4096)
        (tmp_path / "a").write_bytes(os.urandom(50_000))
        stop, counts = Event(), []

        def advance(count):
            counts.append(count)
            stop.set()

        copy_file(tmp_path / "a", tmp_path / "b", advance=advance, stop=stop)
        assert counts == [4096]

    @pytest.mark.parametrize(("way", "is_ended"), [("through_cache", False), ("around_cache", True)])
    def test_ends_when_it_is_enough_where_the_rest_is_written_as_fast(
        self, tmp_path, monkeypatch, request, way, is_ended
    ):
        request.getfixturevalue(way)
        monkeypatch.setattr(copying, "COPY_BYTES", 4096)
        monkeypatch.setattr(copying, "DIRECT_BYTES", 4096)
        (tmp_path / "a").write_bytes(os.urandom(50_000))
        enough = Event()
        enough.set()
        assert copy_file(tmp_path / "a", tmp_path / "b", enough=enough) == (4096 if is_ended else 50_000)

    def test_blocks_are_shared_where_the_file_system_can(self, tmp_path, monkeypatch):
        """Then nothing is copied; it is the file system's own word that all bytes are there."""
        (tmp_path / "a").write_bytes(os.urandom(5000))
        counts = []

        def share(descriptor, request, source):
            os.sendfile(descriptor, source, 0, 5000)
            return 0

        monkeypatch.setattr(copying.fcntl, "ioctl", share)
        monkeypatch.setattr(os, "copy_file_range", None)
        monkeypatch.setattr(os, "pwrite", None)
        copy_file(tmp_path / "a", tmp_path / "b", advance=counts.append)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() and counts == [5000]


class TestCopying:
    """In the background."""

    @pytest.fixture
    def files(self, tmp_path, monkeypatch, around_cache):
        monkeypatch.setattr(copying, "DIRECT_BYTES", 4096)
        sources = [tmp_path / "a", tmp_path / "b"]
        for source in sources:
            source.write_bytes(os.urandom(50_000))
        return sources, [tmp_path / "c", tmp_path / "d"]

    def test_that_has_the_time_copies_everything(self, files):
        sources, targets = files
        with copying.copying(sources, targets) as finish:
            while not (targets[1].exists() and targets[1].stat().st_size == 50_000):
                time.sleep(0.01)
            found = finish(lambda *call: None)
        assert found == Copied((50_000, 50_000), found.seconds, 1.0) and found.seconds > 0
        assert [path.read_bytes() for path in targets] == [path.read_bytes() for path in sources]

    def test_tells_how_far_it_came(self, files, monkeypatch):
        sources, targets = files
        real = TargetFile.write

        def write(target, view, offset):
            time.sleep(0.02)
            real(target, view, offset)

        monkeypatch.setattr(TargetFile, "write", write)
        with copying.copying(sources, targets) as finish:
            time.sleep(0.05)
            found = finish(lambda *call: None)
        assert all(4096 <= count < 50_000 for count in found.num_bytes)
        assert found.share == pytest.approx(sum(found.num_bytes) / 100_000)
        for source, target, count in zip(sources, targets, found.num_bytes, strict=True):
            assert target.read_bytes() == source.read_bytes()[:count]

    def test_an_error_comes_out(self, files, monkeypatch):
        def fail(*arguments):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(TargetFile, "write", fail)
        with copying.copying(*files) as finish, pytest.raises(OSError, match="Input/output"):
            finish(lambda *call: None)


@pytest.fixture
def target(tmp_path, through_cache):
    opened = TargetFile(tmp_path / "file", is_new=True)
    yield opened
    opened.close()


def test_flushed_while_it_is_written_and_at_the_end(target, monkeypatch):
    calls = []
    monkeypatch.setattr(copying, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(copying.os, "fdatasync", lambda descriptor: calls.append(("on the way", descriptor)))
    monkeypatch.setattr(copying.os, "fsync", lambda descriptor: calls.append(("at the end", descriptor)))
    with flushing([target]):
        time.sleep(0.2)
    assert calls[0] == ("on the way", target.descriptor) and calls[-1] == ("at the end", target.descriptor)
    assert [name for name, _ in calls].count("at the end") == 1


def test_what_goes_around_the_cache_is_flushed_at_the_end_only(tmp_path, around_cache, monkeypatch):
    calls = []
    monkeypatch.setattr(copying, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(copying.os, "fdatasync", None)
    monkeypatch.setattr(copying.os, "fsync", calls.append)
    target = TargetFile(tmp_path / "file", is_new=True)
    with flushing([target]):
        time.sleep(0.05)
    target.close()
    assert calls == [target.descriptor]


def test_a_disk_that_fails_to_take_it_is_an_error(target, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(copying, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr(copying.os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output"), flushing([target]):
        time.sleep(0.1)


def test_the_block_s_own_error_comes_first(target):
    with pytest.raises(KeyError), flushing([target]):
        raise KeyError


class Interrupting(ThreadPoolExecutor):
    """Is interrupted as soon as work has begun, before the next line is reached."""

    def submit(self, function, *arguments):
        super().submit(function, *arguments)
        raise KeyboardInterrupt


def test_an_interruption_right_after_the_start_waits_for_nothing(target, tmp_path, monkeypatch):
    """A signal between two lines once left a run waiting for ever."""
    monkeypatch.setattr(copying, "ThreadPoolExecutor", Interrupting)
    with pytest.raises(KeyboardInterrupt), flushing([target]):
        pass

    def copy_until_stopped(*_paths, stop, **_rest):
        assert stop.wait(60)
        return 0

    monkeypatch.setattr(copying, "copy_file", copy_until_stopped)
    with pytest.raises(KeyboardInterrupt), copying.copying([target.path], [tmp_path / "other"]):
        pass
