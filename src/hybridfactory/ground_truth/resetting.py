"""A run's changes taken back: the hybrid files become the source's bytes again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybridfactory.errors import MissingFileError, OutputError, RecordingError
from hybridfactory.ground_truth.manifest import (
    Manifest,
    identity,
    read_manifest,
    replace_manifest,
    unwritten,
)
from hybridfactory.ground_truth.replacement import refuse_to_overwrite
from hybridfactory.ground_truth.witness import look_at, refuse_changes
from hybridfactory.injection.compare import Difference, compare, outside
from hybridfactory.injection.journal import Journal, load_journal, take_checksums
from hybridfactory.injection.script import load_script
from hybridfactory.injection.staging import locked
from hybridfactory.injection.writer import restore_into
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = ["GENERATE_AGAIN", "check_sources", "take_back"]

GENERATE_AGAIN = "run 'hybridfactory generate' again"


def take_back(folder: Path, *, progress: ProgressCallback = no_progress) -> Manifest:
    """Make a run's hybrid files equal to the sources again, byte for byte, in a time that grows with its events.

    Everything is checked before anything is written: what the run wrote must still be there, by the checksums of its
    journal. What the source has already there counts as taken back, so that an interrupted reset can be repeated.
    Where the files' time of change is not the one that the run left, all the rest is held against the source too.

    Parameters
    ----------
    folder : pathlib.Path
        Of a finished run.
    progress : callable, optional

    Returns
    -------
    Manifest
        As it is afterwards.

    Raises
    ------
    MissingFileError
        If the run, a source or a hybrid file is not there, or the hybrid was never written.
    RecordingError
        If a source was changed after the run.
    OutputError
        If a hybrid file holds what is neither the run's nor the source's. Nothing is changed then.
    """
    with locked(folder):
        manifest = read_manifest(folder)
        if manifest.reset_files_are_untouched():
            return manifest
        if not (manifest.is_written or manifest.is_reset or manifest.is_half_reset):
            raise MissingFileError(f"the run in {folder} has not written its hybrid: there is nothing to take back")
        check_sources(manifest, GENERATE_AGAIN)
        witnesses = look_at(manifest.source_paths)
        recording = manifest.source_recording
        targets = manifest.target_paths
        _check_targets(manifest, recording)
        journal = load_journal(manifest.paths.journal, recording)
        _refuse_changes(manifest, recording, journal, progress)
        replace_manifest(folder, {**unwritten(manifest.content), "reset": _state(targets, is_complete=False)})
        restore_into(targets, recording, journal.ranges, progress=progress)
        refuse_changes(witnesses)
        content = {**unwritten(manifest.content), "reset": _state(targets, is_complete=True)}
        replace_manifest(folder, content)
    return Manifest(folder, content)


def check_sources(manifest: Manifest, otherwise: str) -> None:
    """See that a run's sources are there as the run found them.

    Parameters
    ----------
    manifest : Manifest
    otherwise : str
        What the user can do if they are not.

    Raises
    ------
    MissingFileError, RecordingError
    """
    for path, source in zip(manifest.source_paths, manifest.source_items, strict=True):
        if not path.is_file():
            raise MissingFileError(f"source file {path} is gone: put it back, or {otherwise}")
        if (path.stat().st_size, path.stat().st_mtime_ns) != (source["size"], source["mtime_ns"]):
            raise RecordingError(
                f"source file {path} was changed after the run, which no longer holds for it: put the original "
                f"back, or {otherwise}"
            )


def _check_targets(manifest: Manifest, recording: FlatRecording) -> None:
    for path, source in zip(manifest.target_paths, manifest.content["sources"], strict=True):
        if not path.is_file():
            raise MissingFileError(
                f"hybrid file {path} is missing: there is nothing to take back; 'hybridfactory write' makes it again"
            )
        if path.stat().st_size != source["size"]:
            raise OutputError(
                f"{path} has {path.stat().st_size} bytes and its source {source['size']}: it was changed after the "
                "run, and is left as it is"
            )
    refuse_to_overwrite(manifest.source_paths, manifest.target_paths)


def _refuse_changes(
    manifest: Manifest, recording: FlatRecording, journal: Journal, progress: ProgressCallback
) -> None:
    """See that nobody but the run wrote to what the run wrote to, nor, where that is in doubt, to anything else."""
    targets = manifest.target_paths
    found = take_checksums(targets, recording, journal.ranges, step="checking the hybrid", progress=progress)
    others = journal.ranges[found != journal.checksums]
    if len(others):
        # An interrupted reset leaves ranges of which a part is the source's already.
        script = load_script(manifest.paths.script)
        _refuse_foreign(compare(targets, recording, script, others, accept_source=True, progress=progress).first)
    if not manifest.is_written or not manifest.targets_are_untouched():
        rest = outside(recording, journal.ranges)
        _refuse_foreign(compare(targets, recording, None, rest, progress=progress).first)


def _refuse_foreign(difference: Difference | None) -> None:
    if difference is not None:
        raise OutputError(
            f"{difference.path} was changed after the run (sample {difference.sample_in_file}, row {difference.row}: "
            f"found {difference.found}, expected {difference.expected}): nothing was taken back; to begin anew, move "
            "the file away and run 'hybridfactory write'"
        )


def _state(targets: Sequence[Path], *, is_complete: bool) -> dict[str, Any]:
    """What a manifest says of a reset."""
    return {
        "is_complete": is_complete,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": [{"name": target.name, **identity(target)} for target in targets],
    }
