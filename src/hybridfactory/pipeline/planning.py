"""What goes where and when: events learned, the plan made, and all that rendering needs put together."""

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import NothingInjectedError, ParameterError, RecordingError
from hybridfactory.events.background import background_deviation
from hybridfactory.events.learn import learn_event_models
from hybridfactory.events.model import EventModel
from hybridfactory.events.settings import ModelSettings, Sites
from hybridfactory.injection.script import InjectionScript, write_script
from hybridfactory.parameters import Parameters
from hybridfactory.plan.amplitudes import AmplitudeTarget
from hybridfactory.plan.make import PlanSettings, make_plan
from hybridfactory.plan.placement import ProbeSites
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.plan.spike_times import TimingRules
from hybridfactory.probes import Probe
from hybridfactory.progress import ProgressCallback
from hybridfactory.recording.source import Source
from hybridfactory.sorting import Sorting

__all__ = ["plan_injection", "probe_sites"]


def plan_injection(
    settled: Parameters, source: Source, sorting: Sorting, progress: ProgressCallback
) -> tuple[InjectionPlan, InjectionScript]:
    """Learn the donors' events from the source, and decide what goes where and when."""
    trains = {label: sorting.spike_train(label) for label in settled.ground_truth_units}
    sites = probe_sites(source.probe)
    target = _amplitude_target(settled, source)
    connected = Sites(sites.rows[sites.connected], sites.positions_um[sites.connected], sites.shanks[sites.connected])
    models = learn_event_models(source.recording, trains, connected, _model_settings(settled), progress=progress)
    plan = make_plan(
        models,
        {label: train.size for label, train in trains.items()},
        sites,
        np.array(sorted(sorting.unit_main_rows.values()), dtype=np.int64),
        _timing_rules(settled, source),
        _plan_settings(settled, sorting, target),
    )
    if not plan.injected_units:
        reasons = "; ".join(f"unit {unit.donor_label}: {unit.reason}" for unit in plan)
        raise NothingInjectedError(
            f"no unit could be injected: {reasons}; choose other ground_truth_units, or mend what is named"
        )
    return plan, write_script(plan, {k: model for k, model in models.items() if isinstance(model, EventModel)})


def probe_sites(probe: Probe) -> ProbeSites:
    """Every channel of a probe, as placement sees it."""
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


def _amplitude_target(settled: Parameters, source: Source) -> AmplitudeTarget | None:
    """How large units are to be, in counts on every raw row."""
    if settled.target_snr is not None:
        name, stated = "target_snr", settled.target_snr
        counts = _noise(settled, source)
    elif settled.target_amplitude_uV is not None:
        name, stated = "target_amplitude_uV", settled.target_amplitude_uV
        counts = 1 / _gains_uV(source)
    else:
        return None
    low, high = stated if isinstance(stated, tuple) else (stated, stated)
    dtype = source.recording.dtype
    is_whole = dtype.kind in "iu"
    largest = 2.0 ** (8 * dtype.itemsize - 1) if is_whole else math.inf
    return AmplitudeTarget(name, low, high, counts, is_whole, largest)


def _noise(settled: Parameters, source: Source) -> NDArray[np.float64]:
    """Standard deviation of the background on every raw row; NaN on those that are no connected site."""
    rows = np.sort(source.probe.connected_rows)
    deviations = np.full(source.recording.num_rows, np.nan)
    deviations[rows] = background_deviation(
        source.recording,
        rows,
        samples_before=settled.samples_before,
        samples_after=settled.samples_after,
        seed=cast(int, settled.random_seed),
    )
    return deviations


def _gains_uV(source: Source) -> NDArray[np.float64]:
    """µV per count of every raw row."""
    try:
        gains = source.read_gains_uV()
        if gains is None:
            raise RecordingError(f"there is no .meta file beside {source.recording.files[0].path.name}")
    except RecordingError as error:
        raise ParameterError(
            f"target_amplitude_uV needs µV per count, and {error}; or state the size as target_snr instead"
        ) from error
    return gains


def _plan_settings(settled: Parameters, sorting: Sorting, target: AmplitudeTarget | None) -> PlanSettings:
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
        target=target,
        units_per_donor=settled.units_per_donor,
        remove_original=settled.remove_original,
    )
