"""The order of the steps from a parameter file to a hybrid recording with its truth."""

import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import HybridFactoryError, SortingError
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.witness import refuse_changes
from hybridfactory.injection.staging import staging_folder
from hybridfactory.parameters import Parameters, load_parameters
from hybridfactory.pipeline.job import Job
from hybridfactory.pipeline.opening import open_inputs
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.source import Source
from hybridfactory.sorting import Sorting

__all__ = ["GenerateResult", "generate"]

LABELS_SHOWN = 20


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
        What the user should know about the inputs, and about what an interrupted run had left in the folder.
    seconds : float
        How long it took.
    copy_seconds : float or None
        How long a copy of the source takes, as measured on what was copied beside everything else (the rest is
        written with the events in it); None if nothing was copied.
    """

    parameters: Parameters
    plan: InjectionPlan
    output_directory: Path
    session_name: str
    recording_paths: tuple[Path, ...]
    truth_paths: tuple[Path, ...]
    num_clipped_samples: int | None
    warnings: tuple[str, ...]
    seconds: float
    copy_seconds: float | None

    @property
    def truth(self) -> NDArray[np.uint64]:
        """Ground truth as in ``firings_true.npy``: centre row, sample, donor label; shape (3, num_events)."""
        return cast("NDArray[np.uint64]", np.load(self.output_directory / "firings_true.npy", allow_pickle=False))


def generate(
    parameters: Parameters | Mapping[str, object] | str | PathLike[str],
    *,
    write: bool = True,
    verify: bool = False,
    progress: ProgressCallback = no_progress,
) -> GenerateResult:
    """Make a hybrid recording with exactly known ground truth.

    Parameters
    ----------
    parameters : Parameters, mapping, or path
        A parameter file (.py or .toml), a folder that holds one, or the parameters themselves by name.
    write : bool
        Whether to write the hybrid's files. Without them everything else is made, in a time that does not depend on
        the recording's length: the hybrid can be read by ``load(...).recording``, and `write` writes it later.
    verify : bool
        Whether to take the SHA-256 of the source's files before and after the run, see that they agree, and put them
        into the manifest. Without it, size and time of change are compared.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    GenerateResult

    Raises
    ------
    HybridFactoryError
        If an input is missing or wrong or changes during the run, the output cannot be written, or no unit could be
        injected. Nothing is left behind then.
    """
    started = time.monotonic()
    asked = load_parameters(parameters)
    opened = open_inputs(asked)
    asked, source, sorting, witnesses = opened.asked, opened.source, opened.sorting, opened.witnesses
    warnings = [*source.warnings, *sorting.warnings, *_check_sorting(sorting, source, asked)]
    if not asked.ground_truth_units:  # "auto"
        from hybridfactory.pipeline.units import choose_units  # noqa: PLC0415

        asked = choose_units(asked, source, sorting, progress)
    settled = _settle(asked, source)
    warnings += _check_place(settled.output_directory, source)
    notes: list[str] = []
    with staging_folder(settled.output_directory, tell=notes.append) as staging:
        job = Job(settled, source, sorting, witnesses, staging, write, verify, progress)
        job.check_outputs()
        try:
            plan, num_clipped, copy_seconds = job.run(warnings)
        except HybridFactoryError:
            # A source that changes on the way can look like anything; it is then the reason.
            refuse_changes(witnesses)
            raise
    final = RunPaths(settled.output_directory, cast(str, settled.session_name))
    return GenerateResult(
        parameters=settled,
        plan=plan,
        output_directory=settled.output_directory,
        session_name=final.session_name,
        recording_paths=job.targets if write else (),
        truth_paths=(*job.described(final), *job.metas.values(), *final.truth_files, final.manifest),
        num_clipped_samples=num_clipped,
        warnings=(*warnings, *notes),
        seconds=time.monotonic() - started,
        copy_seconds=copy_seconds,
    )


def _check_place(output_directory: Path, source: Source) -> list[str]:
    """Warn of an output folder that confuses readers of the source."""
    folders = {meta.path.resolve().parent for meta in source.metas if meta}
    if not any(folder in output_directory.parents for folder in folders):
        return []
    return [
        f"{output_directory} lies below the SpikeGLX recording: readers that search subfolders, such as Neo, "
        "then find two recordings of one name and refuse both; give an output_directory elsewhere for them"
    ]


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
        nearest = np.argsort(np.abs(sorting.labels - unknown[0]), kind="stable")[:LABELS_SHOWN]
        known = ", ".join(map(str, np.sort(sorting.labels[nearest])))
        which = (
            "the labels there"
            if sorting.labels.size <= LABELS_SHOWN
            else "the labels there, the nearest of which are"
        )
        raise SortingError(
            f"ground_truth_units: no spikes with label {', '.join(map(str, unknown))} in {asked.data_directory}; "
            f"choose from {which} (label_base = {asked.label_base}): {known}"
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
