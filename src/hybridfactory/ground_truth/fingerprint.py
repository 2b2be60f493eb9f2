"""A file's identity: at a fixed cost however large it is, or of every byte."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

__all__ = ["fingerprint", "hashing", "probes_per_file", "sha256_of"]

NUM_PROBES = 16
PROBE_BYTES = 64 << 10
READ_BYTES = 4 << 20


def fingerprint(path: Path, num_probes: int = NUM_PROBES) -> str:
    """SHA-256 of a file's size and of 16 pieces of 64 KiB (or fewer) spread evenly over it.

    It tells one recording from another and sees files cut short; it does not see every changed byte.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(16, "big"))
    step = max(size - PROBE_BYTES, 0) / max(num_probes - 1, 1)
    with path.open("rb") as stream:
        for offset in sorted({round(step * index) for index in range(num_probes)}):
            stream.seek(offset)
            digest.update(stream.read(PROBE_BYTES))
    return f"sha256-sampled:{digest.hexdigest()}"


def probes_per_file(num_files: int) -> int:
    """How many pieces of each file make its fingerprint: thousands of small files would else be read whole."""
    return NUM_PROBES if num_files <= NUM_PROBES else 1


def sha256_of(path: Path, *, advance: Callable[[int], None] = lambda count: None, stop: Event | None = None) -> str:
    """SHA-256 of all of a file's bytes, as ``sha256sum`` shows it.

    Parameters
    ----------
    path : pathlib.Path
    advance : callable, optional
        Called with the number of bytes of each piece that is done.
    stop : threading.Event, optional
        Once it is set, the rest is left out.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            advance(count)
            if stop is not None and stop.is_set():
                break
    return digest.hexdigest()


@contextmanager
def hashing(paths: Sequence[Path]) -> Iterator[Callable[[], list[str]]]:
    """Take files' SHA-256 in the background while the block goes on with other work.

    Yields
    ------
    callable
        Called, it waits for the hashes, one per file.
    """
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            futures = [pool.submit(sha256_of, path, stop=stop) for path in paths]
            yield lambda: [future.result() for future in futures]
        finally:
            stop.set()
