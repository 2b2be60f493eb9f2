"""The tables of a finished run, read and checked: columns, types, and ranges that later steps rely on."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.errors import OutputError

__all__ = ["check_rows", "check_together", "read_annotations", "read_events", "read_refusals", "read_units"]

AGAIN = "run 'hybridfactory generate' again"
MOST = 2**53
"""Above all samples and labels; a float holds every whole number below it."""

WHOLE, WHOLE_OR_NONE, NUMBER, TEXT = "whole", "whole or none", "number", "text"
EVENTS = {
    **dict.fromkeys(("timestep", "true_unit", "new_unit", "center_channel", "donor_spike"), WHOLE),
    "amplitude_factor": NUMBER,
    "clipped_samples": WHOLE_OR_NONE,
}
UNITS = {
    **dict.fromkeys(("true_unit", "donor_spikes", "training_spikes", "events", "refused_events"), WHOLE),
    **dict.fromkeys(("new_unit", "donor_channel", "center_channel", "rank"), WHOLE_OR_NONE),
    **dict.fromkeys(("displacement_x_um", "displacement_y_um", "snr"), NUMBER),
    **dict.fromkeys(("status", "reason", "move", "notes"), TEXT),
}

LATER_UNITS = {"unit_factor": (NUMBER, 1.0), "removed_spikes": (WHOLE, 0)}
"""Columns that tables of runs made before they were there lack, with what holds for those runs."""


def read_events(path: Path) -> pd.DataFrame:
    """Read one row per injected event.

    Raises
    ------
    OutputError
        The table is damaged.
    """
    table = _checked(path, EVENTS)
    if np.any(np.diff(table["timestep"].to_numpy()) < 0):
        raise _damaged(path, "its events are not in order of time")
    return table


def read_units(path: Path) -> pd.DataFrame:
    """Read one row per injected or refused unit; an injected one has a label, a donor's row and a row of its own.

    Raises
    ------
    OutputError
        The table is damaged.
    """
    table = _checked(path, UNITS, later=LATER_UNITS)
    injected = table[table["status"] == "injected"]
    if injected[["new_unit", "donor_channel", "center_channel"]].isna().to_numpy().any():
        raise _damaged(path, "an injected unit has no label or no channel")
    if injected["new_unit"].duplicated().any():
        raise _damaged(path, "it lists a unit twice")
    return table


def check_rows(units: pd.DataFrame, rows: NDArray[np.int64], path: Path) -> None:
    """Check that every unit lies on one of the probe's connected rows.

    Raises
    ------
    OutputError
    """
    for name in ("donor_channel", "center_channel"):
        strangers = units[name][~units[name].isin(rows)].dropna()
        if not strangers.empty:
            raise _damaged(path, f"{name} names row {strangers.iloc[0]:.0f}, which the probe has not")


def check_together(events: pd.DataFrame, units: pd.DataFrame, path: Path) -> None:
    """Check that the table of events has the events that the table of units counts.

    Raises
    ------
    OutputError
        They contradict each other; names the table of events.
    """
    injected = units[units["status"] == "injected"].set_index("new_unit")
    counts = events["new_unit"].value_counts().reindex(injected.index, fill_value=0)
    same = len(events) == injected["events"].sum() and bool((counts == injected["events"]).all())
    for column in ("true_unit", "center_channel") if same else ():
        stated = injected[column].reindex(events["new_unit"]).to_numpy(dtype=np.float64)
        same = same and np.array_equal(stated, events[column].to_numpy(dtype=np.float64))
    if not same:
        raise _damaged(path, "it and the table of units do not fit together")


def read_annotations(path: Path) -> pd.DataFrame:
    """Read time and cluster of every spike, real and injected.

    Raises
    ------
    OutputError
        The table is damaged.
    """
    return _checked(path, {"timestep": WHOLE, "cluster": WHOLE}, lowest=-1)


def read_refusals(path: Path) -> pd.DataFrame:
    """Read unit, status and reason of every planned event.

    Raises
    ------
    OutputError
        The table is damaged.
    """
    table = _checked(path, {"true_unit": WHOLE, "status": TEXT, "reason": TEXT})
    return table.assign(reason=table["reason"].astype(object).fillna(""))


def _checked(
    path: Path,
    columns: Mapping[str, str],
    *,
    lowest: int = 0,
    later: Mapping[str, tuple[str, float]] = MappingProxyType({}),
) -> pd.DataFrame:
    wanted = {**columns, **{name: kind for name, (kind, _) in later.items()}}
    try:
        table = pd.read_csv(path, usecols=lambda name: name in wanted, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise _damaged(path, " ".join(str(error).split()) or type(error).__name__) from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise _damaged(path, f"it lacks {', '.join(missing)}")
    table = table.assign(**{name: value for name, (_, value) in later.items() if name not in table})
    for name, kind in wanted.items():
        fault = _fault(table[name], kind, lowest)
        if fault is not None:
            raise _damaged(path, f"{name} {fault}")
        if kind == WHOLE:
            table[name] = table[name].astype(np.int64)
    return table


def _fault(column: "pd.Series[float]", kind: str, lowest: int) -> str | None:
    if kind == TEXT:
        # A column in which nothing stands is read as numbers that are not there.
        return None if column.isna().all() or _holds_text(column) else "holds numbers"
    if column.size and column.dtype.kind not in "iuf":
        return "holds text"
    numbers = column.to_numpy(dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    if kind == WHOLE and known.size < numbers.size:
        return "has gaps"
    bounded = np.isfinite(known)
    if kind != NUMBER:
        bounded &= (known >= lowest) & (known <= MOST) & (known == np.floor(known))
    return None if bounded.all() else "holds a number that is out of range or not whole"


def _holds_text(column: "pd.Series[float]") -> bool:
    return all(isinstance(value, str) for value in column.dropna())


def _damaged(path: Path, what: str) -> OutputError:
    return OutputError(f"{path} is damaged ({what}): {AGAIN}")
