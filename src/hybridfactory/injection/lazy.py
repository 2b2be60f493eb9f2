"""The hybrid as a SpikeInterface recording that is rendered from the source as it is read."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spikeinterface.core import BaseRecording, BaseRecordingSegment

from hybridfactory.injection.render import MAX_SPAN_SAMPLES, render
from hybridfactory.injection.script import InjectionScript, load_script
from hybridfactory.recording.flat import FlatFile, FlatRecording
from hybridfactory.recording.foreign import Origin, open_foreign_recording

__all__ = ["HybridRecording"]


class HybridRecording(BaseRecording):  # type: ignore[misc]
    """Hybrid recording: reads the source, and adds the events of a script to what it read.

    One segment per source file. Needs the source files and the script, and not the hybrid files.

    Parameters
    ----------
    files : list of (path, start_sample, num_samples)
        The source files on their timeline.
    dtype : str
        NumPy type of the samples.
    num_rows : int
        Rows of every file.
    sampling_frequency : float
        Hz.
    script_path : str
        File that `save_script` wrote.
    rows : list of int
        Raw rows to show, in this order; the channel ids are these numbers.
    reader : dict, optional
        Format, paths and options, where the source is no flat file.
    """

    def __init__(
        self,
        files: list[tuple[str, int, int]],
        dtype: str,
        num_rows: int,
        sampling_frequency: float,
        script_path: str,
        rows: list[int],
        reader: dict[str, Any] | None = None,
    ) -> None:
        BaseRecording.__init__(self, sampling_frequency, list(rows), dtype)
        recording = FlatRecording(
            tuple(FlatFile(Path(path), int(start), int(count)) for path, start, count in files),
            np.dtype(dtype),
            num_rows,
            sampling_frequency,
        )
        if reader is not None:
            origin = Origin(reader["format"], tuple(map(Path, reader["paths"])), reader["options"])
            recording = open_foreign_recording(origin, start_samples=[int(start) for _, start, _ in files])
        script = load_script(Path(script_path))
        for index in range(len(recording.files)):
            self.add_recording_segment(_HybridSegment(recording, index, script, np.array(rows, dtype=np.int64)))
        self._kwargs = {
            "files": [[str(path), int(start), int(count)] for path, start, count in files],
            "dtype": dtype,
            "num_rows": num_rows,
            "sampling_frequency": sampling_frequency,
            "script_path": str(script_path),
            "rows": [int(row) for row in rows],
            "reader": reader,
        }


class _HybridSegment(BaseRecordingSegment):  # type: ignore[misc]
    def __init__(
        self, recording: FlatRecording, file_index: int, script: InjectionScript, rows: NDArray[np.int64]
    ) -> None:
        BaseRecordingSegment.__init__(self, sampling_frequency=recording.sampling_frequency)
        self._recording = recording
        self._file_index = file_index
        self._script = script
        self._rows = rows

    def get_num_samples(self) -> int:
        """Samples of the source file."""
        return self._recording.files[self._file_index].num_samples

    def get_traces(
        self,
        start_frame: int | None = None,
        end_frame: int | None = None,
        channel_indices: Any = None,
    ) -> NDArray[np.generic]:
        """Samples [start_frame, end_frame) of the hybrid; shape (num_samples, num_channels)."""
        start = 0 if start_frame is None else int(start_frame)
        stop = self.get_num_samples() if end_frame is None else int(end_frame)
        rows = self._rows if channel_indices is None else self._rows[channel_indices]
        traces = np.empty((stop - start, rows.size), dtype=self._recording.dtype)
        origin = self._recording.files[self._file_index].start_sample
        with self._recording.reader() as reader:
            # Only the piece in hand exists with all its rows: a long slice of few rows stays small.
            for first in range(start, stop, MAX_SPAN_SAMPLES):
                last = min(first + MAX_SPAN_SAMPLES, stop)
                piece = render(reader.read(self._file_index, first, last), origin + first, self._script)
                traces[first - start : last - start] = piece[:, rows]
        return traces
