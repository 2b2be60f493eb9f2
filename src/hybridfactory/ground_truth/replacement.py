"""What an output folder already holds: which of it is an earlier run's, and which is nobody's to overwrite."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hybridfactory.errors import HybridFactoryError, OutputError
from hybridfactory.ground_truth.derived import forget_empty_folders, removable
from hybridfactory.ground_truth.manifest import FORMAT, Manifest, read_manifest, replace_manifest, unwritten
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.injection.journal import load_journal, take_checksums
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = [
    "borrow_hybrid",
    "check_outputs",
    "files_of_earlier_run",
    "find_reusable_run",
    "forget_empty_folders",
    "refuse_to_overwrite",
]

TRACES_OF_RUNS = ("hfparams_*.py", "artificial_units-*.csv")

_log = logging.getLogger("hybridfactory")


def refuse_to_overwrite(sources: Iterable[Path], outputs: Iterable[Path]) -> None:
    """See that no file to be written is one that must not change, by whatever name or link.

    Parameters
    ----------
    sources : iterable of pathlib.Path
        Files that must not change.
    outputs : iterable of pathlib.Path
        Files to be written.

    Raises
    ------
    OutputError
    """
    places = {_place(path): path for path in sources}
    files = {key: path for path in places.values() if (key := _inode(path)) is not None}
    for output in outputs:
        inode = _inode(output)
        source = places.get(_place(output)) or (None if inode is None else files.get(inode))
        if source is not None:
            raise OutputError(
                f"output_directory {output.parent}: writing {output.name} would overwrite the source {source}; "
                "choose another folder"
            )


def _place(path: Path) -> tuple[object, str]:
    """Folder and name without regard to case: on some disks, names that differ in case alone are one file."""
    whole = path.parent.resolve() / path.name
    return _inode(whole.parent) or str(whole.parent).casefold(), whole.name.casefold()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_outputs(output_directory: Path) -> None:
    """Refuse an output folder in which something would be overwritten that no run of ours has written.

    Parameters
    ----------
    output_directory : pathlib.Path

    Raises
    ------
    OutputError
    """
    if output_directory.exists() and not output_directory.is_dir():
        raise OutputError(f"output_directory {output_directory} is a file: choose another folder")
    if _holds_foreign_manifest(output_directory):
        raise OutputError(
            f"output_directory {output_directory} holds a {MANIFEST_NAME} that is no output of hybridfactory: "
            "choose another folder"
        )
    truth = output_directory / "firings_true.npy"
    ours = (MANIFEST_NAME, *TRACES_OF_RUNS)
    if truth.exists() and not any(any(output_directory.glob(pattern)) for pattern in ours):
        raise OutputError(
            f"output_directory {output_directory} holds a firings_true.npy that is no output of hybridfactory: "
            "choose another folder"
        )


def _holds_foreign_manifest(folder: Path) -> bool:
    path = folder / MANIFEST_NAME
    if not path.exists():
        return False
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    return not (isinstance(content, dict) and content.get("format") == FORMAT)


def find_reusable_run(
    folder: Path,
    recording: FlatRecording,
    targets: Sequence[Path],
    *,
    progress: ProgressCallback = no_progress,
) -> Manifest | None:
    """Find the finished run in a folder whose hybrid can be reused; of a run that is there, the log says if not, why.

    The folder must be locked.

    Parameters
    ----------
    folder : pathlib.Path
    recording : FlatRecording
        The source of the run to come.
    targets : sequence of pathlib.Path
        Its hybrid files.
    progress : callable, optional
    """
    if not any(target.exists() for target in targets):
        # A first run has nothing to reuse, and nobody expects it to.
        if (folder / MANIFEST_NAME).exists():
            _log.info("the earlier run in %s has no hybrid to reuse: starting from a fresh copy", folder)
        return None
    try:
        manifest = read_manifest(folder)
    except HybridFactoryError:
        reason = "it was not finished"
    else:
        reason = _why_not_reusable(manifest, recording, targets, progress)
        if not reason:
            _log.info("reusing the hybrid of run %s, whose events are taken back first", manifest.session_name)
            return manifest
    _log.info("the earlier run in %s cannot be reused (%s): starting from a fresh copy", folder, reason)
    return None


def _why_not_reusable(
    manifest: Manifest, recording: FlatRecording, targets: Sequence[Path], progress: ProgressCallback
) -> str:
    if not manifest.reset_files_are_untouched() and not (
        manifest.is_written and manifest.targets_are_untouched() and not manifest.is_half_reset
    ):
        return "its hybrid was changed since"
    if manifest.target_paths != tuple(targets) or not manifest.is_of(recording):
        return "it was made from another source, or the source has changed"
    if any(path.is_symlink() or path.stat().st_nlink > 1 for path in targets):
        return "its hybrid has other names, which would change with it"
    return "" if manifest.is_reset else _why_not_ours(manifest, recording, targets, progress)


def _why_not_ours(
    manifest: Manifest, recording: FlatRecording, targets: Sequence[Path], progress: ProgressCallback
) -> str:
    """Hold what the run wrote against its journal."""
    if not manifest.paths.journal.is_file():
        return "it lacks the record of what was written"
    try:
        journal = load_journal(manifest.paths.journal, recording)
        found = take_checksums(
            tuple(targets), recording, journal.ranges, step="checking the earlier run", progress=progress
        )
    except HybridFactoryError:
        return "the record of what was written is damaged"
    return "" if np.array_equal(found, journal.checksums) else "its hybrid was changed since"


def borrow_hybrid(earlier: Manifest, staged_targets: Sequence[Path]) -> None:
    """Move an earlier run's hybrid to where it is worked on. That run is one without a hybrid from then on."""
    # First its word, then its files: whatever happens from here on, no manifest speaks of a hybrid that is not there.
    replace_manifest(earlier.folder, {**unwritten(earlier.content), "reset": None})
    for target, staged in zip(earlier.target_paths, staged_targets, strict=True):
        target.replace(staged)


def files_of_earlier_run(folder: Path) -> tuple[Path, ...]:
    """Every file of the finished run in a folder, its manifest first; empty if there is none.

    What other commands made of that run is among them: it describes a run that is no longer there.
    """
    try:
        manifest = read_manifest(folder)
    except HybridFactoryError:
        return ()
    _log.info("replacing run %s in %s", manifest.session_name, folder)
    for path in manifest.derived_paths:
        if path.is_dir():
            _log.warning(
                "%s was made of run %s, which is replaced: remove it if you no longer need it",
                path,
                manifest.session_name,
            )
    return (manifest.paths.manifest, *manifest.all_paths, *removable(manifest))
