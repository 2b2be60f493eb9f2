"""The hybrid of a finished run in files: those that generate would have written, or SpikeInterface's."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError, ParameterError
from hybridfactory.ground_truth.derived import register
from hybridfactory.ground_truth.description import write_description
from hybridfactory.ground_truth.manifest import Manifest, checksums_of, identity, read_manifest, store_manifest
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.replacement import refuse_to_overwrite
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.ground_truth.tables import fill_in_clipped
from hybridfactory.ground_truth.witness import look_at, refuse_changes
from hybridfactory.injection.copying import IN_ONE_PASS, ONE_PASS_SHARE, OVER_COPY, copy_file
from hybridfactory.injection.journal import save_journal
from hybridfactory.injection.publishing import STAGING_NAME, publish
from hybridfactory.injection.script import InjectionScript, load_script
from hybridfactory.injection.staging import check_free_space, locked, staging_folder
from hybridfactory.injection.writer import Rendered, render_into
from hybridfactory.pipeline.write_nwb import require_nwb_extra, save_nwb
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = ["FORMATS", "WriteResult", "write"]

FORMATS = ("binary", "spikeinterface", "zarr", "nwb")


@dataclass(frozen=True)
class WriteResult:
    """What was written.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        The flat files in timeline order, or the folder.
    was_needed : bool
        False: all was there already, unchanged, and nothing was done.
    """

    paths: tuple[Path, ...]
    was_needed: bool = True


def write(
    run: HybridRun | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    file_format: str = "binary",
    progress: ProgressCallback = no_progress,
) -> WriteResult:
    """Write the hybrid of a finished run, such as one of ``generate(..., write=False)``.

    Parameters
    ----------
    run : HybridRun or path-like
        A run, or its folder.
    output : path-like, optional
        Binary: folder for the flat files; by default the run's own, which is then as if `generate` had written them.
        Otherwise: the folder to make; by default in the run's folder, ``hybrid-name``, ``.zarr`` or ``.nwb``.
    file_format : {"binary", "spikeinterface", "zarr", "nwb"}
        Flat files with the bytes that `generate` would have written, or, with the connected rows and the probe, a
        binary folder or a zarr of SpikeInterface, or an NWB file.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    WriteResult

    Raises
    ------
    MissingFileError, RecordingError
        If the source is gone or was changed after the run.
    OutputError
        If something is in the way, or cannot be written.
    ParameterError
        If there is no such format.
    MissingExtraError
        If NWB is asked for and NeuroConv is not installed.
    """
    if file_format not in FORMATS:
        raise ParameterError(f"file_format {file_format!r} is not known: use one of {', '.join(FORMATS)}")
    opened = run if isinstance(run, HybridRun) else _open(run)
    source = opened.source_recording
    if file_format != "binary":
        return _save(opened, output, file_format, progress)
    folder = Path(output).expanduser().resolve() if output is not None else opened.output_directory
    if folder == opened.output_directory:
        return _complete(opened, source, progress)
    return _write_elsewhere(opened, source, folder, progress)


def _open(folder: str | PathLike[str]) -> HybridRun:
    """Open a run; if the last process in its folder was killed, what that left is put in order first."""
    path = Path(folder).expanduser().resolve()
    if (path / STAGING_NAME).is_dir():
        with locked(path):
            pass
    return load(path)


def _complete(run: HybridRun, source: FlatRecording, progress: ProgressCallback) -> WriteResult:
    """Write the flat files into the run's own folder, and note there that they are."""
    folder = run.output_directory
    witnesses = look_at(source.source_files)
    with staging_folder(folder) as staging:
        # As it is now that nobody else can change it.
        manifest = read_manifest(folder)
        paths = manifest.target_paths
        if manifest.is_written and manifest.targets_are_untouched():
            return WriteResult(paths, was_needed=False)
        staged = tuple(staging / path.name for path in paths)
        are_copies = manifest.reset_files_are_untouched()
        if are_copies:
            refuse_to_overwrite(source.source_files, paths)
            for path, target in zip(paths, staged, strict=True):
                path.replace(target)
        _refuse_existing(paths)
        script = load_script(manifest.paths.script)
        how, rendered = _write_files(source, script, staged, progress, are_copies=are_copies)
        staged_run = RunPaths(staging, manifest.session_name)
        save_journal(rendered.journal, staged_run.journal)
        table = staged_run.artificial_units
        fill_in_clipped(manifest.paths.artificial_units, table, _by_label(script, rendered.clipped))
        content = manifest.content | {
            "written": how,
            "reset": None,
            "num_clipped_samples": int(rendered.clipped.sum()),
        }
        content["targets"] = [{"name": path.name, **identity(path)} for path in staged]
        described = (staged_run.description,) if manifest.reader is not None else ()
        for path in described:
            write_description(path, run.flat_recording_in(staging))
        content["files"] = list(dict.fromkeys([*(path.name for path in described), *content["files"]]))
        content["checksums"] = content.get("checksums", {}) | checksums_of((staged_run.journal, table, *described))
        store_manifest(content, staged_run.manifest)
        refuse_changes(witnesses)
        publish([*staged, *described, staged_run.journal, table, staged_run.manifest], folder, [])
        run.manifest = Manifest(folder, content)
    return WriteResult(paths)


