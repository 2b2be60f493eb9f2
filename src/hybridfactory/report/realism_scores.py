"""Realism scores as a run's manifest keeps them, for people."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["RealismScore", "how_to_measure", "read_scores"]


@dataclass(frozen=True)
class RealismScore:
    """How well a classifier tells a unit's injected events from real ones.

    Parameters
    ----------
    auc : float or None
        Largest area under the ROC curve of the classifiers; None where it could not be measured.
    low, high : float or None
        Its 95 % confidence interval.
    classifier : str
        Which one tells most.
    remark : str
        What a poor score may come from, or why there is none; empty for a good one.
    is_poor : bool
    """

    auc: float | None
    low: float | None
    high: float | None
    classifier: str
    remark: str
    is_poor: bool


def read_scores(realism: Mapping[str, Any] | None) -> dict[int, RealismScore]:
    """Read the scores by donor label; empty where the run has none.

    Parameters
    ----------
    realism : mapping or None
        What the manifest holds under ``realism``.
    """
    scores = {}
    for unit in (realism or {}).get("units", ()):
        low, high = unit.get("interval") or (None, None)
        remark = unit.get("hint") or unit.get("reason") or ""
        scores[int(unit["donor_label"])] = RealismScore(
            unit.get("auc"), low, high, unit.get("classifier") or "", remark, bool(unit.get("hint"))
        )
    return scores


def how_to_measure(run_folder: Path) -> str:
    """Command that measures the scores of a run, to be pasted into a shell."""
    return f"hybridfactory realism {shlex.quote(str(run_folder))}"
