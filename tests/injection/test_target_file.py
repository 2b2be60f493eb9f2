"""Writing into files, around the page cache and through it."""

import errno
import os

import numpy as np
import pytest

from hybridfactory.injection import target_file
from hybridfactory.injection.target_file import PAGE_BYTES, TargetFile, aligned_memory, open_targets


class Disk:
    """What takes whole pages, from memory that begins with one, and notes them."""

    def __init__(self, monkeypatch, *, page=PAGE_BYTES, most=10**9):
        self.descriptors, self.direct, self.cached = set(), [], []
        self.page, self.most, self._write = page, most, os.pwrite
        monkeypatch.setattr(target_file, "_open_directly", self._open)
        monkeypatch.setattr(os, "pwrite", self._pwrite)

    def _open(self, path, descriptor):
        opened = os.open(path, os.O_WRONLY)
        self.descriptors.add(opened)
        return opened

    def _pwrite(self, descriptor, data, offset):
        if descriptor not in self.descriptors:
            self.cached.append((offset, len(data)))
        elif offset % self.page or len(data) % self.page or address(data) % min(self.page, PAGE_BYTES):
            raise OSError(errno.EINVAL, "Invalid argument")
        else:
            data = data[: self.most]
            self.direct.append((offset, len(data)))
        return self._write(descriptor, data, offset)


def address(view):
    return np.frombuffer(view, dtype=np.uint8).ctypes.data


def room(num_bytes, offset):
    """Random bytes, as far from the beginning of a page as they are to be in the file."""
    memory = aligned_memory(num_bytes + PAGE_BYTES)[offset % PAGE_BYTES :][:num_bytes]
    memory[:] = np.random.default_rng(num_bytes).integers(0, 256, num_bytes)
    return memory.data


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(bytes(50_000))
    return tmp_path / "file"


def write(path, view, offset):
    with open_targets([path]) as (target,):
        target.write(view, offset)
    return path.read_bytes()


PIECES = [(0, 4096), (0, 50_000), (8192, 20_480), (8192, 20_000), (100, 900), (5000, 30_000), (49_152, 848)]


@pytest.mark.parametrize(("offset", "count"), PIECES)
@pytest.mark.parametrize("most", [10**9, 512, 4096])
def test_pages_go_to_the_disk_and_the_rest_through_the_cache(path, monkeypatch, offset, count, most):
    """Also where the disk takes less at once than it is given."""
    disk = Disk(monkeypatch, most=most)
    view = room(count, offset)
    assert write(path, view, offset) == bytes(offset) + bytes(view) + bytes(50_000 - offset - count)
    if offset % PAGE_BYTES == 0 and most >= PAGE_BYTES:
        assert sum(size for _, size in disk.direct) == count // PAGE_BYTES * PAGE_BYTES
        assert all(size < PAGE_BYTES for _, size in disk.cached)


def test_a_disk_with_larger_pages(path, monkeypatch):
    disk = Disk(monkeypatch, page=16_384)
    view = room(20_480, 0)
    assert write(path, view, 0) == bytes(view) + bytes(50_000 - 20_480)
    assert disk.cached and not disk.direct


def test_an_error_of_the_disk_is_not_hidden(path, monkeypatch):
    Disk(monkeypatch)

    def fail(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(OSError, match="Input/output") as failure:
        write(path, room(4096, 0), 0)
    assert failure.value.filename == str(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot(path, monkeypatch, number):
    really = os.open

    def refuse(name, flags, *mode):
        if flags & getattr(os, "O_DIRECT", 0):
            raise OSError(number, "no")
        return really(name, flags, *mode)

    monkeypatch.setattr(os, "major", lambda device: 8)
    monkeypatch.setattr(os, "open", refuse)
    view = room(8192, 0)
    with open_targets([path]) as (target,):
        assert not target.is_direct
        target.write(view, 0)
    assert path.read_bytes()[:8192] == bytes(view)


def test_one_that_fails_to_open_is_an_error_and_leaves_nothing_open(path, monkeypatch):
    really, opened = os.open, []

    def refuse(name, flags, *mode):
        if flags & getattr(os, "O_DIRECT", 0):
            raise OSError(errno.EMFILE, "too many")
        opened.append(really(name, flags, *mode))
        return opened[-1]

    if not hasattr(os, "O_DIRECT"):
        pytest.skip("no such files on this system")
    monkeypatch.setattr(os, "major", lambda device: 8)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="too many"):
        TargetFile(path)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(opened[0])


def test_networks_and_layers_are_written_through_the_cache(path, monkeypatch):
    monkeypatch.setattr(os, "major", lambda device: 0)
    with open_targets([path]) as (target,):
        assert not target.is_direct


def test_a_real_file_whatever_the_disk(path):
    """On this machine's own file system, directly if it can."""
    view = room(30_000, 4096)
    assert write(path, view, 4096)[4096:34_096] == bytes(view)


@pytest.mark.parametrize("size", [1, 4096, 5000])
def test_aligned_memory(size):
    memory = aligned_memory(size)
    assert memory.size == size and memory.ctypes.data % PAGE_BYTES == 0
