"""What a parameter file names, found and opened: the recording, its probe, and the sorting."""

from dataclasses import dataclass, replace
from pathlib import Path

from hybridfactory.ground_truth.witness import Witness, look_at
from hybridfactory.parameters import Parameters
from hybridfactory.recording.foreign_source import find_recording, open_foreign_source
from hybridfactory.recording.source import Source, open_source
from hybridfactory.recording.spikeglx_meta import meta_path_of
from hybridfactory.sorting import Sorting, read_sorting

__all__ = ["Opened", "open_inputs"]


@dataclass(frozen=True, eq=False)
class Opened:
    """A run's inputs.

    Parameters
    ----------
    asked : Parameters
        With data type and sampling rate filled in, where the recording tells them.
    source : Source
    sorting : Sorting
    witnesses : tuple of Witness
        What the files that must not change looked like before they were opened.
    """

    asked: Parameters
    source: Source
    sorting: Sorting
    witnesses: tuple[Witness, ...]


def open_inputs(asked: Parameters) -> Opened:
    """Open recording and sorting.

    Parameters
    ----------
    asked : Parameters

    Raises
    ------
    HybridFactoryError
        If something is missing or wrong.
    """
    paths, origin = find_recording(asked.raw_source_file, asked.raw_source_format, asked.raw_source_options or {})
    if origin is None:
        witnesses = look_at([*paths, *filter(Path.is_file, map(meta_path_of, paths))])
        sorting = _read(asked, paths)
        source = open_source(
            paths,
            start_time=asked.start_time,
            dtype=asked.data_type,
            sampling_frequency=asked.sample_rate,
            probe=asked.probe,
            num_rows=asked.raw_source_rows,
            num_rows_of_sorting=sorting.num_rows,
        )
    else:
        source = open_foreign_source(
            origin,
            start_time=asked.start_time,
            dtype=asked.data_type,
            sampling_frequency=asked.sample_rate,
            probe=asked.probe,
            num_rows=asked.raw_source_rows,
            leave_out=(asked.output_directory, asked.data_directory),
        )
        recording = source.recording
        witnesses = look_at(recording.source_files)
        asked = replace(asked, data_type=recording.dtype, sample_rate=recording.sampling_frequency)
        sorting = _read(asked, paths)
    starts = [file.start_sample for file in source.recording.files]
    return Opened(asked, source, sorting.on_timeline(starts), witnesses)


def _read(asked: Parameters, paths: list[Path]) -> Sorting:
    return read_sorting(
        asked.data_directory,
        output_type=asked.output_type,
        label_base=asked.label_base,
        source_paths=paths,
        sampling_frequency=asked.sample_rate,
    )
