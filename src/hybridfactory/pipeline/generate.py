"""The order of the steps from a parameter file to a hybrid recording with its truth."""

import hashlib
import math
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

from hybridfactory.errors import NothingInjectedError, SortingError
from hybridfactory.events.learn import ModelSettings, Sites, learn_event_models
from hybridfactory.events.model import EventModel
from hybridfactory.ground_truth.manifest import write_manifest
from hybridfactory.ground_truth.paths import RunPaths
from hybridfactory.ground_truth.replacement import (
    check_targets,
    clear_interrupted,
    files_of_earlier_run,
    find_reusable_run,
    take_back,
)
from hybridfactory.ground_truth.tables import (
    RealSpikes,
    write_annotations,
    write_artificial_units,
    write_dtype,
    write_firings_true,
    write_metadata,
    write_plan,
    write_units,
)
from hybridfactory.injection.script import InjectionScript, load_script, save_script, write_script
from hybridfactory.injection.staging import check_free_space, publish, staging_folder
from hybridfactory.injection.writer import copying, render_into, restore_into
from hybridfactory.parameters import Parameters, load_parameters, write_hfparams
from hybridfactory.plan.make import PlanSettings, make_plan
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.plan.spike_times import TimingRules
from hybridfactory.probes import Probe, save_probe
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.source import Source, find_source_files, hybrid_name, open_source
from hybridfactory.recording.spikeglx_meta import write_hybrid_meta
from hybridfactory.sorting import Sorting, read_sorting

__all__ = ["GenerateResult", "generate"]


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
        The hybrid files, in timeline order.
    truth_paths : tuple of pathlib.Path
        All other files of the run.
    num_clipped_samples : int
        Samples that hit the end of the data type's range.
    warnings : tuple of str
        What the user should know about the inputs.
    """

    parameters: Parameters
    plan: InjectionPlan
    output_directory: Path
    session_name: str
    recording_paths: tuple[Path, ...]
    truth_paths: tuple[Path, ...]
    num_clipped_samples: int
    warnings: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.uint64]:
        """Ground truth as in ``firings_true.npy``: centre row, sample, donor label; shape (3, num_events)."""
        return cast("NDArray[np.uint64]", np.load(self.output_directory / "firings_true.npy", allow_pickle=False))


def generate(
    parameters: Parameters | Mapping[str, object] | str | PathLike[str],
    *,
    progress: ProgressCallback = no_progress,
) -> GenerateResult:
    """Make a hybrid recording with exactly known ground truth.

    Parameters
    ----------
    parameters : Parameters, mapping, or path
        A parameter file (.py or .toml), a folder that holds one, or the parameters themselves by name.
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
    earlier = None if settled.copy else find_reusable_run(output_directory, source.recording, targets)
    if earlier is None:
        check_free_space(output_directory, sum(path.stat().st_size for path in paths))

    with staging_folder(output_directory, recover=clear_interrupted) as staging:
        staged = RunPaths(staging, cast(str, settled.session_name))
        staged_targets = tuple(staging / target.name for target in targets)
        # What will be copied in any case is copied while the units are learnt; reading alone leaves the disk idle.
        with copying(paths, staged_targets) if earlier is None else nullcontext() as wait_for_copy:
            plan, script = _plan_injection(settled, source, sorting, progress)
            write_plan(staged.plan, plan)
            save_script(script, staged.script)
            if wait_for_copy is not None:
                wait_for_copy(progress)
        if earlier is not None:
            injected_before = load_script(earlier.paths.script)
            take_back(earlier, staged_targets)
            restore_into(staged_targets, source.recording, injected_before, progress=progress)
        clipped = render_into(staged_targets, source.recording, script, progress=progress)
        _write_truth(staged, settled, source, sorting, plan, script, clipped)
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
            num_clipped_samples=int(clipped.sum()),
            warnings=warnings,
        )
        finished = (*staged_targets, *staged_metas, *staged.truth_files, staged.manifest)
        publish(finished, output_directory, files_of_earlier_run(output_directory))
    final = RunPaths(output_directory, staged.session_name)
    return GenerateResult(
        parameters=settled,
        plan=plan,
        output_directory=output_directory,
        session_name=staged.session_name,
        recording_paths=targets,
        truth_paths=(*metas.values(), *final.truth_files, final.manifest),
        num_clipped_samples=int(clipped.sum()),
        warnings=tuple(warnings),
    )


