"""From what the user says of a raw recording, and what .meta files beside it say, to an opened source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, ProbeError, RecordingError
from hybridfactory.probes import Probe
from hybridfactory.recording.contradictions import Told, refuse_contradictions
from hybridfactory.recording.flat import FlatRecording, hybrid_name, open_flat_recording
from hybridfactory.recording.natural_order import files_in_natural_order
from hybridfactory.recording.spikeglx import get_start_times, read_gains_uV, read_probe_from_meta
from hybridfactory.recording.spikeglx_meta import SpikeGLXMeta, meta_path_of, read_meta

__all__ = ["Source", "find_source_files", "hybrid_name", "open_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """The host recording, its probe, and the .meta files beside it (None where a file has none)."""

    recording: FlatRecording
    probe: Probe
    metas: tuple[SpikeGLXMeta | None, ...]
    warnings: tuple[str, ...]

    def read_gains_uV(self) -> NDArray[np.float64] | None:
        """Read µV per count of every raw row; None where neither a .meta file nor the recording itself tells it.

        Raises
        ------
        RecordingError
            If there is a .meta file, and it does not tell.
        """
        meta = self.metas[0]
        return self.recording.gains_uV if meta is None else read_gains_uV(meta.path)


def find_source_files(raw_source_file: Path) -> list[Path]:
    """Files that a path or glob names, in natural order, without the hybrids of other files among them.

    Raises
    ------
    MissingFileError
        If there is none.
    RecordingError
        If two of them have the same name in different folders: their hybrids would be one file.
    """
    try:
        found = files_in_natural_order(raw_source_file)
    except MissingFileError as error:
        raise MissingFileError(f"raw_source_file: {error}") from error
    hybrids = {hybrid_name(path.name) for path in found}
    paths = [path for path in found if path.name not in hybrids]
    names = [path.name.casefold() for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecordingError(
            f"raw_source_file: {raw_source_file} matches several files named {twice[0]}: their hybrids would "
            "overwrite each other; give files that differ in name"
        )
    return paths


def open_source(
    paths: Sequence[Path],
    *,
    start_time: int | Sequence[int] | None,
    dtype: np.dtype[Any],
    sampling_frequency: float,
    probe: Probe | None,
    num_rows: int | None,
    num_rows_of_sorting: int | None = None,
) -> Source:
    """Open the source recording.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        In natural order.
    start_time : int or sequence of int, optional
        Timeline sample of each file's first sample; default from the .meta files.
    dtype : numpy.dtype
    sampling_frequency : float
        Hz.
    probe : Probe, optional
        Default from the first .meta file.
    num_rows : int, optional
        Rows of every file; default from the .meta files, else from the sorting, else as many as the probe lists.
    num_rows_of_sorting : int, optional
        What the sorting says of the raw file.

    Raises
    ------
    RecordingError, ProbeError, MissingFileError
        If something is missing or does not fit; see the messages.
    """
    metas = tuple(read_meta(meta_path_of(path)) if meta_path_of(path).is_file() else None for path in paths)
    warnings: list[str] = []
    for path, meta in zip(paths, metas, strict=True):
        if meta is not None:
            warnings += _compare(path, meta, dtype, sampling_frequency, num_rows)
    if probe is None:
        if metas[0] is None:
            raise ProbeError(
                f"parameter 'probe' is missing, and {meta_path_of(paths[0])} does not exist to take it from: "
                "describe the probe with custom_probe"
            )
        probe = read_probe_from_meta(metas[0].path)
    stated = next((meta.num_rows for meta in metas if meta is not None), None)
    rows = _decide_num_rows(num_rows, stated, num_rows_of_sorting, probe)
    starts = _start_samples(paths, metas, start_time)
    recording = open_flat_recording(
        paths,
        start_samples=starts,
        dtype=dtype,
        num_rows=rows,
        sampling_frequency=sampling_frequency,
        allow_trailing_bytes=stated is not None,
    )
    for file in recording.files:
        if file.num_trailing_bytes:
            warnings.append(
                f"{file.path.name} ends within a sample; its last {file.num_trailing_bytes} bytes are copied as "
                "they are"
            )
    return Source(recording, probe, metas, tuple(warnings))


def _compare(
    path: Path, meta: SpikeGLXMeta, dtype: np.dtype[Any], sampling_frequency: float, num_rows: int | None
) -> list[str]:
    """Refuse what contradicts a .meta file; mention what only differs from it."""
    told = Told(
        sampling_frequency=(meta.sampling_frequency, f"{meta.path.name} says {meta.sampling_frequency:g} Hz"),
        dtype=(np.dtype("<i2"), f"{path.name} is a SpikeGLX file, which holds little-endian int16"),
        num_rows=(meta.num_rows, f"{meta.path.name} says nSavedChans={meta.num_rows}"),
    )
    refuse_contradictions(told, dtype=dtype, sampling_frequency=sampling_frequency, num_rows=num_rows)
    size = path.stat().st_size
    if meta.file_size_bytes is not None and meta.file_size_bytes != size:
        return [
            f"{path.name} has {size} bytes, but {meta.path.name} says fileSizeBytes={meta.file_size_bytes}; "
            "the file as it is counts"
        ]
    return []


def _decide_num_rows(asked: int | None, stated: int | None, of_sorting: int | None, probe: Probe) -> int:
    """Rows of every file: as asked for, as the .meta files or the sorting say, or as many as the probe lists."""
    rows = asked or stated or of_sorting or probe.num_channels
    if of_sorting is not None and of_sorting != rows:
        raise RecordingError(
            f"the sorting says that the raw file has {of_sorting} rows, but "
            f"{'the .meta file' if asked is None else 'raw_source_rows'} says {rows}: correct raw_source_rows, or "
            "give the sorting of this recording"
        )
    if int(probe.channel_map.max()) >= rows:
        raise ProbeError(
            f"the probe's channel_map names row {int(probe.channel_map.max())}, but the raw file has {rows} rows "
            f"(0 to {rows - 1}): correct channel_map, or list every row of the file in it"
        )
    return rows


def _start_samples(
    paths: Sequence[Path], metas: Sequence[SpikeGLXMeta | None], start_time: int | Sequence[int] | None
) -> list[int]:
    """Timeline sample of each file's first sample."""
    if start_time is not None:
        return [start_time] if isinstance(start_time, int) else list(start_time)
    without = [path for path, meta in zip(paths, metas, strict=True) if meta is None]
    if without:
        raise RecordingError(
            f"parameter 'start_time' is missing, and {meta_path_of(without[0]).name} does not exist to take it from: "
            "give the first sample of each file on the sorting's timeline (0 if the sorting began with the file)"
        )
    return [int(start) for start in get_start_times([meta.path for meta in metas if meta is not None])]
