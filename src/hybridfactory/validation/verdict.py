"""A sentence or two per sorter, and an order among them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from hybridfactory.validation.result import SorterResult

__all__ = ["REASONS", "WELL_FOUND", "is_split", "judge_baseline", "make_verdict", "rank"]

WELL_FOUND = 0.8
NOT_FOUND = 0.1
SPLIT_GAIN = 0.05
MANY_FALSE = 0.05
DISTURBED_LOSS = 0.05
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "edge": "at the ends of files",
        "collision": "in collisions with other spikes",
        "small": "because they are small",
        "drifted": "where their unit had drifted or was lost",
        "other": "for none of the reasons that are checked",
    }
)
"""Where or why events were missed, by class."""

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


def make_verdict(name: str, units: pd.DataFrame, merges: pd.DataFrame, events: pd.DataFrame) -> str:
    """Say in two sentences what a sorter found, split and merged, and what it missed for which reason.

    Parameters
    ----------
    name : str
        Of the sorter.
    units, merges, events : pandas.DataFrame
        As in `SorterResult`.
    """
    found = int((units["accuracy"] >= WELL_FOUND).sum())
    median = units["accuracy"].median()
    clauses = [
        f"{name} found {found} of {_count(len(units), 'unit')} at accuracy ≥ {WELL_FOUND:g} (median {median:.2f})"
    ]
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
    return f"{'; '.join(clauses)}. {_losses(units, events)}"


def _losses(units: pd.DataFrame, events: pd.DataFrame) -> str:
    """Say which share of the events was missed and mainly why, and whether many spikes were false."""
    missed = int(units["missed"].sum())
    if missed:
        share = _per_cent(missed / int(units["events"].sum()))
        text = f"{share[0].upper()}{share[1:]} of the events were missed"
        counts = events.loc[~events["hit"].astype(bool), "reason"].value_counts()
        reason, count = str(counts.index[0]), int(counts.iloc[0])
        if count == missed:
            text += f", all of them {REASONS[reason]}"
        elif 2 * count > missed:
            text += f", most of them {REASONS[reason]}"
        else:
            text += f", {_per_cent(count / missed)} of them {REASONS[reason]}"
    else:
        text = "No event was missed"
    false, spikes = int(units["false"].sum()), int(units["found_spikes"].sum())
    if spikes and false / spikes >= MANY_FALSE:
        text += f"; {_per_cent(false / spikes)} of the matched units' spikes are false"
    return text + "."


def judge_baseline(baseline: pd.DataFrame) -> str:
    """Say whether native units near injected ones were found again worse than others; empty without native units.

    Parameters
    ----------
    baseline : pandas.DataFrame
        As in `SorterResult`.
    """
    if baseline.empty:
        return ""
    is_near = baseline["near_injected"].astype(bool)
    near, far = baseline[is_near], baseline[~is_near]
    if near.empty or far.empty:
        where = "No" if near.empty else "Every"
        return f"{where} native unit lies near an injected one: nothing to tell a disturbance by."
    loss = float(far["accuracy"].median() - near["accuracy"].median())
    answer = "Found worse near injected units" if loss >= DISTURBED_LOSS else "No sign of a disturbance"
    return (
        f"{answer}: {_refound(near)} near injected units were found again at accuracy ≥ {WELL_FOUND:g}, "
        f"{_refound(far)} elsewhere."
    )


def _refound(native: pd.DataFrame) -> str:
    found = int((native["accuracy"] >= WELL_FOUND).sum())
    return f"{found} of {_count(len(native), 'native unit')} (median {native['accuracy'].median():.2f})"


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "less than 1 %"


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
