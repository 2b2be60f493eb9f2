"""SpikeGLX .meta files: the fields as text, the few numbers that others need, and a copy for a hybrid."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hybridfactory.errors import MissingFileError, OutputError, RecordingError

__all__ = ["SpikeGLXMeta", "meta_path_of", "read_meta", "whole_number", "write_hybrid_meta"]

_RESTORE = "restore the meta file as SpikeGLX wrote it"
_LONGEST_SHOWN = 60
_MOST_ROWS = 10**6
_RATE_FIELDS = ("imSampRate", "niSampRate", "obSampRate")


@dataclass(frozen=True)
class SpikeGLXMeta:
    """What a .meta file says about its .bin file.

    Parameters
    ----------
    path : pathlib.Path
        The .meta file.
    num_rows : int
        Saved channels, the sync channel included: rows of the .bin file.
    sampling_frequency : float
        Hz.
    first_sample : int or None
        Index of the file's first sample since the acquisition began; None where the file does not say.
    file_size_bytes : int or None
        As noted when the recording ended; None where the file does not say.
    saved_channels : tuple of int
        Acquisition channel stored in each row.
    num_ap_rows : int
        Rows that hold the spike band; they come first. 0 in .lf and nidq files.
    sync_rows : tuple of int
        Rows of digital synchronisation words; they come last.
    fields : mapping of str to str
        Every field as text, names without a leading ``~``.
    """

    path: Path
    num_rows: int
    sampling_frequency: float
    first_sample: int | None
    file_size_bytes: int | None
    saved_channels: tuple[int, ...]
    num_ap_rows: int
    sync_rows: tuple[int, ...]
    fields: Mapping[str, str]


def meta_path_of(bin_path: str | PathLike[str]) -> Path:
    """Path of the .meta file that belongs to a .bin file, whether or not it exists."""
    return Path(bin_path).with_suffix(".meta")


def read_fields(path: str | PathLike[str]) -> dict[str, str]:
    """Read every ``key=value`` line of a .meta file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to str
        Names without a leading ``~``.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    RecordingError
        If it cannot be read, or holds no field.
    """
    if not Path(path).is_file():
        raise MissingFileError(f"SpikeGLX meta file {path} does not exist")
    try:
        # User notes may hold any bytes; every field that matters here is plain ASCII.
        text = Path(path).read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    lines = (line.partition("=") for line in text.splitlines())
    fields = {key.strip().removeprefix("~"): value.strip() for key, equals, value in lines if equals}
    if not fields:
        raise RecordingError(f"{path} is no SpikeGLX meta file: it holds no line of the form key=value: {_RESTORE}")
    return fields


def whole_number(fields: Mapping[str, str], key: str, path: str | PathLike[str]) -> int | None:
    """Value of a field that holds a whole number ≥ 0, or None where the field is absent or blank.

    Raises
    ------
    RecordingError
        If the field holds anything else.
    """
    text = fields.get(key, "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise RecordingError(f"{path}: {key} must be a whole number, got {_shown(text)}: {_RESTORE}")
    return int(text)


def read_meta(path: str | PathLike[str]) -> SpikeGLXMeta:
    """Read a SpikeGLX .meta file of any stream.

    Parameters
    ----------
    path : path-like
        The .meta file.

    Returns
    -------
    SpikeGLXMeta

    Raises
    ------
    MissingFileError
        If the file does not exist.
    RecordingError
        If the number of saved channels or the sampling rate is missing, or a field is garbled.
    """
    fields = read_fields(path)
    num_rows = whole_number(fields, "nSavedChans", path)
    if not num_rows:
        raise RecordingError(f"{path}: nSavedChans is missing or 0, so the number of rows is unknown: {_RESTORE}")
    if num_rows > _MOST_ROWS:
        raise RecordingError(f"{path}: nSavedChans is {num_rows}, more rows than any recording has: {_RESTORE}")
    saved_channels = _read_saved_channels(fields, num_rows, path)
    num_ap_rows, num_sync_rows = _count_bands(fields, saved_channels, path)
    return SpikeGLXMeta(
        path=Path(path),
        num_rows=num_rows,
        sampling_frequency=_read_rate(fields, path),
        first_sample=whole_number(fields, "firstSample", path),
        file_size_bytes=whole_number(fields, "fileSizeBytes", path),
        saved_channels=saved_channels,
        num_ap_rows=num_ap_rows,
        sync_rows=tuple(range(num_rows - num_sync_rows, num_rows)),
        fields=fields,
    )


def write_hybrid_meta(
    source_meta: str | PathLike[str], target_meta: str | PathLike[str], target_bin: str | PathLike[str]
) -> None:
    """Write the .meta file of a hybrid next to it, so that SpikeGLX readers open the hybrid.

    Every byte is as in the source, line ends included, but for two fields. ``fileSHA1`` is left blank: it no
    longer holds. ``fileName`` moves to the folder of the hybrid; its last part keeps the name the recording
    was acquired under, because readers take run, gate, trigger and stream from it, and
    ``….imec0.ap.GT.bin`` would name no stream.

    Parameters
    ----------
    source_meta, target_meta : path-like
    target_bin : path-like
        The hybrid, same stem as `target_meta`.

    Raises
    ------
    MissingFileError
        If the source does not exist.
    OutputError
        If the target is the source, or cannot be written.
    """
    source, target = Path(source_meta), Path(target_meta)
    if not source.is_file():
        raise MissingFileError(f"SpikeGLX meta file {source} does not exist")
    if target.exists() and target.samefile(source):
        raise OutputError(f"{target} is the meta file of the source and must not be overwritten")
    folder = Path(target_bin).absolute().parent.as_posix()
    lines = source.read_bytes().splitlines(keepends=True)
    try:
        target.write_bytes(b"".join(_hybrid_line(line, folder) for line in lines))
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error


def _shown(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")


def _hybrid_line(line: bytes, folder: str) -> bytes:
    key, equals, rest = line.partition(b"=")
    value = rest.rstrip(b"\r\n")
    line_end = rest[len(value) :]
    if not equals or key not in (b"fileName", b"fileSHA1"):
        return line
    if key == b"fileSHA1":
        return key + equals + line_end
    name = re.split(rb"[/\\]", value)[-1]
    # Neo skips a line with a second "=", and would then miss the field altogether.
    prefix = b"" if re.search(r"[=\r\n]", folder) else folder.rstrip("/").encode(errors="surrogateescape") + b"/"
    return key + equals + prefix + name + line_end


def _read_rate(fields: Mapping[str, str], path: str | PathLike[str]) -> float:
    key = next((key for key in _RATE_FIELDS if fields.get(key)), None)
    if key is None:
        raise RecordingError(
            f"{path}: imSampRate (or niSampRate) is missing, so the sampling rate is unknown: {_RESTORE}"
        )
    try:
        rate = float(fields[key])
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise RecordingError(f"{path}: {key} must be a sampling rate in Hz, got {_shown(fields[key])}: {_RESTORE}")
    return rate


def _read_saved_channels(fields: Mapping[str, str], num_rows: int, path: str | PathLike[str]) -> tuple[int, ...]:
    text = fields.get("snsSaveChanSubset", "") or "all"
    if text == "all":
        return tuple(range(num_rows))
    channels: list[int] = []
    for part in text.split(","):
        if not re.fullmatch(r"\s*[0-9]{1,6}(:[0-9]{1,6})?\s*", part):
            raise RecordingError(
                f"{path}: snsSaveChanSubset holds {_shown(part)}, expected a channel or a range such as 0:383: "
                f"{_RESTORE}"
            )
        first, _, last = part.partition(":")
        channels.extend(range(int(first), int(last or first) + 1))
        if len(channels) > _MOST_ROWS:
            break
    if len(channels) != num_rows:
        raise RecordingError(
            f"{path}: snsSaveChanSubset lists {len(channels)} channels, but nSavedChans is {num_rows}: {_RESTORE}"
        )
    return tuple(channels)


def _count_bands(
    fields: Mapping[str, str], saved_channels: tuple[int, ...], path: str | PathLike[str]
) -> tuple[int, int]:
    """Rows of the spike band, and sync rows."""
    saved = _read_counts(fields, "snsApLfSy", path)
    if saved is not None:
        if sum(saved) != len(saved_channels):
            raise RecordingError(
                f"{path}: snsApLfSy counts {sum(saved)} channels, but nSavedChans is {len(saved_channels)}: "
                f"{_RESTORE}"
            )
        return saved[0], saved[2]
    acquired = _read_counts(fields, "acqApLfSy", path)
    if acquired is None:
        return 0, 0
    num_neural = acquired[0] + acquired[1]
    return sum(channel < acquired[0] for channel in saved_channels), sum(
        channel >= num_neural for channel in saved_channels
    )


def _read_counts(fields: Mapping[str, str], key: str, path: str | PathLike[str]) -> tuple[int, int, int] | None:
    text = fields.get(key, "")
    if not text:
        return None
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*", text)
    if match is None:
        raise RecordingError(f"{path}: {key} must be three counts (AP,LF,SY), got {_shown(text)}: {_RESTORE}")
    return int(match[1]), int(match[2]), int(match[3])
