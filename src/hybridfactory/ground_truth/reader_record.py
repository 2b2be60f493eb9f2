"""What a manifest says of a source in a format that SpikeInterface reads, and that source opened again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybridfactory.errors import RecordingError
from hybridfactory.ground_truth.fingerprint import fingerprint, probes_per_file
from hybridfactory.recording.flat import FlatRecording

__all__ = ["describe_reader", "how_to_open", "reopen"]


def how_to_open(recording: FlatRecording) -> dict[str, Any] | None:
    """Give format, paths and options in JSON's types; None for flat files."""
    if recording.is_copyable:
        return None
    from hybridfactory.recording.foreign import ForeignRecording  # noqa: PLC0415

    if not isinstance(recording, ForeignRecording):
        return None
    origin = recording.origin
    return {"format": origin.name, "paths": [str(path) for path in origin.paths], "options": dict(origin.options)}


def describe_reader(recording: FlatRecording, hashes: Sequence[str] | None) -> dict[str, Any] | None:
    """Describe how to open a recording again, and the files behind it, in JSON's types; None for flat files.

    Parameters
    ----------
    recording : FlatRecording
    hashes : sequence of str, optional
        SHA-256 of each of its source files.
    """
    opening = how_to_open(recording)
    if opening is None:
        return None
    files = recording.source_files
    gains, offsets = recording.gains_uV, recording.offsets_uV
    num_probes = probes_per_file(len(files))
    return {
        **opening,
        "gains_uV": None if gains is None else gains.tolist(),
        "offsets_uV": None if offsets is None else offsets.tolist(),
        "files": [
            {
                "path": str(path),
                "size": path.stat().st_size,
                "mtime_ns": path.stat().st_mtime_ns,
                "fingerprint": fingerprint(path, num_probes),
                "sha256": hashes[index] if hashes else None,
            }
            for index, path in enumerate(files)
        ],
    }


def reopen(reader: Mapping[str, Any], stated: FlatRecording, folder: Path) -> FlatRecording:
    """Open a source again, and see that it is what it was.

    Parameters
    ----------
    reader : mapping
        As `describe_reader` made it.
    stated : FlatRecording
        What the manifest says of it.
    folder : pathlib.Path
        Of the run; it is no part of the source, should it lie inside.

    Raises
    ------
    HybridFactoryError
        If it cannot be opened.
    RecordingError
        If it has become another.
    """
    from hybridfactory.recording.foreign import Origin, open_foreign_recording  # noqa: PLC0415

    origin = Origin(reader["format"], tuple(map(Path, reader["paths"])), reader["options"])
    starts = [file.start_sample for file in stated.files]
    recording = open_foreign_recording(origin, start_samples=starts, leave_out=[folder])
    found = (recording.dtype, recording.num_rows, [file.num_samples for file in recording.files])
    if found != (stated.dtype, stated.num_rows, [file.num_samples for file in stated.files]):
        raise RecordingError(
            f"{origin.paths[0]} is no longer what the run found there: it has {found[1]} channels of {found[0]} and "
            f"{sum(found[2])} samples; put the original back, or run 'hybridfactory generate' again"
        )
    return recording
