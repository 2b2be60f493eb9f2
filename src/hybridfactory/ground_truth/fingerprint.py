"""A file's identity at a fixed cost, however large it is."""

import hashlib
from pathlib import Path

__all__ = ["fingerprint"]

NUM_PROBES = 16
PROBE_BYTES = 64 << 10


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's size and of 16 pieces of 64 KiB spread evenly over it.

    It tells one recording from another and sees files cut short; it does not see every changed byte.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(16, "big"))
    step = max(size - PROBE_BYTES, 0) / (NUM_PROBES - 1)
    with path.open("rb") as stream:
        for offset in sorted({round(step * index) for index in range(NUM_PROBES)}):
            stream.seek(offset)
            digest.update(stream.read(PROBE_BYTES))
    return f"sha256-sampled:{digest.hexdigest()}"
