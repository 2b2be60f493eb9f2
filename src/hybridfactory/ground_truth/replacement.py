"""What an output folder already holds: which of it is an earlier run's, and which is nobody's to overwrite."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from hybridfactory.errors import HybridFactoryError, OutputError
from hybridfactory.ground_truth.manifest import Manifest, read_manifest
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.recording.flat import FlatRecording

__all__ = ["check_targets", "clear_interrupted", "files_of_earlier_run", "find_reusable_run", "take_back"]

TRACES_OF_RUNS = ("hfparams_*.py", "artificial_units-*.csv")

_log = logging.getLogger("hybridfactory")


def check_targets(output_directory: Path, targets: Sequence[Path], sources: Sequence[Path]) -> None:
    """Refuse an output folder in which something would be overwritten that no run of ours has written.

    Parameters
    ----------
    output_directory : pathlib.Path
    targets : sequence of pathlib.Path
        Hybrid files and .meta files to be written.
    sources : sequence of pathlib.Path
        Files that must not change.

    Raises
    ------
    OutputError
    """
    if output_directory.exists() and not output_directory.is_dir():
        raise OutputError(f"output_directory {output_directory} is a file: choose another folder")
    for target in targets:
        for path in sources:
            if target.exists() and target.samefile(path):
                raise OutputError(
                    f"output_directory {output_directory}: writing {target.name} would overwrite the source {path}; "
                    "choose another folder"
                )
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
    except (OSError, ValueError):
        return True
    return not (isinstance(content, dict) and content.get("format") == "hybridfactory run")


def find_reusable_run(folder: Path, recording: FlatRecording, targets: Sequence[Path]) -> Manifest | None:
    """Find the finished run in a folder whose hybrid can be reused; a line in the log says what was found.

    Parameters
    ----------
    folder : pathlib.Path
    recording : FlatRecording
        The source of the run to come.
    targets : sequence of pathlib.Path
        Its hybrid files.
    """
    if not any(target.exists() for target in targets):
        _log.info("no hybrid of an earlier run in %s: creating a fresh copy of the source", folder)
        return None
    try:
        manifest = read_manifest(folder)
    except HybridFactoryError:
        reason = "it was not finished"
    else:
        if not manifest.targets_are_untouched():
            reason = "its hybrid was changed since"
        elif manifest.target_paths != tuple(targets) or not manifest.is_of(recording):
            reason = "it was made from another source, or the source has changed"
        elif not manifest.paths.script.is_file():
            reason = "it lacks the record of what was injected"
        else:
            _log.info("reusing the hybrid of run %s, whose events are taken back first", manifest.session_name)
            return manifest
    _log.info("the earlier run in %s cannot be reused (%s): starting from a fresh copy", folder, reason)
    return None


def take_back(earlier: Manifest, staged_targets: Sequence[Path]) -> None:
    """Move an earlier run's hybrid to where it is worked on, and remove its truth, which ends to hold there."""
    targets = earlier.target_paths
    # Without its manifest the earlier run no longer counts as finished, whatever happens from here on.
    earlier.paths.manifest.unlink()
    for path in earlier.all_paths:
        if path not in targets:
            path.unlink(missing_ok=True)
    for target, staged in zip(targets, staged_targets, strict=True):
        target.replace(staged)


def files_of_earlier_run(folder: Path) -> tuple[Path, ...]:
    """Every file of the finished run in a folder, its manifest first; empty if there is none."""
    try:
        manifest = read_manifest(folder)
    except HybridFactoryError:
        return ()
    _log.info("replacing run %s in %s", manifest.session_name, folder)
    return (manifest.paths.manifest, *manifest.all_paths)


def clear_interrupted(staging: Path) -> None:
    """Remove from the output folder what a run put there that was killed while it moved its files into place.

    Parameters
    ----------
    staging : pathlib.Path
        The folder that it left behind inside the output folder.
    """
    output_directory = staging.parent
    _log.info("clearing what an interrupted run left in %s", output_directory)
    try:
        manifest = read_manifest(staging)
    except HybridFactoryError:
        return
    for path in manifest.all_paths:
        if not path.exists():
            (output_directory / path.name).unlink(missing_ok=True)