def _plan_injection(
    settled: Parameters, source: Source, sorting: Sorting, progress: ProgressCallback
) -> tuple[InjectionPlan, InjectionScript]:
    """Learn the donors' events from the source, and decide what goes where and when."""
    trains = {label: sorting.spike_train(label) for label in settled.ground_truth_units}
    sites = _probe_sites(source.probe)
    connected = Sites(sites.rows[sites.connected], sites.positions_um[sites.connected], sites.shanks[sites.connected])
    models = learn_event_models(source.recording, trains, connected, _model_settings(settled), progress=progress)
    plan = make_plan(
        models,
        {label: train.size for label, train in trains.items()},
        sites,
        np.array(sorted(sorting.unit_main_rows.values()), dtype=np.int64),
        _timing_rules(settled, source),
        _plan_settings(settled, sorting),
    )
    if not plan.injected_units:
        reasons = "; ".join(f"unit {unit.donor_label}: {unit.reason}" for unit in plan)
        raise NothingInjectedError(
            f"no unit could be injected: {reasons}; choose other ground_truth_units, or mend what is named"
        )
    return plan, write_script(plan, {k: model for k, model in models.items() if isinstance(model, EventModel)})


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


def _probe_sites(probe: Probe) -> ProbeSites:
    names = probe.shank_ids or ("",) * probe.num_channels
    _, shanks = np.unique(np.array(names), return_inverse=True)
    return ProbeSites(probe.channel_map, probe.channel_positions, shanks.astype(np.int64), probe.connected)


def _model_settings(settled: Parameters) -> ModelSettings:
    rank = settled.num_singular_values
    return ModelSettings(
        samples_before=settled.samples_before,
        samples_after=settled.samples_after,
        max_rank=None if rank == "auto" else int(rank),
        construction=settled.event_model,
        seed=cast(int, settled.random_seed),
        label_base=settled.label_base,
    )


def _timing_rules(settled: Parameters, source: Source) -> TimingRules:
    refractory = math.ceil(settled.refractory_ms / 1000 * settled.sample_rate)
    return TimingRules(source.recording, settled.samples_before, settled.samples_after, max(refractory, 1))


def _plan_settings(settled: Parameters, sorting: Sorting) -> PlanSettings:
    rates = settled.synthetic_rate
    return PlanSettings(
        channel_shift=settled.channel_shift,
        synthetic_rates_hz=dict(zip(settled.ground_truth_units, rates, strict=True)) if rates else {},
        time_jitter=settled.time_jitter,
        amplitude_scale_min=settled.amplitude_scale_min,
        amplitude_scale_max=settled.amplitude_scale_max,
        seed=cast(int, settled.random_seed),
        max_label=int(sorting.labels.max()),
        label_base=settled.label_base,
    )


def _write_truth(
    staged: RunPaths,
    settled: Parameters,
    source: Source,
    sorting: Sorting,
    plan: InjectionPlan,
    script: InjectionScript,
    clipped: NDArray[np.int32],
) -> None:
    names = [hybrid_name(file.path.name) for file in source.recording.files]
    write_metadata(staged.metadata, source.recording, names)
    write_annotations(staged.annotations, _real_spikes(sorting, plan, source.probe), plan)
    per_unit = [clipped[script.units == script.unit_of(unit.injected_label)] for unit in plan.injected_units]
    write_artificial_units(staged.artificial_units, plan, per_unit)
    write_firings_true(staged.firings_true, plan)
    write_units(staged.units, plan)
    save_probe(source.probe, staged.probe)
    write_dtype(staged.dtype, source.recording)
    write_hfparams(settled, staged.hfparams)


def _real_spikes(sorting: Sorting, plan: InjectionPlan, probe: Probe) -> RealSpikes:
    """Collect the sorting's spikes with their templates or sites, and what stands there for injected events."""
    name, extra, of_injected = None, None, {}
    if sorting.spike_templates is not None:
        name, extra = "template", sorting.spike_templates
        for unit in plan.injected_units:
            values, counts = np.unique(extra[sorting.spike_labels == unit.donor_label], return_counts=True)
            of_injected[unit.donor_label] = int(values[counts.argmax()])
    elif sorting.spike_channel_index is not None:
        name, extra = "channel_index", sorting.spike_channel_index
        channels = {int(row): channel for channel, row in enumerate(probe.channel_map)}
        for unit in plan.injected_units:
            of_injected[unit.donor_label] = channels[cast(int, unit.center_row)]
    return RealSpikes(sorting.spike_times, sorting.spike_labels, name, extra, of_injected)


def _as_json(settled: Parameters) -> dict[str, Any]:
    """Parameters in JSON's types; the probe is stored in its own file."""
    values = {item.name: getattr(settled, item.name) for item in fields(settled)}
    values["probe"] = settled.probe.name if settled.probe else None
    values["data_type"] = settled.data_type.str
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
