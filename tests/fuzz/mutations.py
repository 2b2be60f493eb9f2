"""Valid files, spoilt in the ways in which disks, editors and ill will spoil them."""

import re
from collections.abc import Callable

import numpy as np

__all__ = ["mutate"]

NUMBERS = (
    *(b"0", b"-1", b"1", b"3", b"1.5", b"nan", b"inf", b"-inf", b"1e999", b"1e18", b"-9223372036854775808"),
    *(b"9223372036854775807", b"18446744073709551616", b"2147483648", b"1" * 400, b"9" * 5000, b"0x10", b"", b"null"),
)
WORDS = (
    *(
        b"\x00",
        b"\xff",
        b"\x1b[2J",
        b"\n",
        b"\r",
        b"'",
        b'"',
        b"[",
        b"]",
        b"{",
        b"}",
        b"(",
        b")",
        b",",
        b"=",
        b":",
        b";",
    ),
    *(
        b"../../etc/passwd",
        b"/",
        b"\\",
        b"..",
        b"<script>",
        b"true",
        b"None",
        b"[[[[[[[[",
        b"~",
        b"*",
        b"%",
        b"#",
        b" ",
    ),
    *("µ".encode(), "\u202e".encode(), b"O", b"<i8", b"|O", b">f4", b"<U9", b"V8", b"c16", b"()", b"-", b"\t", b"{}"),
)
INTEGERS = (
    0,
    1,
    2,
    3,
    8,
    127,
    128,
    255,
    256,
    65535,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)

Edit = Callable[[bytes, np.random.Generator], bytes]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Make one to six edits, most often few."""
    for _ in range(1 + min(int(rng.geometric(0.5)), 5)):
        data = EDITS[int(rng.integers(len(EDITS)))](data, rng)
    return data


def _place(data: bytes, rng: np.random.Generator) -> int:
    # Headings come first, and are where most of the meaning is.
    reach = len(data) if rng.random() < 0.6 else min(len(data), 600)
    return int(rng.integers(reach + 1))


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    if not data:
        return data
    place = min(_place(data, rng), len(data) - 1)
    return data[:place] + bytes([data[place] ^ (1 << int(rng.integers(8)))]) + data[place + 1 :]


def _set_byte(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def _remove(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place + int(rng.integers(1, 40)) :]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    part = data[place : place + int(rng.integers(1, 60))]
    return data[:place] + part * int(rng.integers(1, 4)) + data[place:]


def _insert(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + WORDS[int(rng.integers(len(WORDS)))] + data[place:]


def _write_integer(data: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([1, 2, 4, 8]))
    value = INTEGERS[int(rng.integers(len(INTEGERS)))] % (1 << 8 * size)
    order = "little" if rng.random() < 0.8 else "big"
    place = _place(data, rng)
    return data[:place] + value.to_bytes(size, order) + data[place + size :]


def _change_number(data: bytes, rng: np.random.Generator) -> bytes:
    return _exchange(rb"-?[0-9][0-9.]*", NUMBERS, data, rng)


def _change_word(data: bytes, rng: np.random.Generator) -> bytes:
    return _exchange(rb"[A-Za-z_<|>]+[0-9]*", WORDS, data, rng)


def _exchange(pattern: bytes, others: tuple[bytes, ...], data: bytes, rng: np.random.Generator) -> bytes:
    found = list(re.finditer(pattern, data[:20_000]))
    if not found:
        return data
    match = found[int(rng.integers(len(found)))]
    return data[: match.start()] + others[int(rng.integers(len(others)))] + data[match.end() :]


def _change_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return data
    first, second = (int(place) for place in rng.integers(len(lines), size=2))
    kind = int(rng.integers(3))
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


EDITS: tuple[Edit, ...] = (
    _flip,
    _set_byte,
    _cut,
    _remove,
    _repeat,
    _insert,
    _write_integer,
    _change_number,
    _change_number,
    _change_word,
    _change_lines,
)
