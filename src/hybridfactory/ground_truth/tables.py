"""The documented tables and arrays of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.plan.plan import InjectionPlan, PlannedUnit
from hybridfactory.recording.flat import FlatRecording

__all__ = [
    "RealSpikes",
    "write_annotations",
    "write_artificial_units",
    "write_dtype",
    "write_firings_true",
    "write_metadata",
    "write_plan",
    "write_units",
]


@dataclass(frozen=True, eq=False)
class RealSpikes:
    """The sorting's own spikes, for the table of annotations.

    Parameters
    ----------
    samples, labels : numpy.ndarray of int64, shape (num_spikes,)
    extra_name : str or None
        ``"template"`` or ``"channel_index"``, where the sorting has such a column.
    extra : numpy.ndarray of int64, shape (num_spikes,), or None
    extra_of_injected : dict of int to int
        Value of that column for the events of each donor label.
    """

    samples: NDArray[np.int64]
    labels: NDArray[np.int64]
    extra_name: str | None
    extra: NDArray[np.int64] | None
    extra_of_injected: dict[int, int]


def write_metadata(path: Path, recording: FlatRecording, names: Sequence[str]) -> None:
    """Write one row per hybrid file: its name in the folder, samples, start on the timeline, sampling rate."""
    pd.DataFrame(
        {
            "filename": list(names),
            "samples": [file.num_samples for file in recording.files],
            "start_time": [file.start_sample for file in recording.files],
            "sample_rate": recording.sampling_frequency,
        }
    ).to_csv(path, index=False)


def write_annotations(path: Path, real: RealSpikes, plan: InjectionPlan) -> None:
    """Write every spike, real and injected, in order of time."""
    units = plan.injected_units
    columns = {
        "timestep": np.concatenate([real.samples, *(unit.samples for unit in units)]),
        "cluster": np.concatenate([real.labels, _per_event(units, lambda unit: cast(int, unit.injected_label))]),
    }
    if real.extra_name is not None and real.extra is not None:
        injected = _per_event(units, lambda unit: real.extra_of_injected[unit.donor_label])
        columns[real.extra_name] = np.concatenate([real.extra, injected])
    order = np.argsort(columns["timestep"], kind="stable")
    pd.DataFrame({name: values[order] for name, values in columns.items()}).to_csv(path, index=False)


def write_artificial_units(path: Path, plan: InjectionPlan, clipped: Sequence[NDArray[np.int32]]) -> None:
    """Write one row per injected event, in order of time.

    Parameters
    ----------
    path : pathlib.Path
    plan : InjectionPlan
    clipped : sequence of numpy.ndarray of int32
        Clipped samples per event, one array per injected unit.
    """
    units = plan.injected_units
    events = pd.DataFrame(
        {
            "timestep": np.concatenate([unit.samples for unit in units]),
            "true_unit": _per_event(units, lambda unit: unit.donor_label),
            "new_unit": _per_event(units, lambda unit: cast(int, unit.injected_label)),
            "center_channel": _per_event(units, lambda unit: cast(int, unit.center_row)),
            "amplitude_factor": np.concatenate([unit.amplitude_factors for unit in units]),
            "donor_spike": np.concatenate([unit.donor_samples for unit in units]),
            "clipped_samples": np.concatenate(clipped),
        }
    )
    events.sort_values(["timestep", "new_unit"], kind="stable").to_csv(path, index=False)


def write_firings_true(path: Path, plan: InjectionPlan) -> None:
    """Write 3 × K uint64: centre row, sample of the trough, donor label; sorted by sample."""
    units = plan.injected_units
    firings = np.stack(
        [
            _per_event(units, lambda unit: cast(int, unit.center_row)),
            np.concatenate([unit.samples for unit in units]),
            _per_event(units, lambda unit: unit.donor_label),
        ]
    )
    np.save(path, firings[:, np.lexsort((firings[2], firings[1]))].astype(np.uint64))


def write_units(path: Path, plan: InjectionPlan) -> None:
    """Write one row per donor unit, with what became of it."""
    pd.DataFrame(
        {
            "true_unit": [unit.donor_label for unit in plan],
            "new_unit": pd.array([unit.injected_label for unit in plan], dtype="Int64"),
            "status": ["injected" if unit.is_injected else "refused" for unit in plan],
            "reason": [unit.reason for unit in plan],
            "donor_channel": pd.array([unit.donor_row for unit in plan], dtype="Int64"),
            "center_channel": pd.array([unit.center_row for unit in plan], dtype="Int64"),
            "move": [unit.move for unit in plan],
            "displacement_x_um": [unit.displacement_um[0] for unit in plan],
            "displacement_y_um": [unit.displacement_um[1] for unit in plan],
            "donor_spikes": [unit.num_donor_spikes for unit in plan],
            "training_spikes": [unit.num_training_spikes for unit in plan],
            "events": [unit.num_events for unit in plan],
            "refused_events": [len(unit.refused.reasons) for unit in plan],
            "snr": [unit.snr for unit in plan],
            "rank": [unit.rank for unit in plan],
            "notes": ["; ".join(unit.notes) for unit in plan],
        }
    ).to_csv(path, index=False)


def write_plan(path: Path, plan: InjectionPlan) -> None:
    """Write one row per planned event, per refused event, and per refused unit, with the reason of a refusal."""
    parts = [table for unit in plan for table in _plan_rows(unit)]
    pd.concat(parts, ignore_index=True).to_csv(path, index=False)


def _plan_rows(unit: PlannedUnit) -> list[pd.DataFrame]:
    if not unit.is_injected:
        return [_plan_table(unit, "unit refused", [unit.reason], [None], [None], [None])]
    tables = []
    if unit.num_events:
        nothing = [""] * unit.num_events
        factors = unit.amplitude_factors
        tables.append(_plan_table(unit, "injected", nothing, unit.samples, unit.donor_samples, factors))
    if unit.refused.reasons:
        empty = [None] * len(unit.refused.reasons)
        donors = unit.refused.donor_samples
        tables.append(_plan_table(unit, "event refused", unit.refused.reasons, empty, donors, empty))
    return tables


def _plan_table(
    unit: PlannedUnit,
    status: str,
    reasons: Sequence[str],
    samples: Sequence[int | None] | NDArray[np.int64],
    donors: Sequence[int | None] | NDArray[np.int64],
    factors: Sequence[float | None] | NDArray[np.float32],
) -> pd.DataFrame:
    count = len(reasons)
    return pd.DataFrame(
        {
            "true_unit": unit.donor_label,
            "new_unit": pd.array([unit.injected_label] * count, dtype="Int64"),
            "status": status,
            "timestep": pd.array(samples, dtype="Int64"),
            "center_channel": pd.array([unit.center_row] * count, dtype="Int64"),
            "donor_spike": pd.array(donors, dtype="Int64"),
            "amplitude_factor": pd.array(factors, dtype="Float32"),
            "reason": list(reasons),
        }
    )


def write_dtype(path: Path, recording: FlatRecording) -> None:
    """Write an array of the recording's type: the sampling rate, where that type can hold it, else empty."""
    rate = recording.sampling_frequency
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.array([rate]).astype(recording.dtype)
    np.save(path, value if float(value[0]) == rate else value[:0])


def _per_event(units: Sequence[PlannedUnit], value: Callable[[PlannedUnit], int]) -> NDArray[np.int64]:
    """Value of each unit, once for each of its events."""
    values = np.array([value(unit) for unit in units], dtype=np.int64)
    return np.repeat(values, [unit.num_events for unit in units])
