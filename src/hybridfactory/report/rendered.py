"""Source and hybrid of a finished run as flat recordings that snippets can be read from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, RecordingError
from hybridfactory.ground_truth.manifest import Manifest
from hybridfactory.injection.render import render_in_place
from hybridfactory.injection.script import InjectionScript, load_script
from hybridfactory.recording.flat import FlatReader, FlatRecording

__all__ = ["RenderedRecording", "open_source_and_hybrid"]


@dataclass(frozen=True)
class RenderedRecording(FlatRecording):
    """A recording whose files are the source's, and whose samples are the hybrid's.

    Parameters
    ----------
    script : InjectionScript
    source : FlatRecording
    """

    script: InjectionScript
    source: FlatRecording

    @contextmanager
    def reader(self) -> Iterator[FlatReader]:
        """Open the source's files for reading, for as long as the context lasts."""
        with self.source.reader() as plain:
            yield _RenderingReader(self, (), self.script, plain)


@dataclass(frozen=True)
class _RenderingReader(FlatReader):
    script: InjectionScript
    plain: FlatReader

    def read_into(self, traces: NDArray[np.generic], file_index: int, start: int) -> None:
        """Fill an array with the hybrid's samples from `start` on, counted from the file's first."""
        self.plain.read_into(traces, file_index, start)
        render_in_place(traces, self.recording.files[file_index].start_sample + start, self.script)

    def announce(self, file_index: int, start: int, stop: int) -> None:
        """Tell the system which of the source's samples will soon be read."""
        self.plain.announce(file_index, start, stop)


def open_source_and_hybrid(manifest: Manifest) -> tuple[FlatRecording, FlatRecording, str]:
    """Open the recordings of a finished run.

    The hybrid is rendered from the source. Where a source file is gone, both are read from the hybrid files:
    but for the injected events, the source is in them.

    Parameters
    ----------
    manifest : Manifest

    Returns
    -------
    source, hybrid : FlatRecording
    note : str
        What the reader of a figure should know about them; empty mostly.

    Raises
    ------
    MissingFileError
        If the files of neither are there.
    RecordingError
        If a file was changed after the run.
    """
    paths = manifest.source_paths
    missing = [path for path in paths if not path.is_file()]
    if not missing:
        source = manifest.source_recording
        if not manifest.is_of(source):
            raise RecordingError(
                f"{manifest.folder}: its source {paths[0]} was changed after the run, so that the spikes are no "
                "longer where the run found them: run 'hybridfactory generate' again"
            )
        script = load_script(manifest.paths.script)
        stated = (source.files, source.dtype, source.num_rows, source.sampling_frequency)
        return source, RenderedRecording(*stated, script, source), ""
    if not all(path.is_file() for path in manifest.target_paths):
        raise MissingFileError(
            f"source file {missing[0]} is gone, and so is the hybrid in {manifest.folder}: put one of them back"
        )
    if not manifest.targets_are_untouched():
        raise RecordingError(
            f"source file {missing[0]} is gone, and the hybrid in {manifest.folder} was changed after the run: put "
            "the source back"
        )
    hybrid = manifest.recording_in(manifest.target_paths)
    note = f"The source file {missing[0].name} is gone: donor spikes were read from the hybrid"
    if manifest.content.get("parameters", {}).get("remove_original"):
        note += ", which the run has taken them out of"
    return hybrid, hybrid, f"{note}."
