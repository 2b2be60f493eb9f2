"""Whether what a manifest says can be worked with: types and ranges of all that the program relies on."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hybridfactory.injection.publishing import is_inside

__all__ = ["what_is_wrong"]

Check = Callable[[Any], bool]

MAX_SAMPLE = 2**62
MAX_ROWS = 2**24
MAX_WINDOW = 2**16
MAX_RATE_HZ = 1e9
MAX_PATH, MAX_FILE_NAME = 4096, 255
"""Bytes."""

MAX_NUMBER = 1e300
"""Whole numbers in JSON may be larger than a float can be."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_path(value: Any) -> bool:
    """Whether a file may have that path: file systems refuse to look at longer ones."""
    if not _is_text(value):
        return False
    encoded = value.encode(errors="surrogatepass")
    return len(encoded) < MAX_PATH and all(len(part) <= MAX_FILE_NAME for part in encoded.split(b"/"))


def _is_below(value: Any) -> bool:
    """Whether it is the path of a file below the run's own folder."""
    return is_inside(value) and _is_path(value)


def _is_name(value: Any) -> bool:
    """Whether it is the name of a file in the run's own folder."""
    return _is_below(value) and "/" not in value and value != "."


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SAMPLE


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SAMPLE


def _is_rows(value: Any) -> bool:
    return _is_count(value) and 0 < value <= MAX_ROWS


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_RATE_HZ


def _is_dtype(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        return False
    return dtype.kind in "iuf" and dtype.subdtype is None


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _has(**fields: Check) -> Check:
    """An object with at least these fields."""
    return lambda value: (
        isinstance(value, dict) and all(name in value and check(value[name]) for name, check in fields.items())
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_rank(value: Any) -> bool:
    return value == "auto" or _is_count(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_window(value: Any) -> bool:
    return _is_count(value) and 0 < value <= MAX_WINDOW


_RECORDING = _has(dtype=_is_dtype, num_rows=_is_rows, sampling_frequency=_is_rate)
_SOURCE = _has(path=_is_path, start_sample=_is_whole, num_samples=_is_count, size=_is_count, mtime_ns=_is_whole)
_TARGET = _has(name=_is_name, size=_or_null(_is_count), mtime_ns=_or_null(_is_whole))
_UNIT = _has(donor_label=_is_whole, injected_label=_or_null(_is_whole), reason=_is_string)
_PARAMETERS = _has(
    data_directory=_is_text,
    output_type=_or_null(_is_text),
    label_base=lambda value: value in (0, 1),
    samples_before=_is_window,
    samples_after=_is_window,
    event_model=_is_text,
    num_singular_values=_is_rank,
)
_SCORE = _has(
    donor_label=_is_whole,
    auc=_or_null(_is_number),
    interval=_or_null(lambda value: _list_of(_is_number)(value) and len(value) == 2),
    classifier=_or_null(_is_string),
    hint=_or_null(_is_string),
    reason=_or_null(_is_string),
)
_RESET = _has(is_complete=lambda value: isinstance(value, bool), files=_list_of(_TARGET))

_FILE = _has(path=_is_path, size=_is_count, mtime_ns=_is_whole)
_READER = _has(
    format=_is_text,
    paths=lambda value: _list_of(_is_path)(value) and len(value) > 0,
    options=_is_object,
    files=lambda value: _list_of(_FILE)(value) and len(value) > 0,
    gains_uV=_or_null(_list_of(_is_number)),
    offsets_uV=_or_null(_list_of(_is_number)),
)

REQUIRED: Mapping[str, Check] = {
    "session_name": _is_name,
    "random_seed": _is_whole,
    "recording": _RECORDING,
    "sources": lambda value: _list_of(_SOURCE)(value) and len(value) > 0,
    "targets": _list_of(_TARGET),
    "files": _list_of(_is_name),
    "parameters": _PARAMETERS,
    "units": _list_of(_UNIT),
}
OPTIONAL: Mapping[str, Check] = {
    "warnings": _list_of(lambda value: isinstance(value, str)),
    "checksums": _is_object,
    "derived": _list_of(_is_below),
    "reset": _or_null(_RESET),
    "written": _or_null(_is_text),
    "reader": _or_null(_READER),
    "versions": _is_object,
    "realism": _or_null(_has(units=_list_of(_SCORE))),
    "num_clipped_samples": _or_null(_is_count),
    "created": _is_text,
}


def what_is_wrong(content: Mapping[str, Any]) -> str:
    """Tell what is missing or wrong in a manifest; empty if it can be worked with.

    Parameters
    ----------
    content : mapping of str to object
        As JSON gave it.
    """
    missing = [name for name in REQUIRED if name not in content]
    if missing:
        return f"lacks {', '.join(missing)}"
    wrong = [name for name, check in REQUIRED.items() if not check(content[name])]
    wrong += [name for name, check in OPTIONAL.items() if name in content and not check(content[name])]
    if wrong:
        return f"has no valid {', '.join(wrong)}"
    if len(content["targets"]) != len(content["sources"]):
        return "names other numbers of sources and targets"
    reader = content.get("reader") or {}
    for name in ("gains_uV", "offsets_uV"):
        if reader.get(name) is not None and len(reader[name]) != content["recording"]["num_rows"]:
            return f"has other numbers of rows and {name}"
    itemsize = np.dtype(content["recording"]["dtype"]).itemsize * content["recording"]["num_rows"]
    place = -MAX_SAMPLE
    for source in content["sources"]:
        if source["start_sample"] < place or source["size"] < source["num_samples"] * itemsize:
            return "has sources that contradict themselves"
        place = source["start_sample"] + source["num_samples"]
    return ""
