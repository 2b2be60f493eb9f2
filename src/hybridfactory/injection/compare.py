"""Files held against what they should hold: the source, or the source with a script's events, rendered anew."""

from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.injection.render import MAX_SPAN_SAMPLES, Workspace, render_in_place
from hybridfactory.injection.script import InjectionScript
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatFile, FlatRecording
from hybridfactory.recording.side_by_side import NUM_WORKERS, side_by_side

__all__ = ["Comparison", "Difference", "compare", "everything", "outside"]

SPANS_PER_TASK = 16
WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
"""Types that compare values of a size bit by bit."""


@dataclass(frozen=True)
class Difference:
    """The first value that is not as it should be.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    sample : int
        On the timeline.
    sample_in_file : int
        From the file's first sample.
    row : int
        Raw row.
    found, expected : int or float
        Raw counts.
    """

    path: Path
    sample: int
    sample_in_file: int
    row: int
    found: int | float
    expected: int | float

    def __str__(self) -> str:
        return (
            f"{self.path.name}, sample {self.sample_in_file} (timeline {self.sample}), row {self.row}: found "
            f"{self.found}, expected {self.expected}"
        )


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Parameters
    ----------
    num_samples : int
        Samples (of all rows) that were compared.
    num_different : int
        Values (samples × rows) that differ in any bit.
    first : Difference or None
    """

    num_samples: int
    num_different: int
    first: Difference | None


@dataclass(frozen=True, eq=False)
class _Piece:
    """What differs in one span: how many values, and where the first is."""

    num_different: int = 0
    sample: int = 0
    row: int = 0
    found: int | float = 0
    expected: int | float = 0


def everything(recording: FlatRecording) -> NDArray[np.int64]:
    """Every sample of every file, as one range per file; shape (num_files, 2)."""
    return np.array([(file.start_sample, file.stop_sample) for file in recording.files], dtype=np.int64)


def outside(recording: FlatRecording, ranges: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the files hold beside some ranges.

    Parameters
    ----------
    recording : FlatRecording
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        Ascending, not overlapping, each in one file.

    Returns
    -------
    numpy.ndarray of int64, shape (num_rest, 2)
    """
    files = recording.file_of(ranges[:, 0])
    rest = []
    for index, file in enumerate(recording.files):
        inside = ranges[files == index].ravel()
        rest.append(np.concatenate([[file.start_sample], inside, [file.stop_sample]]).reshape(-1, 2))
    found = np.concatenate(rest).astype(np.int64)
    return found[found[:, 0] < found[:, 1]]


