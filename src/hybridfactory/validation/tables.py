"""The tables of a result, from indices to labels, ids and milliseconds."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.validation.compare import Comparison
from hybridfactory.validation.curves import recall_curves
from hybridfactory.validation.kernel import add_correlograms
from hybridfactory.validation.matching import PERFORMANCE
from hybridfactory.validation.reasons import COLLISION_MS
from hybridfactory.validation.surroundings import Surroundings, distances_um
from hybridfactory.validation.truth import Natives, Truth

__all__ = [
    "baseline_table",
    "correlogram_table",
    "curve_table",
    "event_table",
    "false_positive_tables",
    "merge_table",
    "piece_table",
    "truth_table",
    "unit_table",
]

CORRELOGRAM_MS = 2.0
DISTURBED_UM = 100.0
"""How near to an injected unit a native one counts as one that the injection may have disturbed."""


def truth_table(truth: Truth) -> pd.DataFrame:
    """Make `ValidationResult.truth_units`."""
    return pd.DataFrame(
        {
            "new_unit": truth.labels,
            "true_unit": truth.donor_labels,
            "events": truth.spikes.counts,
            "rate_hz": truth.spikes.counts / truth.timeline.duration_s,
            "center_channel": pd.Series(np.where(truth.center_rows >= 0, truth.center_rows, 0), dtype="Int64").where(
                truth.center_rows >= 0
            ),
            "x_um": truth.positions_um[:, 0],
            "y_um": truth.positions_um[:, 1],
            "amplitude": truth.medians(truth.amplitudes),
            "snr": truth.medians(truth.snrs),
        }
    )


def unit_table(truth: Truth, comparison: Comparison, merges: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Make `SorterResult.units`; `merges` and `events` are the tables of that name."""
    matching, tested = comparison.matching, comparison.tested
    performance = matching.performance
    found = comparison.matches >= 0
    columns: dict[str, Any] = {
        "new_unit": truth.labels,
        "true_unit": truth.donor_labels,
        "events": truth.spikes.counts,
        "snr": truth.medians(truth.snrs),
        "found_unit": tested.id_column(comparison.matches),
        "matched_by": np.where(matching.is_hungarian, "hungarian", np.where(found, "best", "")).astype(object),
        "found_spikes": performance["num_tested"].astype(np.int64),
        "hits": performance["tp"].astype(np.int64),
        "missed": performance["fn"].astype(np.int64),
        "false": performance["fp"].astype(np.int64),
    }
    columns |= {name: performance[name].astype(np.float64) for name in PERFORMANCE}
    for kind, table in (("hungarian", matching.hungarian), ("best", matching.best)):
        columns[f"{kind}_unit"] = tested.id_column(table["unit"].to_numpy())
        columns |= {f"{kind}_{name}": table[name].to_numpy() for name in PERFORMANCE}
    columns |= _merged_columns(comparison)
    columns["merged_with"] = _per_unit(truth, merges, lambda part: ", ".join(_partners(part)))
    columns["offset_ms"] = _offsets(truth, comparison)
    missed = events.loc[~events["hit"]]
    columns["reason"] = _per_unit(truth, missed, lambda part: str(part["reason"].value_counts().index[0]))
    return pd.DataFrame(columns)


def _merged_columns(comparison: Comparison) -> dict[str, Any]:
    last = [pieces[-1] if pieces else None for pieces in comparison.pieces]
    ids = comparison.tested.ids
    names = [" + ".join(str(ids[piece.unit]) for piece in pieces) for pieces in comparison.pieces]
    columns: dict[str, Any] = {
        "num_pieces": [len(pieces) for pieces in comparison.pieces],
        "pieces": np.array(names, dtype=object),
    }
    for name in ("accuracy", "precision", "recall"):
        columns[f"merged_{name}"] = [0.0 if piece is None else getattr(piece, name) for piece in last]
    return columns


def _partners(merges: pd.DataFrame) -> list[str]:
    pairs = zip(merges["partner_kind"], merges["partner"], strict=True)
    return list(dict.fromkeys(f"{kind} {partner}" for kind, partner in pairs))


