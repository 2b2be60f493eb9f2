"""The documented tables and arrays of a run."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridfactory.plan.plan import InjectionPlan, PlannedUnit
from hybridfactory.recording.flat import FlatRecording

__all__ = [
    "RealSpikes",
    "fill_in_clipped",
    "write_annotations",
    "write_artificial_units",
    "write_dtype",
    "write_firings_true",
    "write_metadata",
    "write_plan",
    "write_units",
]

CLIPPED = "clipped_samples"
ROWS_AT_ONCE = 20_000


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
        Value of that column for the events of each injected label.
    """

    samples: NDArray[np.int64]
    labels: NDArray[np.int64]
    extra_name: str | None
    extra: NDArray[np.int64] | None
    extra_of_injected: dict[int, int]


def _write_table(path: Path, *parts: Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
    """Write tables with the same columns, one below the other, as comma-separated values.

    What is None or no number stays empty.

    Parameters
    ----------
    path : pathlib.Path
    *parts : mapping of str to sequence
        Columns of one length.
    """
    # The library for tables takes longer to load than a table of a hundred thousand lines takes to write.
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(parts[0])
        for part in parts:
            # Some rows at a time: as Python's numbers they take many times the memory.
            for first in range(0, len(next(iter(part.values()))), ROWS_AT_ONCE):
                some = (_as_written(values[first : first + ROWS_AT_ONCE]) for values in part.values())
                writer.writerows(zip(*some, strict=True))


def _as_written(values: Sequence[Any] | NDArray[Any]) -> Sequence[Any]:
    """Each value as it stands in a table; floats with as many digits as tell them from all others of their type."""
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype.kind != "f":
        return cast("list[Any]", values.tolist())
    distinct, index = np.unique(values, return_inverse=True)
    texts = np.where(np.isnan(distinct), "", distinct.astype(str))
    return cast("list[Any]", texts[index].tolist())


def write_metadata(path: Path, recording: FlatRecording, names: Sequence[str]) -> None:
    """Write one row per hybrid file: its name in the folder, samples, start on the timeline, sampling rate."""
    _write_table(
        path,
        {
            "filename": list(names),
            "samples": [file.num_samples for file in recording.files],
            "start_time": [file.start_sample for file in recording.files],
            "sample_rate": np.full(len(names), recording.sampling_frequency),
        },
    )


def write_annotations(path: Path, real: RealSpikes, plan: InjectionPlan) -> None:
    """Write every spike, real and injected, in order of time."""
    units = plan.injected_units
    columns = {
        "timestep": np.concatenate([real.samples, *(unit.samples for unit in units)]),
        "cluster": np.concatenate([real.labels, _per_event(units, lambda unit: cast(int, unit.injected_label))]),
    }
    if real.extra_name is not None and real.extra is not None:
        injected = _per_event(units, lambda unit: real.extra_of_injected[cast(int, unit.injected_label)])
        columns[real.extra_name] = np.concatenate([real.extra, injected])
    order = np.argsort(columns["timestep"], kind="stable")
    _write_table(path, {name: values[order] for name, values in columns.items()})


def write_artificial_units(path: Path, plan: InjectionPlan, clipped: Sequence[NDArray[np.int32]] | None) -> None:
    """Write one row per injected event, in order of time.

    Parameters
    ----------
    path : pathlib.Path
    plan : InjectionPlan
    clipped : sequence of numpy.ndarray of int32, or None
        Clipped samples per event, one array per injected unit; None leaves the column empty.
    """
    units = plan.injected_units
    columns: dict[str, NDArray[Any]] = {
        "timestep": np.concatenate([unit.samples for unit in units]),
        "true_unit": _per_event(units, lambda unit: unit.donor_label),
        "new_unit": _per_event(units, lambda unit: cast(int, unit.injected_label)),
        "center_channel": _per_event(units, lambda unit: cast(int, unit.center_row)),
        "amplitude_factor": np.concatenate([unit.amplitude_factors for unit in units]),
        "donor_spike": np.concatenate([unit.donor_samples for unit in units]),
    }
    columns[CLIPPED] = np.full(plan.num_events, np.nan) if clipped is None else np.concatenate(clipped)
    order = np.lexsort((columns["new_unit"], columns["timestep"]))
    _write_table(path, {name: values[order] for name, values in columns.items()})


def fill_in_clipped(path: Path, target: Path, clipped: Mapping[int, NDArray[np.int32]]) -> None:
    """Copy a run's table of events, with the column of clipped samples filled in.

    Parameters
    ----------
    path, target : pathlib.Path
    clipped : mapping of int to numpy.ndarray of int32
        By injected label, the clipped samples of its events in order of time.
    """
    counts = {str(label): iter(values.tolist()) for label, values in clipped.items()}
    with path.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(stream, rows.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, CLIPPED: next(counts[row["new_unit"]])} for row in rows)


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
    """Write one row per injected or refused unit, with what became of it."""
    _write_table(
        path,
        {
            "true_unit": [unit.donor_label for unit in plan],
            "new_unit": [unit.injected_label for unit in plan],
            "status": ["injected" if unit.is_injected else "refused" for unit in plan],
            "reason": [unit.reason for unit in plan],
            "donor_channel": [unit.donor_row for unit in plan],
            "center_channel": [unit.center_row for unit in plan],
            "move": [unit.move for unit in plan],
            "displacement_x_um": np.array([unit.displacement_um[0] for unit in plan]),
            "displacement_y_um": np.array([unit.displacement_um[1] for unit in plan]),
            "donor_spikes": [unit.num_donor_spikes for unit in plan],
            "training_spikes": [unit.num_training_spikes for unit in plan],
            "events": [unit.num_events for unit in plan],
            "refused_events": [len(unit.refused.reasons) for unit in plan],
            "snr": np.array([unit.snr for unit in plan]),
            "rank": [unit.rank for unit in plan],
            "unit_factor": np.array([unit.unit_factor for unit in plan]),
            "removed_spikes": [unit.num_removed_spikes for unit in plan],
            "notes": ["; ".join(unit.notes) for unit in plan],
        },
    )


def write_plan(path: Path, plan: InjectionPlan) -> None:
    """Write one row per planned event, per refused event, and per refused unit, with the reason of a refusal."""
    _write_table(path, *(part for unit in plan for part in _plan_parts(unit)))


def _plan_parts(unit: PlannedUnit) -> list[Mapping[str, Sequence[Any] | NDArray[Any]]]:
    if not unit.is_injected:
        return [_plan_part(unit, "unit refused", [unit.reason], [None], [None], [None])]
    nothing = [""] * unit.num_events
    events = _plan_part(unit, "injected", nothing, unit.samples, unit.donor_samples, unit.amplitude_factors)
    empty, reasons = [None] * len(unit.refused.reasons), unit.refused.reasons
    return [events, _plan_part(unit, "event refused", reasons, empty, unit.refused.donor_samples, empty)]


def _plan_part(
    unit: PlannedUnit,
    status: str,
    reasons: Sequence[str],
    samples: Sequence[None] | NDArray[np.int64],
    donors: Sequence[None] | NDArray[np.int64],
    factors: Sequence[None] | NDArray[np.float32],
) -> Mapping[str, Sequence[Any] | NDArray[Any]]:
    count = len(reasons)
    return {
        "true_unit": [unit.donor_label] * count,
        "new_unit": [unit.injected_label] * count,
        "status": [status] * count,
        "timestep": samples,
        "center_channel": [unit.center_row] * count,
        "donor_spike": donors,
        "amplitude_factor": factors,
        "reason": reasons,
    }


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
