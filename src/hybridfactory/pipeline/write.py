"""The hybrid of a finished run in files: those that generate would have written, or SpikeInterface's."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError, ParameterError
from hybridfactory.ground_truth.manifest import identity, store_manifest
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.ground_truth.tables import fill_in_clipped
from hybridfactory.injection.copying import IN_ONE_PASS, ONE_PASS_SHARE, OVER_COPY, copy_file
from hybridfactory.injection.render import MAX_SPAN_SAMPLES
from hybridfactory.injection.script import InjectionScript, load_script
from hybridfactory.injection.staging import check_free_space, publish, staging_folder
from hybridfactory.injection.writer import render_into
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording

__all__ = ["FORMATS", "WriteResult", "write"]

FORMATS = ("binary", "spikeinterface", "zarr")


@dataclass(frozen=True)
class WriteResult:
    """What was written.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        The flat files in timeline order, or the folder.
    """

    paths: tuple[Path, ...]


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
        Otherwise: the folder to make; by default in the run's folder, ``hybrid-name`` or ``hybrid-name.zarr``.
    file_format : {"binary", "spikeinterface", "zarr"}
        Flat files with the bytes that `generate` would have written, or, with the connected rows and the probe, a
        binary folder or a zarr of SpikeInterface.
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
    """
    if file_format not in FORMATS:
        raise ParameterError(f"file_format {file_format!r} is not known: use one of {', '.join(FORMATS)}")
    opened = run if isinstance(run, HybridRun) else load(run)
    source = opened.source_recording
    if file_format != "binary":
        return _save(opened, output, file_format, progress)
    folder = Path(output).expanduser().resolve() if output is not None else opened.output_directory
    if folder == opened.output_directory:
        return _complete(opened, source, progress)
    return _write_elsewhere(opened, source, folder, progress)


def _complete(run: HybridRun, source: FlatRecording, progress: ProgressCallback) -> WriteResult:
    """Write the flat files into the run's own folder, and note there that they are."""
    manifest = run.manifest
    paths = manifest.target_paths
    if manifest.is_written and manifest.targets_are_untouched():
        return WriteResult(paths)
    _refuse_existing(paths)
    with staging_folder(run.output_directory) as staging:
        staged = tuple(staging / path.name for path in paths)
        script = load_script(manifest.paths.script)
        how, clipped = _write_files(source, script, staged, progress)
        table = staging / manifest.paths.artificial_units.name
        fill_in_clipped(manifest.paths.artificial_units, table, _by_label(script, clipped))
        content = manifest.content | {"written": how, "num_clipped_samples": int(clipped.sum())}
        content["targets"] = [{"name": path.name, **identity(path)} for path in staged]
        # The manifest last: whatever happens before, it tells of a run that is complete but for its hybrid.
        for path in (*staged, table):
            path.replace(run.output_directory / path.name)
        store_manifest(content, staging / manifest.paths.manifest.name)
        (staging / manifest.paths.manifest.name).replace(manifest.paths.manifest)
    return WriteResult(paths)


def _write_elsewhere(run: HybridRun, source: FlatRecording, folder: Path, progress: ProgressCallback) -> WriteResult:
    """Write the flat files, and the .meta files that belong to them, into another folder."""
    manifest = run.manifest
    metas = [run.output_directory / name for name in manifest.content["files"] if name.endswith(".meta")]
    paths = tuple(folder / path.name for path in manifest.target_paths)
    _refuse_existing([*paths, *(folder / meta.name for meta in metas)])
    with staging_folder(folder) as staging:
        staged = tuple(staging / path.name for path in paths)
        _write_files(source, load_script(manifest.paths.script), staged, progress)
        for meta in metas:
            shutil.copyfile(meta, staging / meta.name)
        publish([*staged, *(staging / meta.name for meta in metas)], folder, [])
    return WriteResult(paths)


def _refuse_existing(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists():
            raise OutputError(
                f"{path} exists already, and is not this run's hybrid: move it away, or choose another output"
            )


def _write_files(
    recording: FlatRecording, script: InjectionScript, targets: tuple[Path, ...], progress: ProgressCallback
) -> tuple[str, NDArray[np.int32]]:
    """Write the hybrid's flat files; says how, and how many samples of each event were clipped."""
    check_free_space(targets[0].parent, sum(file.path.stat().st_size for file in recording.files))
    touched = int(np.diff(script.spans(MAX_SPAN_SAMPLES), axis=1).sum())
    in_one_pass = touched > ONE_PASS_SHARE * recording.num_samples
    total = max(len(targets), 1)
    for done, (file, target) in enumerate(zip(recording.files, targets, strict=True)):
        if not in_one_pass:
            progress("copying", done, total)
            copy_file(file.path, target)
    clipped = render_into(targets, recording, script, are_copies=not in_one_pass, progress=progress)
    return (IN_ONE_PASS if in_one_pass else OVER_COPY), clipped


def _by_label(script: InjectionScript, clipped: NDArray[np.int32]) -> dict[int, NDArray[np.int32]]:
    """Clipped samples of each unit's events in order of time."""
    return {int(label): clipped[script.units == unit] for unit, label in enumerate(script.labels)}


def _save(
    run: HybridRun, output: str | PathLike[str] | None, file_format: str, progress: ProgressCallback
) -> WriteResult:
    """Let SpikeInterface save the recording that is rendered as it is read."""
    default = run.output_directory / f"hybrid-{run.manifest.session_name}"
    folder = Path(output).expanduser().resolve() if output is not None else default
    if file_format == "zarr" and folder.suffix != ".zarr":
        folder = folder.with_name(f"{folder.name}.zarr")  # SpikeInterface knows it by that
    _refuse_existing([folder])
    progress("writing", 0, 1)
    with staging_folder(folder.parent) as staging:
        staged = staging / folder.name
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