def _per_unit(truth: Truth, table: pd.DataFrame, describe: Any) -> NDArray[np.object_]:
    """Text for each injected unit from its rows of a table; empty without rows."""
    texts = {label: describe(part) for label, part in table.groupby("new_unit")} if len(table) else {}
    return np.array([texts.get(label, "") for label in truth.labels.tolist()], dtype=object)


def _offsets(truth: Truth, comparison: Comparison) -> NDArray[np.float64]:
    """Median of found minus true time of each unit's hits, ms."""
    spikes, is_hit = comparison.assignment.spikes, comparison.assignment.is_hit
    differences = comparison.spikes.places[spikes] - truth.spikes.places
    medians = np.full(truth.labels.size, np.nan)
    for unit in range(truth.labels.size):
        mine = truth.spikes.indices(unit)
        mine = mine[is_hit[mine]]
        if mine.size:
            medians[unit] = np.median(differences[mine])
    return medians / truth.timeline.sampling_frequency * 1000


def piece_table(truth: Truth, comparison: Comparison) -> pd.DataFrame:
    """Make `SorterResult.pieces`."""
    rows = [
        (unit, step, piece.unit, piece.accuracy, piece.precision, piece.recall)
        for unit, pieces in enumerate(comparison.pieces)
        for step, piece in enumerate(pieces, start=1)
    ]
    units, found = (np.array([row[column] for row in rows], dtype=np.int64) for column in (0, 2))
    table = pd.DataFrame(
        {
            "new_unit": truth.labels[units],
            "step": np.array([row[1] for row in rows], dtype=np.int64),
            "found_unit": comparison.tested.id_column(found),
            "found_spikes": comparison.spikes.counts[found],
            "hits": comparison.matching.counts[units, found],
        }
    )
    for column, name in enumerate(("accuracy", "precision", "recall"), start=3):
        table[name] = np.array([row[column] for row in rows], dtype=np.float64)
    return table


def merge_table(truth: Truth, natives: Natives, comparison: Comparison) -> pd.DataFrame:
    """Make `SorterResult.merges`."""
    merges = comparison.merges
    labels = {"native": natives.labels, "injected": truth.labels}
    partners = [int(labels[kind][partner]) for kind, partner in zip(merges["kind"], merges["partner"], strict=True)]
    return pd.DataFrame(
        {
            "new_unit": truth.labels[merges["unit"].to_numpy(dtype=np.int64)],
            "found_unit": comparison.tested.id_column(merges["found"].to_numpy(dtype=np.int64)),
            "partner_kind": merges["kind"].to_numpy(dtype=object),
            "partner": np.array(partners, dtype=np.int64),
            **{
                name: merges[name].to_numpy(dtype=np.float64)
                for name in ("share_of_unit", "share_of_partner", "share_of_found")
            },
        }
    )


def event_table(
    truth: Truth, surroundings: Surroundings, comparison: Comparison, reasons: NDArray[np.object_]
) -> pd.DataFrame:
    """Make `SorterResult.events`."""
    timeline, spikes = truth.timeline, truth.spikes
    assigned = comparison.assignment.spikes
    is_hit = comparison.assignment.is_hit
    # The file is that of the spike as found: with the lag taken off, it may lie just before its file.
    found = timeline.to_run(comparison.tested.spikes.places[assigned]) - comparison.lag.samples
    units = np.where(assigned >= 0, comparison.spikes.units[assigned], -1)
    return pd.DataFrame(
        {
            "timestep": timeline.to_run(spikes.places),
            "time_s": timeline.to_seconds(spikes.places),
            "new_unit": truth.labels[spikes.units],
            "hit": is_hit,
            "found_timestep": pd.Series(found, dtype="Int64").mask(~is_hit),
            "assigned_to": comparison.tested.id_column(units),
            "amplitude": truth.amplitudes,
            "snr": truth.snrs.astype(np.float32),
            "local_rate_hz": surroundings.local_rates_hz,
            "other_time_ms": surroundings.other_times_ms,
            "other_distance_um": surroundings.other_distances_um,
            "other_unit": surroundings.other_units,
            "depth_um": truth.positions_um[spikes.units, 1],
            "shift_um": truth.shifts_um,
            "edge_ms": surroundings.edges / timeline.sampling_frequency * 1000,
            "reason": reasons,
        }
    )