def compare(
    targets: tuple[Path, ...],
    recording: FlatRecording,
    script: InjectionScript | None,
    ranges: NDArray[np.int64],
    *,
    accept_source: bool = False,
    step: str = "comparing",
    progress: ProgressCallback = no_progress,
) -> Comparison:
    """Hold ranges of files against the source, with a script's events in it if there is a script.

    Memory does not depend on the recording's length. Values are compared bit by bit.

    Parameters
    ----------
    targets : tuple of pathlib.Path
        Files of the recording's shape and on its timeline.
    recording : FlatRecording
        The source.
    script : InjectionScript or None
    ranges : numpy.ndarray of int64, shape (num_ranges, 2)
        On the timeline, ascending, each in one file.
    accept_source : bool
        Whether a value may be the source's where the script changes it.
    step : str
        What progress calls it.
    progress : callable, optional

    Raises
    ------
    OutputError
        If a target ends before the source does.
    RecordingError
        If the source has become shorter.
    """
    spans = _cut(ranges)
    files = recording.file_of(spans[:, 0])
    tasks = np.array_split(np.arange(len(spans)), max(-(-len(spans) // SPANS_PER_TASK), 1))
    hybrid = _open_targets(targets, recording)
    spaces = _make_spaces(int(np.diff(spans, axis=1).max(initial=0)), recording, hybrid)
    different, first, done = 0, None, 0
    with recording.reader() as source_reader, hybrid.reader() as hybrid_reader:

        def look(index: int, expected: Workspace, found: Workspace) -> _Piece:
            start, stop = spans[index].tolist()
            begin = start - recording.files[files[index]].start_sample
            ours, theirs = expected.traces[: stop - start], found.traces[: stop - start]
            source_reader.read_into(ours, int(files[index]), begin)
            hybrid_reader.read_into(theirs, int(files[index]), begin)
            return _hold(theirs, ours, script, start, expected, accept_source=accept_source)

        def work(task: NDArray[np.int64]) -> list[_Piece]:
            expected, found = spaces.get()
            try:
                return [look(int(index), expected, found) for index in task]
            finally:
                # Also after an error: the next call would wait for it forever.
                spaces.put((expected, found))

        with side_by_side(work, tasks) as results:
            for task, pieces in zip(tasks, results, strict=True):
                for index, piece in zip(task.tolist(), pieces, strict=True):
                    different += piece.num_different
                    if first is None and piece.num_different:
                        first = _place(piece, hybrid.files[files[index]])
                done += len(task)
                progress(step, done, max(len(spans), 1))
    return Comparison(int(np.diff(spans, axis=1).sum()), different, first)


def _open_targets(targets: tuple[Path, ...], recording: FlatRecording) -> FlatRecording:
    """Describe files that should have the shape of a recording, once they are seen to be long enough."""
    held = tuple(
        FlatFile(target, file.start_sample, file.num_samples)
        for target, file in zip(targets, recording.files, strict=True)
    )
    for file in held:
        if file.path.stat().st_size < file.num_samples * recording.bytes_per_sample:
            raise OutputError(f"{file.path} is shorter than its source: it was cut short after the run")
    return FlatRecording(held, recording.dtype, recording.num_rows, recording.sampling_frequency)


def _make_spaces(
    longest: int, recording: FlatRecording, hybrid: FlatRecording
) -> SimpleQueue[tuple[Workspace, Workspace]]:
    """Make memory for what is expected and for what is found, once for each that works."""
    spaces: SimpleQueue[tuple[Workspace, Workspace]] = SimpleQueue()
    for _ in range(NUM_WORKERS):
        spaces.put((Workspace(longest, recording), Workspace(longest, hybrid)))
    return spaces


def _cut(ranges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut long ranges into pieces that fit in memory."""
    lengths = np.diff(ranges, axis=1)[:, 0]
    counts = -(-lengths // MAX_SPAN_SAMPLES)
    piece = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(ranges[:, 0], counts) + piece * MAX_SPAN_SAMPLES
    return np.stack([starts, np.minimum(starts + MAX_SPAN_SAMPLES, np.repeat(ranges[:, 1], counts))], axis=1)


def _hold(
    found: NDArray[np.generic],
    source: NDArray[np.generic],
    script: InjectionScript | None,
    start: int,
    space: Workspace,
    *,
    accept_source: bool,
) -> _Piece:
    """Hold one span against the source, to which the script's events are added in place."""
    if accept_source and _are_equal(source, found):
        return _Piece()
    untouched = source.copy() if accept_source else None
    if script is not None:
        render_in_place(source, start, script, None, space)
    return _differences(source, found, untouched, start)


def _differences(
    expected: NDArray[np.generic], found: NDArray[np.generic], also: NDArray[np.generic] | None, start: int
) -> _Piece:
    if _are_equal(expected, found):
        return _Piece()
    differs = _differ(expected, found)
    if also is not None:
        differs &= _differ(also, found)
    if not differs.any():
        return _Piece()
    sample, row = np.unravel_index(int(differs.argmax()), differs.shape)
    return _Piece(
        int(np.count_nonzero(differs)),
        start + int(sample),
        int(row),
        _plain(found[sample, row]),
        _plain(expected[sample, row]),
    )


def _are_equal(some: NDArray[np.generic], others: NDArray[np.generic]) -> bool:
    return np.array_equal(some.view(np.uint8), others.view(np.uint8))


def _differ(some: NDArray[np.generic], others: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Whether values differ in any bit; shape as theirs."""
    size = some.dtype.itemsize
    if size in WORDS:
        return cast("NDArray[np.bool_]", some.view(WORDS[size]) != others.view(WORDS[size]))
    bytes_differ = some.view(np.uint8) != others.view(np.uint8)
    return cast("NDArray[np.bool_]", bytes_differ.reshape(*some.shape, size).any(axis=2))


def _plain(value: Any) -> int | float:
    """Turn one of NumPy's numbers into Python's."""
    plain = value.item()
    return plain if isinstance(plain, int) else float(plain)


def _place(piece: _Piece, file: FlatFile) -> Difference:
    inside = piece.sample - file.start_sample
    return Difference(file.path, piece.sample, inside, piece.row, piece.found, piece.expected)
