"""The manifest of a run that has just come to its end."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybridfactory._version import __version__
from hybridfactory.ground_truth.manifest import (
    FORMAT,
    FORMAT_VERSION,
    NOT_WRITTEN,
    checksums_of,
    identity,
    store_manifest,
)
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.reader_record import describe_reader
from hybridfactory.plan.plan import InjectionPlan, PlannedUnit
from hybridfactory.recording.flat import FlatRecording

__all__ = ["write_manifest"]

LIBRARIES = ("numpy", "scipy", "numba", "pandas", "h5py", "probeinterface", "spikeinterface")


def write_manifest(
    paths: RunPaths,
    *,
    parameters: Mapping[str, Any],
    random_seed: int,
    recording: FlatRecording,
    source_hashes: Sequence[str] | None,
    targets: Sequence[Path],
    metas: Sequence[Path],
    plan: InjectionPlan,
    written: str | None,
    num_clipped_samples: int | None,
    warnings: Sequence[str],
) -> None:
    """Write the manifest of a run whose other files are complete.

    Parameters
    ----------
    paths : RunPaths
        Folder to write to.
    parameters : mapping of str to object
        As given, in JSON's types.
    random_seed : int
    recording : FlatRecording
        The source.
    source_hashes : sequence of str, optional
        SHA-256 of each of its files, where it was asked for.
    targets : sequence of pathlib.Path
        The hybrid files, complete if they were to be written.
    metas : sequence of pathlib.Path
        Their .meta files.
    plan : InjectionPlan
    written : str or None
        How the hybrid files were written; None if they were not.
    num_clipped_samples : int or None
        None if the hybrid was not written.
    warnings : sequence of str
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "session_name": paths.session_name,
        "random_seed": random_seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "parameters": dict(parameters),
        "recording": {
            "dtype": recording.dtype.str,
            "num_rows": recording.num_rows,
            "sampling_frequency": recording.sampling_frequency,
        },
        "sources": _describe_sources(recording, source_hashes),
        "reader": describe_reader(recording, source_hashes),
        "written": written,
        "targets": [{"name": target.name, **(identity(target) if written else NOT_WRITTEN)} for target in targets],
        "reset": None,
        "files": [path.name for path in (*metas, *paths.truth_files)],
        "checksums": checksums_of((*metas, *paths.truth_files)),
        "derived": [],
        "num_events": plan.num_events,
        "num_clipped_samples": num_clipped_samples,
        "units": [_describe(unit) for unit in plan],
        "warnings": list(warnings),
    }
    store_manifest(content, paths.manifest)


def _versions() -> dict[str, str]:
    """Of everything that a run's bytes may depend on."""
    return {
        "hybridfactory": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


def _describe_sources(recording: FlatRecording, hashes: Sequence[str] | None) -> list[dict[str, Any]]:
    """Each of the source's files, in timeline order."""
    return [
        {
            "path": str(file.path.resolve()),
            "start_sample": file.start_sample,
            "num_samples": file.num_samples,
            **_identity_of_source(recording, index, hashes),
        }
        for index, file in enumerate(recording.files)
    ]


def _identity_of_source(recording: FlatRecording, index: int, hashes: Sequence[str] | None) -> dict[str, Any]:
    """Size of a source's file and what tells it from others; a segment has the size of its flat hybrid."""
    file = recording.files[index]
    if recording.is_copyable:
        return {**identity(file.path), "sha256": hashes[index] if hashes else None}
    size = file.num_samples * recording.bytes_per_sample
    return {"size": size, "mtime_ns": 0, "fingerprint": None, "sha256": None}


def _describe(unit: PlannedUnit) -> dict[str, Any]:
    return {
        "donor_label": unit.donor_label,
        "injected_label": unit.injected_label,
        "reason": unit.reason,
        "donor_channel": unit.donor_row,
        "center_channel": unit.center_row,
        "num_events": unit.num_events,
        "num_refused_events": len(unit.refused.reasons),
        "unit_factor": unit.unit_factor,
        "num_removed_spikes": unit.num_removed_spikes,
        "notes": list(unit.notes),
    }
