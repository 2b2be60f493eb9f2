"""Template scores: the donor's template, moved to the injected place, against those of the found units."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.validation.compare import Comparison
from hybridfactory.validation.kernel import best_scores
from hybridfactory.validation.truth import Truth

__all__ = ["Metric", "TemplatePair", "centre", "empty_template_tables", "score_templates", "template_tables"]

INTERVAL_MS = 2.0

Metric = Literal["pearson", "frobenius"]


@dataclass(frozen=True, eq=False)
class TemplatePair:
    """Templates of injected and of found units on the same rows.

    Parameters
    ----------
    injected : numpy.ndarray of float32, shape (num_injected, num_samples, num_rows)
    found : numpy.ndarray of float32, shape (num_found, num_samples_of_found, num_rows)
        NaN or zero for units without a template.
    origin : str
        ``"stored"`` or ``"measured"``.
    """

    injected: NDArray[np.float32]
    found: NDArray[np.float32]
    origin: str


def centre(templates: NDArray[np.float32], before: int, num_samples: int) -> NDArray[np.float32]:
    """Move each template's largest deflection to sample `before` of `num_samples`; what is missing is 0."""
    centred = np.zeros((len(templates), num_samples, templates.shape[2]), dtype=np.float32)
    for index, template in enumerate(np.nan_to_num(templates, nan=0.0)):
        peak = int(np.abs(template).max(axis=1).argmax())
        first, last = max(peak - before, 0), min(peak - before + num_samples, len(template))
        start = first - (peak - before)
        centred[index, start : start + last - first] = template[first:last]
    return centred


def score_templates(pair: TemplatePair, metric: Metric) -> NDArray[np.float64]:
    """Compare every injected unit's template with every found one's.

    Templates are centred on their largest deflection and flattened over samples and rows.

    Parameters
    ----------
    pair : TemplatePair
    metric : {"pearson", "frobenius"}
        Correlation coefficient, or Frobenius norm of the difference.

    Returns
    -------
    numpy.ndarray of float64, shape (num_injected, num_found)
        NaN for units without a template.
    """
    num_samples = pair.found.shape[1]
    before = int(np.median(np.abs(np.nan_to_num(pair.found)).max(axis=2).argmax(axis=1)))
    first, second = (centre(part, before, num_samples).reshape(len(part), -1) for part in (pair.injected, pair.found))
    empty = np.logical_or.outer(~np.any(first, axis=1), ~np.any(second, axis=1))
    if metric == "pearson":
        first, second = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
        lengths = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(second, axis=1)[None]
        scores = (first @ second.T).astype(np.float64) / np.where(empty, 1, lengths)
        return np.where(empty, np.nan, np.clip(scores, -1, 1))
    distances = np.stack([np.linalg.norm(second - template, axis=1) for template in first])
    return np.where(empty, np.nan, distances)


def template_tables(
    truth: Truth, comparison: Comparison, scores: NDArray[np.float64], metric: Metric, origin: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make `SorterResult.template_units` and `SorterResult.template_events`.

    An event's candidates are the found units that fire in the 2 ms interval around it, 1 ms on either side.
    """
    frequency = truth.timeline.sampling_frequency
    goodness = np.where(np.isnan(scores), -np.inf, scores if metric == "pearson" else -scores)
    reach = round(INTERVAL_MS / 2000 * frequency)
    events, found = truth.spikes, comparison.spikes
    best = best_scores(events.places, events.units, found.places, found.units, goodness, reach)
    is_found = best >= 0
    units = np.where(is_found, found.units[best], -1).astype(np.int64)
    differences = (found.places[best] - events.places) / frequency * 1000
    table = pd.DataFrame(
        {
            "timestep": truth.timeline.to_run(events.places),
            "new_unit": truth.labels[events.units],
            "template_unit": comparison.tested.id_column(units),
            "time_difference_ms": np.where(is_found, differences, np.nan),
            "score": np.where(is_found, scores[events.units, units], np.nan),
        }
    )
    rows = [_summarise(unit, units, scores, goodness, truth) for unit in range(truth.labels.size)]
    chosen, closest = (np.array([row[column] for row in rows], dtype=np.int64) for column in (0, 4))
    summary = pd.DataFrame(
        {
            "new_unit": truth.labels,
            "template_unit": comparison.tested.id_column(chosen),
            "share": [row[1] for row in rows],
            "score": [row[2] for row in rows],
            "median_score": [row[3] for row in rows],
            "best_unit": comparison.tested.id_column(closest),
            "best_score": [row[5] for row in rows],
            "metric": pd.Series([metric] * len(rows), dtype=object),
            "origin": pd.Series([origin] * len(rows), dtype=object),
        }
    )
    return summary, table


def _summarise(
    unit: int, units: NDArray[np.int64], scores: NDArray[np.float64], goodness: NDArray[np.float64], truth: Truth
) -> tuple[int, float, float, float, int, float]:
    """Unit of the most events, its share and score, the events' median score, best of all units and its score."""
    mine = units[truth.spikes.indices(unit)]
    found = mine[mine >= 0]
    closest = int(goodness[unit].argmax()) if np.isfinite(goodness[unit]).any() else -1
    best = float(scores[unit, closest]) if closest >= 0 else np.nan
    if not found.size:
        return -1, 0.0, np.nan, np.nan, closest, best
    chosen = int(np.bincount(found).argmax())
    share = float((mine == chosen).mean())
    return chosen, share, float(scores[unit, chosen]), float(np.median(scores[unit, found])), closest, best


def empty_template_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the two tables without rows."""
    names = ["new_unit", "template_unit", "share", "score", "median_score", "best_unit", "best_score", "metric"]
    events = ["timestep", "new_unit", "template_unit", "time_difference_ms", "score"]
    return pd.DataFrame(columns=[*names, "origin"]), pd.DataFrame(columns=events)
