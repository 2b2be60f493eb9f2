"""The order of the steps from a parameter file to a hybrid recording with its truth."""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.ground_truth.manifest import write_manifest
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.replacement import (
    check_targets,
    clear_interrupted,
    files_of_earlier_run,
    find_reusable_run,
    take_back,
)
from hybridfactory.injection.copying import IN_ONE_PASS, ONE_PASS_SHARE, OVER_COPY, copying, touched_share
from hybridfactory.injection.staging import check_free_space, publish, staging_folder
from hybridfactory.parameters import Parameters, load_parameters
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.source import Source, find_source_files, hybrid_name, open_source
from hybridfactory.recording.spikeglx_meta import write_hybrid_meta
from hybridfactory.sorting import Sorting, read_sorting

__all__ = ["GenerateResult", "generate"]

OVER_EARLIER = "over the hybrid of an earlier run"

_log = logging.getLogger("hybridfactory")


@dataclass(frozen=True, eq=False)
class GenerateResult:
    """What a run made.

    Parameters
    ----------
    parameters : Parameters
        With everything filled in that was left to be drawn or found: they repeat the run.
    plan : InjectionPlan
    output_directory : pathlib.Path
    session_name : str
    recording_paths : tuple of pathlib.Path
        The hybrid files, in timeline order; empty if they were not to be written.
    truth_paths : tuple of pathlib.Path
        All other files of the run.
    num_clipped_samples : int or None
        Samples that hit the end of the data type's range; None if the hybrid was not written.
    warnings : tuple of str
        What the user should know about the inputs.
    """

    parameters: Parameters
    plan: InjectionPlan
    output_directory: Path
    session_name: str
    recording_paths: tuple[Path, ...]
    truth_paths: tuple[Path, ...]
    num_clipped_samples: int | None
    warnings: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.uint64]:
        """Ground truth as in ``firings_true.npy``: centre row, sample, donor label; shape (3, num_events)."""
        return cast("NDArray[np.uint64]", np.load(self.output_directory / "firings_true.npy", allow_pickle=False))


def generate(
    parameters: Parameters | Mapping[str, object] | str | PathLike[str],
    *,
    write: bool = True,
    progress: ProgressCallback = no_progress,
) -> GenerateResult:
    """Make a hybrid recording with exactly known ground truth.

    Parameters
    ----------
    parameters : Parameters, mapping, or path
        A parameter file (.py or .toml), a folder that holds one, or the parameters themselves by name.
    write : bool
        Whether to write the hybrid's files. Without them everything else is made, in a time that does not depend on
        the recording's length: the hybrid can be read by ``load(...).recording``, and `write_hybrid` writes it later.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    GenerateResult

    Raises
    ------
    HybridFactoryError
        If an input is missing or wrong, the output cannot be written, or no unit could be injected. Nothing
        is left behind then.
    """
    asked = load_parameters(parameters)
    paths = find_source_files(asked.raw_source_file)
    sorting = read_sorting(
        asked.data_directory,
        output_type=asked.output_type,
        label_base=asked.label_base,
        source_paths=paths,
    )
    source = open_source(
        paths,
        start_time=asked.start_time,
        dtype=asked.data_type,
        sampling_frequency=asked.sample_rate,
        probe=asked.probe,
        num_rows=asked.raw_source_rows,
        num_rows_of_sorting=sorting.num_rows,
    )
    warnings = [*source.warnings, *sorting.warnings, *_check_sorting(sorting, source, asked)]
    settled = _settle(asked, source)
    output_directory = settled.output_directory
    targets = tuple(output_directory / hybrid_name(path.name) for path in paths)
    metas = {meta.path: output_directory / hybrid_name(meta.path.name) for meta in source.metas if meta}
    check_targets(output_directory, (*targets, *metas.values()), (*paths, *metas))
    if metas and any(folder in output_directory.parents for folder in {path.resolve().parent for path in metas}):
        warnings.append(
            f"{output_directory} lies below the SpikeGLX recording: readers that search subfolders, such as Neo, "
            "then find two recordings of one name and refuse both; give an output_directory elsewhere for them"
        )
    reuses = write and not settled.copy
    earlier = find_reusable_run(output_directory, source.recording, targets) if reuses else None
    how = OVER_EARLIER if earlier else _how_to_write(settled, source, sorting) if write else ""
    if write and earlier is None:
        check_free_space(output_directory, sum(path.stat().st_size for path in paths))

    with staging_folder(output_directory, recover=clear_interrupted) as staging:
        staged = RunPaths(staging, cast(str, settled.session_name))
        staged_targets = tuple(staging / target.name for target in targets)
        # What will be copied in any case is copied while the units are learnt; reading alone leaves the disk idle.
        with copying(paths, staged_targets) if how == OVER_COPY else nullcontext() as wait_for_copy:
            # Imported here, since compiled kernels and pandas take a second: the copy is under way by now.
            from hybridfactory.injection.script import load_script, save_script  # noqa: PLC0415
            from hybridfactory.injection.writer import render_into, restore_into  # noqa: PLC0415
            from hybridfactory.pipeline.planning import plan_injection  # noqa: PLC0415
            from hybridfactory.pipeline.truth import write_events, write_truth  # noqa: PLC0415

            plan, script = plan_injection(settled, source, sorting, progress)
            save_script(script, staged.script)
            write_truth(staged, settled, source, sorting, plan)
            if wait_for_copy is not None:
                wait_for_copy(progress)
        if earlier is not None:
            injected_before = load_script(earlier.paths.script)
            take_back(earlier, staged_targets)
            restore_into(staged_targets, source.recording, injected_before, progress=progress)
        clipped = None
        if write:
            clipped = render_into(
                staged_targets, source.recording, script, are_copies=how != IN_ONE_PASS, progress=progress
            )
        num_clipped = None if clipped is None else int(clipped.sum())
        write_events(staged, plan, script, clipped)
        staged_metas = tuple(staging / target.name for target in metas.values())
        for meta, staged_meta, target in zip(metas, staged_metas, metas.values(), strict=True):
            write_hybrid_meta(meta, staged_meta, target)
        write_manifest(
            staged,
            parameters=_as_json(settled),
            random_seed=cast(int, settled.random_seed),
            recording=source.recording,
            targets=staged_targets,
            metas=staged_metas,
            plan=plan,
            written=how or None,
            num_clipped_samples=num_clipped,
            warnings=warnings,
        )
        written = staged_targets if write else ()
        finished = (*written, *staged_metas, *staged.truth_files, staged.manifest)
        publish(finished, output_directory, files_of_earlier_run(output_directory))
    final = RunPaths(output_directory, staged.session_name)
    return GenerateResult(
        parameters=settled,
        plan=plan,
        output_directory=output_directory,
        session_name=staged.session_name,
        recording_paths=targets if write else (),
        truth_paths=(*metas.values(), *final.truth_files, final.manifest),
        num_clipped_samples=num_clipped,
        warnings=tuple(warnings),
    )


