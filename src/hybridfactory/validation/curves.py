"""Recall as a function of what surrounds an event, with its uncertainty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["recall_curve", "recall_curves", "wilson_interval"]

NUM_BINS = 10
MIN_EVENTS_PER_BIN = 50
"""Fewer leave more than ±0.14 in doubt."""

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""

COUNTS = ("events", "hits")
COLUMNS = ["low", "high", "centre", "events", "hits", "recall", "recall_low", "recall_high"]


def wilson_interval(
    hits: NDArray[np.integer] | int, events: NDArray[np.integer] | int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % confidence interval of a proportion (E. B. Wilson, 1927); (0, 1) for no events."""
    count = np.asarray(events, dtype=np.float64)
    safe = np.maximum(count, 1)
    share = np.asarray(hits, dtype=np.float64) / safe
    scale = 1 + Z_95**2 / safe
    middle = (share + Z_95**2 / (2 * safe)) / scale
    half = Z_95 / scale * np.sqrt(share * (1 - share) / safe + Z_95**2 / (4 * safe**2))
    # The bounds are 0 and 1 themselves where no event, or every one, was found; rounding must not miss that.
    low = np.where((share <= 0) | (count == 0), 0.0, np.maximum(middle - half, 0))
    high = np.where((share >= 1) | (count == 0), 1.0, np.minimum(middle + half, 1))
    return low, high


def recall_curve(values: NDArray[np.floating], is_hit: NDArray[np.bool_]) -> pd.DataFrame:
    """Recall in bins of about equally many events; events of unknown (NaN) value are left out.

    Parameters
    ----------
    values : numpy.ndarray, shape (num_events,)
    is_hit : numpy.ndarray of bool, shape (num_events,)

    Returns
    -------
    pandas.DataFrame
        Up to 10 bins of 50 events or more; one bin if there are fewer events, and none without values. ``low`` and
        ``high`` are the quantiles between the bins or, where there are few distinct values, these themselves;
        bins that repeated values leave with fewer events are joined to their neighbours.
    """
    known = np.isfinite(values)
    if not known.any():
        return pd.DataFrame({name: pd.Series(dtype="int64" if name in COUNTS else "float64") for name in COLUMNS})
    values, is_hit = values[known].astype(np.float64), is_hit[known]
    order = np.argsort(values)
    values, is_hit = values[order], is_hit[order]
    edges = _edges(values)
    # A bin holds its lower edge; the last one holds its upper edge too.
    starts = np.searchsorted(values, edges[:-1])
    kept = _large_enough(starts, values.size)
    starts, edges = starts[kept], np.append(edges[:-1][kept], edges[-1])
    stops = np.append(starts[1:], values.size)
    total = np.concatenate([[0], np.cumsum(is_hit)])
    events, hits = stops - starts, total[stops] - total[starts]
    centres = (values[(starts + stops - 1) // 2] + values[(starts + stops) // 2]) / 2
    low, high = wilson_interval(hits, events)
    columns = (edges[:-1], edges[1:], centres, events, hits, hits / events, low, high)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _edges(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Edges of the bins of sorted values: quantiles, or the values themselves where they are few."""
    distinct = values[np.concatenate([[True], values[1:] > values[:-1]])]
    if distinct.size <= NUM_BINS:
        return np.append(distinct, distinct[-1])
    num_bins = int(np.clip(values.size // MIN_EVENTS_PER_BIN, 1, NUM_BINS))
    return np.unique(np.quantile(values, np.linspace(0, 1, num_bins + 1)))


def _large_enough(starts: NDArray[np.int64], num_values: int) -> NDArray[np.int64]:
    """Choose where bins begin, so that each holds enough values; the rest of the last one joins the one before."""
    kept: list[int] = []
    for index, start in enumerate(starts):
        if not kept or start - starts[kept[-1]] >= MIN_EVENTS_PER_BIN:
            kept.append(index)
    if len(kept) > 1 and num_values - starts[kept[-1]] < MIN_EVENTS_PER_BIN:
        kept.pop()
    return np.array(kept, dtype=np.int64)


def recall_curves(
    covariates: Mapping[str, NDArray[np.floating]],
    is_hit: NDArray[np.bool_],
    events_of_units: Mapping[int, NDArray[np.int64]],
) -> pd.DataFrame:
    """Recall curves for all units together, and for each.

    Parameters
    ----------
    covariates : mapping of str to numpy.ndarray, shape (num_events,)
    is_hit : numpy.ndarray of bool, shape (num_events,)
    events_of_units : mapping of int to numpy.ndarray of int64
        Indices of each unit's events, by label.
    """
    parts = []
    for name, values in covariates.items():
        parts.append(_labelled(recall_curve(values, is_hit), name, None))
        for label, which in events_of_units.items():
            parts.append(_labelled(recall_curve(values[which], is_hit[which]), name, label))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _labelled(curve: pd.DataFrame, covariate: str, label: int | None) -> pd.DataFrame:
    labels = pd.Series(pd.array([label] * len(curve), dtype="Int64"))
    curve.insert(0, "covariate", pd.Series([covariate] * len(curve), dtype=object))
    curve.insert(1, "new_unit", labels)
    return curve
