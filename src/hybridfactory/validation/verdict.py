"""A sentence per sorter, and an order among them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridfactory.validation.result import SorterResult

__all__ = ["is_split", "make_verdict", "rank"]

WELL_FOUND = 0.8
NOT_FOUND = 0.1
SPLIT_GAIN = 0.05
RANKING_COLUMNS = [
    "rank",
    "sorter",
    "median_accuracy",
    "mean_accuracy",
    "found",
    "units",
    "median_recall",
    "median_precision",
    "split",
    "merged",
    "lag_ms",
    "verdict",
]


def is_split(units: pd.DataFrame) -> pd.Series:
    """Units whose accuracy rises by 0.05 or more when their pieces are merged."""
    return units["merged_accuracy"] - units["accuracy"] >= SPLIT_GAIN


def make_verdict(name: str, units: pd.DataFrame, merges: pd.DataFrame) -> str:
    """Say in one sentence what a sorter found, split, merged and missed.

    Parameters
    ----------
    name : str
        Of the sorter.
    units, merges : pandas.DataFrame
        As in `SorterResult`.
    """
    found = int((units["accuracy"] >= WELL_FOUND).sum())
    clauses = [f"{name} found {found} of {_count(len(units), 'unit')} at accuracy ≥ {WELL_FOUND:g}"]
    split = units.loc[is_split(units), "new_unit"].tolist()
    if split:
        clauses.append(f"{_were(split)} split")
    for kind, words in (("native", "native neighbours"), ("injected", "each other")):
        merged = sorted(set(merges.loc[merges["partner_kind"] == kind, "new_unit"]))
        if merged:
            clauses.append(f"{_were(merged)} merged with {words}")
    lost = units.loc[units["accuracy"] < NOT_FOUND, "new_unit"].tolist()
    if lost:
        clauses.append(f"{_were(lost)} not found at all")
    return "; ".join(clauses) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _were(labels: Sequence[int]) -> str:
    shown = ", ".join(map(str, labels[:5])) + (", …" if len(labels) > 5 else "")
    return f"{len(labels)} ({shown}) {'was' if len(labels) == 1 else 'were'}"


def rank(sorters: Sequence[SorterResult]) -> pd.DataFrame:
    """Order sorters by median accuracy, then by mean accuracy, then by name."""
    rows = []
    for sorter in sorters:
        units = sorter.units
        rows.append(
            {
                "sorter": sorter.name,
                "median_accuracy": sorter.median_accuracy,
                "mean_accuracy": float(units["accuracy"].mean()),
                "found": int((units["accuracy"] >= WELL_FOUND).sum()),
                "units": len(units),
                "median_recall": float(units["recall"].median()),
                "median_precision": float(units["precision"].median()),
                "split": int(is_split(units).sum()),
                "merged": int((units["merged_with"] != "").sum()),
                "lag_ms": sorter.lag_ms,
                "verdict": sorter.verdict,
            }
        )
    table = pd.DataFrame(rows).sort_values(["median_accuracy", "mean_accuracy"], ascending=False, kind="stable")
    figures = table[["median_accuracy", "mean_accuracy"]].to_numpy()
    is_new = np.concatenate([[True], np.any(figures[1:] != figures[:-1], axis=1)])
    table.insert(0, "rank", np.maximum.accumulate(np.where(is_new, np.arange(1, len(table) + 1), 0)))
    return table[RANKING_COLUMNS].sort_values(["rank", "sorter"]).reset_index(drop=True)