def _write_elsewhere(run: HybridRun, source: FlatRecording, folder: Path, progress: ProgressCallback) -> WriteResult:
    """Write the flat files, and the .meta files that belong to them, into another folder."""
    manifest = run.manifest
    metas = manifest.meta_paths
    paths = tuple(folder / path.name for path in manifest.target_paths)
    others = tuple(folder / meta.name for meta in metas)
    witnesses = look_at(source.source_files)
    with staging_folder(folder) as staging:
        _refuse_existing([*paths, *others])
        staged = tuple(staging / path.name for path in paths)
        _write_files(source, load_script(manifest.paths.script), staged, progress)
        for meta in metas:
            shutil.copyfile(meta, staging / meta.name)
        refuse_changes(witnesses)
        if manifest.reader is not None:
            described = staging / manifest.paths.description.name
            write_description(described, run.flat_recording_in(staging))
            staged = (*staged, described)
        publish([*staged, *(staging / meta.name for meta in metas)], folder, [])
    return WriteResult(paths)


def _refuse_existing(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists():
            raise OutputError(
                f"{path} exists already, and is not this run's hybrid: move it away, or choose another output"
            )


def _write_files(
    recording: FlatRecording,
    script: InjectionScript,
    targets: tuple[Path, ...],
    progress: ProgressCallback,
    *,
    are_copies: bool = False,
) -> tuple[str, Rendered]:
    """Write the hybrid's flat files; says how, and what became of the events."""
    if are_copies:
        return OVER_COPY, render_into(targets, recording, script, progress=progress)
    sizes = [file.num_samples * recording.bytes_per_sample + file.num_trailing_bytes for file in recording.files]
    check_free_space(targets[0].parent, sum(sizes))
    touched = int(np.diff(script.ranges(), axis=1).sum())
    in_one_pass = not recording.is_copyable or touched > ONE_PASS_SHARE * recording.num_samples
    # The events are there: all that this process can write as fast as a copy, it writes with them in it.
    enough = Event()
    enough.set()
    copied = [0] * len(targets)
    for index, (file, target) in enumerate(zip(recording.files, targets, strict=True)):
        if not in_one_pass:
            progress("copying", index, len(targets))
            copied[index] = copy_file(file.path, target, enough=enough)
    rendered = render_into(targets, recording, script, copied=copied, progress=progress)
    return (IN_ONE_PASS if in_one_pass else OVER_COPY), rendered


def _by_label(script: InjectionScript, clipped: NDArray[np.int32]) -> dict[int, NDArray[np.int32]]:
    """Clipped samples of each unit's events in order of time."""
    return {int(label): clipped[script.units == unit] for unit, label in enumerate(script.labels)}


def _save(
    run: HybridRun, output: str | PathLike[str] | None, file_format: str, progress: ProgressCallback
) -> WriteResult:
    """Let SpikeInterface save the recording that is rendered as it is read."""
    default = run.output_directory / f"hybrid-{run.manifest.session_name}"
    folder = Path(output).expanduser().resolve() if output is not None else default
    suffix = {"zarr": ".zarr", "nwb": ".nwb"}.get(file_format, "")
    if not folder.name.endswith(suffix):
        folder = folder.with_name(f"{folder.name}{suffix}")  # SpikeInterface knows it by that
    if file_format == "nwb":
        require_nwb_extra()
    progress("writing", 0, 1)
    with staging_folder(folder.parent) as staging:
        _refuse_existing([folder])
        register(run.output_directory, [folder], is_locked=folder.parent == run.output_directory)
        staged = staging / folder.name
        if file_format == "nwb":
            save_nwb(run, staged)
        else:
            run.recording.save(
                folder=staged,
                format="zarr" if file_format == "zarr" else "binary",
                n_jobs=1,
                chunk_duration="1s",
                progress_bar=False,
                verbose=False,
            )
        staged.replace(folder)
    progress("writing", 1, 1)
    return WriteResult((folder,))
