"""From what the user says of a recording in another format to an opened source."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, ProbeError, RecordingError
from hybridfactory.probes import Probe, custom_probe
from hybridfactory.recording.contradictions import Told, refuse_contradictions
from hybridfactory.recording.flat import hybrid_name
from hybridfactory.recording.foreign import ForeignRecording, Origin, open_foreign_recording
from hybridfactory.recording.formats import find_format, is_flat_format
from hybridfactory.recording.natural_order import natural_key
from hybridfactory.recording.source import Source, find_source_files

__all__ = ["find_recording", "open_foreign_source"]


def find_recording(
    raw_source_file: Path, stated_format: str | None, options: Mapping[str, Any]
) -> tuple[list[Path], Origin | None]:
    """Find the files or folders that a path or glob names, and tell whether SpikeInterface is to open them.

    Parameters
    ----------
    raw_source_file : pathlib.Path
    stated_format : str, optional
    options : mapping of str to object
        For SpikeInterface's reader.

    Returns
    -------
    paths : list of pathlib.Path
    origin : Origin or None
        None for flat files.

    Raises
    ------
    MissingFileError, RecordingError
        If there is nothing of that name, or options are given for flat files.
    """
    places = _places(raw_source_file)
    name = None if is_flat_format(stated_format) or not places else find_format(places[0], stated_format)
    if name is not None:
        hybrids = {hybrid_name(path.name) for path in places}
        places = [path for path in places if path.name not in hybrids and not path.name.endswith(".GT.bin")]
        _refuse_twins(raw_source_file, places)
        return places, Origin(name, tuple(path.absolute() for path in places), dict(options))
    if options:
        raise RecordingError(
            f"raw_source_options: {raw_source_file} is read as a flat file, which takes none: leave them out, "
            "or give raw_source_format"
        )
    if raw_source_file.is_dir():
        raise MissingFileError(
            f"raw_source_file: {raw_source_file} is not a file, and no folder of a format that is recognized: give "
            "the raw file, or name the format in raw_source_format"
        )
    return find_source_files(raw_source_file), None


def _places(pattern: Path) -> list[Path]:
    if pattern.exists():
        return [pattern]
    return sorted((Path(match) for match in glob.glob(str(pattern), recursive=True)), key=natural_key)  # noqa: PTH207


def _refuse_twins(pattern: Path, places: Sequence[Path]) -> None:
    stems = [path.stem.casefold() for path in places]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise RecordingError(
            f"raw_source_file: {pattern} matches several recordings named {twice[0]}: their hybrids would overwrite "
            "each other; give recordings that differ in name"
        )


def open_foreign_source(
    origin: Origin,
    *,
    start_time: int | Sequence[int] | None,
    dtype: np.dtype[Any] | None,
    sampling_frequency: float | None,
    probe: Probe | None,
    num_rows: int | None,
    leave_out: Sequence[Path] = (),
) -> Source:
    """Open the source recording with SpikeInterface.

    Parameters
    ----------
    origin : Origin
    start_time : int or sequence of int, optional
        Timeline sample of each segment's first sample. Default: one segment after the other.
    dtype, sampling_frequency, num_rows : optional
        What the user says; the recording must agree.
    probe : Probe, optional
        Default: as the recording describes it.
    leave_out : sequence of pathlib.Path
        Folders that are no part of the recording, should they lie inside.

    Raises
    ------
    HybridFactoryError
        If it cannot be opened, contradicts what the user says, or nobody describes the probe.
    """
    starts = [start_time] if isinstance(start_time, int) else start_time
    recording = open_foreign_recording(origin, start_samples=starts, leave_out=leave_out)
    path = origin.paths[0]
    rate, held, rows = recording.sampling_frequency, recording.dtype, recording.num_rows
    refuse_contradictions(
        Told(
            sampling_frequency=(rate, f"{path} says {rate:g} Hz"),
            dtype=(held, f"{path} holds {held}"),
            num_rows=(rows, f"{path} has {rows} channels"),
        ),
        dtype=dtype,
        sampling_frequency=sampling_frequency,
        num_rows=num_rows,
        otherwise=", or leave it out beside raw_source_format",
    )
    if probe is None:
        probe = _probe_of(recording, path)
    highest = int(probe.channel_map.max())
    if highest >= recording.num_rows:
        raise ProbeError(
            f"the probe's channel_map names row {highest}, but {path} has {recording.num_rows} channels (0 to "
            f"{recording.num_rows - 1}): correct channel_map"
        )
    return Source(recording, probe, (None,) * len(recording.files), ())


def _probe_of(recording: ForeignRecording, path: Path) -> Probe:
    """Take the probe over: channel k of the recording is row k."""
    opened = recording.segments[0][0]
    positions = _positions_of(opened)
    if positions is None or not np.isfinite(positions).all() or len(np.unique(positions, axis=0)) < 2:
        raise ProbeError(
            f"parameter 'probe' is missing, and {path} does not describe a probe: describe it with custom_probe "
            f"(rows are the {recording.num_rows} channels in the recording's order)"
        )
    groups = (
        opened.get_property("group_name") if opened.get_property("group") is None else opened.get_channel_groups()
    )
    shanks = None if groups is None or len(set(map(str, groups))) < 2 else [str(group) for group in groups]
    rows = np.arange(recording.num_rows)
    return custom_probe(rows, np.ones(rows.size, dtype=bool), positions, _probe_name(opened), shank_ids=shanks)


def _positions_of(opened: Any) -> NDArray[np.float64] | None:
    """Place of each channel in µm; None where nothing tells."""
    if opened.has_probe() or opened.get_property("location") is not None:
        return np.asarray(opened.get_channel_locations(), dtype=np.float64)[:, :2]
    # The columns of NWB's table of electrodes.
    columns = [opened.get_property(name) for name in ("rel_x", "rel_y")]
    if any(column is None for column in columns):
        return None
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])


def _probe_name(opened: Any) -> str:
    if not opened.has_probe():
        return "probe of the recording"
    probes = opened.get_probegroup().probes
    return str(probes[0].name or probes[0].model_name or "probe of the recording")
