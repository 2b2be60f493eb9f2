"""The native units: what the original sorting found in the recording, and the run has left in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import HybridFactoryError
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.ground_truth.run_tables import read_annotations
from hybridfactory.sorting import Sorting, read_sorting
from hybridfactory.validation.run_truth import positions_of_rows
from hybridfactory.validation.spikes import sorted_spikes
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Natives, no_natives

__all__ = ["OriginalSorting", "read_natives", "removed_donors"]


@dataclass(frozen=True, eq=False)
class OriginalSorting:
    """The sorting that a run was made from.

    Parameters
    ----------
    natives : Natives
    sorting : Sorting or None
        As it lies on the disk; None if it is gone.
    folder : pathlib.Path
        Where it was.
    notes : tuple of str
    """

    natives: Natives
    sorting: Sorting | None
    folder: Path
    notes: tuple[str, ...] = ()


def read_natives(run: HybridRun, timeline: Timeline) -> OriginalSorting:
    """Read the native units of a run from its original sorting; if that is gone, from the run's annotations."""
    parameters = run.manifest.content.get("parameters", {})
    folder = Path(parameters.get("data_directory", ""))
    label_base = int(parameters.get("label_base", 1))
    try:
        sorting = read_sorting(
            folder,
            output_type=parameters.get("output_type"),
            label_base=label_base,
            source_paths=[Path(source["path"]) for source in run.manifest.content["sources"]],
            sampling_frequency=run.sampling_frequency,
        ).on_timeline([int(source["start_sample"]) for source in run.manifest.content["sources"]])
    except HybridFactoryError as error:
        return _from_annotations(run, timeline, folder, label_base, error)
    natives = _placed(run, timeline, sorting.spike_times, sorting.spike_labels, label_base, sorting.unit_main_rows)
    unplaced = int(np.isnan(natives.positions_um[:, 0]).sum())
    notes = _note_on_removed(run)
    if unplaced:
        notes += (
            f"the original sorting does not tell where {unplaced} of its {natives.labels.size} units lie: they count "
            "as far from every injected event",
        )
    return OriginalSorting(natives, sorting, folder, notes)


def _from_annotations(
    run: HybridRun, timeline: Timeline, folder: Path, label_base: int, error: HybridFactoryError
) -> OriginalSorting:
    reason = f"the original sorting cannot be read ({error})"
    path = run.manifest.paths.annotations
    table = read_annotations(path)
    injected = run.artificial_units["new_unit"].unique()
    real = table[~table["cluster"].isin(injected)]
    if real.empty:
        return OriginalSorting(no_natives(), None, folder, (f"{reason}: native units are not known",))
    times, labels = (real[name].to_numpy(dtype=np.int64) for name in ("timestep", "cluster"))
    note = f"{reason}: native spikes are taken from {path.name}, which does not tell where the units lie"
    natives = _placed(run, timeline, times, labels, label_base, {})
    return OriginalSorting(natives, None, folder, (note, *_note_on_removed(run)))


def removed_donors(run: HybridRun) -> NDArray[np.int64]:
    """Labels of the donors that the run took out of the hybrid."""
    units = run.units
    return units.loc[units["removed_spikes"] > 0, "true_unit"].unique().astype(np.int64)


def _note_on_removed(run: HybridRun) -> tuple[str, ...]:
    labels = ", ".join(map(str, removed_donors(run)))
    return (f"donors whose spikes the run took out do not count as native units: {labels}",) if labels else ()


def _placed(
    run: HybridRun,
    timeline: Timeline,
    times: NDArray[np.int64],
    spike_labels: NDArray[np.int64],
    label_base: int,
    main_rows: Mapping[int, int],
) -> Natives:
    kept = (spike_labels >= label_base) & ~np.isin(spike_labels, removed_donors(run))
    labels, units = np.unique(spike_labels[kept], return_inverse=True)
    places = timeline.place(times[kept], timeline.starts, 0)
    rows = np.array([main_rows.get(int(label), -1) for label in labels], dtype=np.int64)
    positions = positions_of_rows(run, rows)
    return Natives(sorted_spikes(places, units.astype(np.int32), labels.size), labels, positions)
