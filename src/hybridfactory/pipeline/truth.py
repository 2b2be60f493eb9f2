"""The truth of a run on disk, put together from all that was decided."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.ground_truth.paths import RunPaths
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
from hybridfactory.injection.script import InjectionScript
from hybridfactory.parameters import Parameters, write_hfparams
from hybridfactory.plan.plan import InjectionPlan
from hybridfactory.probes import Probe, save_probe
from hybridfactory.recording.source import Source
from hybridfactory.sorting import Sorting

__all__ = ["write_events", "write_truth"]


def write_truth(staged: RunPaths, settled: Parameters, source: Source, sorting: Sorting, plan: InjectionPlan) -> None:
    """Write all that is known before the hybrid is written."""
    write_plan(staged.plan, plan)
    names = [file.hybrid_name for file in source.recording.files]
    write_metadata(staged.metadata, source.recording, names)
    write_annotations(staged.annotations, _real_spikes(sorting, plan, source.probe), plan)
    write_firings_true(staged.firings_true, plan)
    write_units(staged.units, plan)
    save_probe(source.probe, staged.probe)
    write_dtype(staged.dtype, source.recording)
    write_hfparams(settled, staged.hfparams)


def write_events(
    staged: RunPaths, plan: InjectionPlan, script: InjectionScript, clipped: NDArray[np.int32] | None
) -> None:
    """Write the table of events, with the clipped samples of each, in the script's order, if they are known."""
    per_unit = None
    if clipped is not None:
        by_unit = np.argsort(script.units, kind="stable")
        bounds = np.searchsorted(script.units[by_unit], np.arange(script.labels.size + 1))
        places = [script.unit_of(unit.injected_label) for unit in plan.injected_units]
        per_unit = [clipped[by_unit[bounds[place] : bounds[place + 1]]] for place in places]
    write_artificial_units(staged.artificial_units, plan, per_unit)


def _real_spikes(sorting: Sorting, plan: InjectionPlan, probe: Probe) -> RealSpikes:
    """Collect the sorting's spikes with their templates or sites, and what stands there for injected events."""
    name, extra, of_injected = None, None, {}
    if sorting.spike_templates is not None:
        name, extra = "template", sorting.spike_templates
        for unit in plan.injected_units:
            values, counts = np.unique(extra[sorting.spike_labels == unit.donor_label], return_counts=True)
            of_injected[cast(int, unit.injected_label)] = int(values[counts.argmax()])
    elif sorting.spike_channel_index is not None:
        name, extra = "channel_index", sorting.spike_channel_index
        channels = {int(row): channel for channel, row in enumerate(probe.channel_map)}
        for unit in plan.injected_units:
            of_injected[cast(int, unit.injected_label)] = channels[cast(int, unit.center_row)]
    return RealSpikes(sorting.spike_times, sorting.spike_labels, name, extra, of_injected)