def _how_to_write(settled: Parameters, source: Source, sorting: Sorting) -> str:
    """Choose between writing over a copy and one pass, before anything is learned: a copy could begin at once."""
    share = _expected_share(settled, source, sorting)
    how = IN_ONE_PASS if share > ONE_PASS_SHARE else OVER_COPY
    _log.info("events will touch about %.0f %% of the recording: writing %s", 100 * share, how)
    return how


def _settle(asked: Parameters, source: Source) -> Parameters:
    """Fill in what was left to be drawn or found, so that the parameters repeat the run."""
    now = f"{time.time_ns()} {os.getpid()}"
    return replace(
        asked,
        random_seed=secrets.randbelow(2**31) if asked.random_seed is None else asked.random_seed,
        session_name=asked.session_name or hashlib.sha256(now.encode()).hexdigest()[:8],
        start_time=tuple(file.start_sample for file in source.recording.files),
        probe=source.probe,
        raw_source_rows=source.recording.num_rows,
    )


def _check_sorting(sorting: Sorting, source: Source, asked: Parameters) -> list[str]:
    """Refuse a sorting of another recording, or labels it does not have; count spikes that are of no use."""
    unknown = [label for label in asked.ground_truth_units if label not in sorting.labels]
    if unknown:
        known = ", ".join(map(str, sorting.labels[:20])) + (" …" if sorting.labels.size > 20 else "")
        raise SortingError(
            f"ground_truth_units: no spikes with label {', '.join(map(str, unknown))} in {asked.data_directory}; "
            f"choose from the labels there (label_base = {asked.label_base}): {known}"
        )
    rate = sorting.sampling_frequency
    if rate is not None and abs(rate / asked.sample_rate - 1) > 1e-3:
        raise SortingError(
            f"sample_rate is {asked.sample_rate:g} Hz, but the sorting in {asked.data_directory} says {rate:g} Hz: "
            "correct sample_rate, or give the sorting of this recording"
        )
    files = source.recording.files
    slack = asked.samples_before + asked.samples_after
    first, last = files[0].start_sample - slack, files[-1].stop_sample + slack
    times = sorting.spike_times
    outside = int(((times < first) | (times >= last)).sum())
    if outside:
        raise SortingError(
            f"{outside} of {times.size} spike times in {asked.data_directory} lie outside the recording (samples "
            f"{files[0].start_sample} to {files[-1].stop_sample}; spikes {times[0]} to {times[-1]}): check "
            "raw_source_file and start_time, or give the sorting of this recording"
        )
    lost = int((source.recording.file_of(times) < 0).sum())
    return [f"{lost} spikes lie in gaps between files or just outside, and are not used"] if lost else []


def _expected_share(settled: Parameters, source: Source, sorting: Sorting) -> float:
    """Share of the recording that events will touch, as far as it is known before anything is learned."""
    recording = source.recording
    if settled.synthetic_rate:
        num_events = sum(settled.synthetic_rate) * recording.num_samples / settled.sample_rate
    else:
        num_events = float(np.isin(sorting.spike_labels, settled.ground_truth_units).sum())
    return touched_share(num_events, settled.samples_before + 1 + settled.samples_after, recording.num_samples)


def _as_json(settled: Parameters) -> dict[str, Any]:
    """Parameters in JSON's types; the probe is stored in its own file."""
    values = {item.name: getattr(settled, item.name) for item in fields(settled)}
    values["probe"] = settled.probe.name if settled.probe else None
    values["data_type"] = settled.data_type.str
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