def curve_table(truth: Truth, events: pd.DataFrame) -> pd.DataFrame:
    """Make `SorterResult.recall_curves` from `SorterResult.events`.

    Distance to the nearest other spike counts only where that is a collision, within 0.5 ms.
    """
    names = ("snr", "local_rate_hz", "other_time_ms", "other_distance_um", "depth_um", "time_s")
    covariates = {name: events[name].to_numpy(dtype=np.float64) for name in names}
    collides = covariates["other_time_ms"] <= COLLISION_MS
    covariates["other_distance_um"] = np.where(collides, covariates["other_distance_um"], np.nan)
    of_units = {int(label): truth.spikes.indices(unit) for unit, label in enumerate(truth.labels)}
    return recall_curves(covariates, events["hit"].to_numpy(dtype=np.bool_), of_units)


def false_positive_tables(
    truth: Truth, natives: Natives, comparison: Comparison
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make `SorterResult.false_positives` and `SorterResult.false_positive_sources`."""
    origins, found = comparison.origins, comparison.spikes
    is_native, is_injected = origins.natives >= 0, origins.injected >= 0
    labels = np.zeros(origins.spikes.size, dtype=np.int64)
    labels[is_native] = natives.labels[origins.natives[is_native]]
    labels[is_injected] = truth.labels[origins.injected[is_injected]]
    kinds = np.array(["unknown", "native", "injected"], dtype=object)[is_native + 2 * is_injected]
    ids = comparison.tested.id_column(found.units[origins.spikes].astype(np.int64))
    table = pd.DataFrame(
        {
            "new_unit": truth.labels[origins.true_units],
            "found_unit": ids,
            "timestep": truth.timeline.to_run(comparison.tested.spikes.places[origins.spikes]),
            "kind": kinds,
            "belongs_to": pd.Series(labels, dtype="Int64").mask(~(is_native | is_injected)),
        }
    )
    keys = ["new_unit", "found_unit", "kind", "belongs_to"]
    counted = table.groupby(keys, dropna=False, sort=False).size().reset_index(name="spikes")
    counted = counted.sort_values(["new_unit", "spikes"], ascending=[True, False], kind="stable", ignore_index=True)
    counted["share"] = counted["spikes"] / counted.groupby("new_unit")["spikes"].transform("sum")
    return table, counted


def baseline_table(truth: Truth, natives: Natives, comparison: Comparison) -> pd.DataFrame:
    """Make `SorterResult.baseline`."""
    best = comparison.native_best
    apart = distances_um(natives.positions_um, truth.positions_um)
    known = ~np.isnan(apart).all(axis=1)
    nearest = np.full(natives.labels.size, np.nan)
    nearest[known] = np.nanmin(apart[known], axis=1)
    return pd.DataFrame(
        {
            "native_unit": natives.labels,
            "is_donor": np.isin(natives.labels, truth.donor_labels),
            "spikes": natives.spikes.counts,
            "found_unit": comparison.tested.id_column(best["unit"].to_numpy(dtype=np.int64)),
            **{name: best[name].to_numpy(dtype=np.float64) for name in ("accuracy", "precision", "recall")},
            "distance_um": nearest,
            "near_injected": nearest <= DISTURBED_UM,
        }
    )


def correlogram_table(truth: Truth, comparison: Comparison) -> pd.DataFrame:
    """Make `SorterResult.correlograms`."""
    frequency = truth.timeline.sampling_frequency
    reach = round(CORRELOGRAM_MS / 1000 * frequency)
    spikes, found, matches = truth.spikes, comparison.spikes, comparison.matches
    counts = add_correlograms(spikes.places, spikes.units, found.places, found.units, matches, reach)
    units = np.flatnonzero(matches >= 0)
    num_bins = 2 * reach + 1
    edges = (np.arange(num_bins + 1) - reach - 0.5) / frequency * 1000
    return pd.DataFrame(
        {
            "new_unit": np.repeat(truth.labels[units], num_bins),
            "found_unit": comparison.tested.id_column(np.repeat(matches[units], num_bins)),
            "low_ms": np.tile(edges[:-1], units.size),
            "high_ms": np.tile(edges[1:], units.size),
            "count": counts[units].ravel(),
        }
    )
