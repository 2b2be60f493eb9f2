"""A validation whose figures are all known, without a recording or a sorter."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridfactory.report.recall_panels import COVARIATES
from hybridfactory.validation.result import SorterResult, UnitWaveforms, ValidationResult

EVENTS = 60
NO_ROWS: dict[str, list[str]] = {
    "merges": ["new_unit", "found_unit", "partner_kind", "partner", "share_of_unit", "share_of_partner"],
    "false_positive_sources": ["new_unit", "found_unit", "kind", "belongs_to", "spikes", "share"],
    "template_units": ["new_unit", "template_unit", "share", "score", "median_score", "metric", "origin"],
    "baseline": ["native_unit", "accuracy", "precision", "recall", "near_injected"],
}
PROBE = pd.DataFrame({"channel": range(8), "x_um": [0.0, 32.0] * 4, "y_um": np.repeat([0.0, 20, 40, 60], 2)})


def make_sorter(name: str, num_units: int, *, found: Any = None, quality: float = 0.9, seed: int = 0) -> SorterResult:
    """A sorter that finds unit k at an accuracy of `quality` less k hundredths, and the last one not at all."""
    random = np.random.default_rng(seed)
    labels = 101 + np.arange(num_units)
    ids = [None if k == num_units - 1 else (found or 10 + k) for k in range(num_units)]
    accuracy = np.clip(quality - 0.01 * np.arange(num_units), 0, 1)
    accuracy[-1] = np.nan if quality == 0 else 0.0
    hits = np.where(pd.isna(ids), 0, np.round(EVENTS * np.nan_to_num(accuracy))).astype(int)
    units = pd.DataFrame({"new_unit": labels, "true_unit": labels - 100, "events": EVENTS, "snr": 5.0 + labels % 7})
    units["found_unit"] = pd.Series(ids, dtype=object)
    units["found_spikes"], units["hits"], units["missed"], units["false"] = hits + 3, hits, EVENTS - hits, 3
    units["accuracy"], units["precision"], units["recall"] = accuracy, 0.95, hits / EVENTS
    units["num_pieces"], units["pieces"], units["merged_accuracy"] = 1, "10", accuracy
    units["merged_with"], units["reason"] = "", "small"
    events = pd.DataFrame({"new_unit": np.repeat(labels, EVENTS)})
    events["time_s"] = np.tile(np.linspace(0.5, 9.5, EVENTS), num_units)
    events["hit"] = np.concatenate([np.arange(EVENTS) < count for count in hits])
    events["amplitude"] = random.normal(100, 5, len(events))
    events["reason"] = np.where(events["hit"], "", "small")
    confusion = pd.DataFrame(
        np.diag([*hits[:-1], 0]), index=labels, columns=[*[10 + k for k in range(num_units - 1)], "missed"]
    )
    confusion["missed"] = EVENTS - confusion.sum(axis=1)
    confusion.loc["other"] = [3] * (num_units - 1) + [0]
    return SorterResult(
        name=name,
        source=f"/sorted/{name}",
        num_found_units=num_units,
        num_found_spikes=int(hits.sum()) + 3 * num_units,
        lag_ms=0.25,
        native_lag_ms=0.25,
        units=units,
        pieces=pd.DataFrame(),
        confusion=confusion,
        events=events,
        recall_curves=_curves(labels),
        false_positives=pd.DataFrame(),
        template_events=pd.DataFrame(),
        lag_correlogram=pd.DataFrame(),
        correlograms=_correlograms([label for label, unit in zip(labels, ids, strict=True) if unit is not None]),
        unit_waveforms=tuple(_waveforms(int(label), unit) for label, unit in zip(labels, ids, strict=True)),
        verdict=f"{name} found some of {num_units} units.",
        notes=(f"a note on {name}",),
        **{table: pd.DataFrame(columns=columns) for table, columns in NO_ROWS.items()},
    )


def _curves(labels: Any) -> pd.DataFrame:
    parts = []
    for covariate in COVARIATES:
        for label in (pd.NA, *labels):
            part = pd.DataFrame({"centre": [1.0, 2.0, 300.0], "recall": [0.5, 0.75, 1.0]})
            part["events"] = [60, 50, 60]
            part["recall_low"], part["recall_high"] = part["recall"] - 0.1, np.minimum(part["recall"] + 0.1, 1)
            part["covariate"], part["new_unit"] = covariate, pd.array([label] * 3, dtype="Int64")
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _correlograms(labels: list[int]) -> pd.DataFrame:
    edges = np.linspace(-10, 10, 101)
    counts = np.zeros(100, dtype=int)
    counts[50] = 40
    return pd.concat(
        [
            pd.DataFrame({"new_unit": label, "low_ms": edges[:-1], "high_ms": edges[1:], "count": counts})
            for label in labels
        ]
        or [pd.DataFrame(columns=["new_unit", "low_ms", "high_ms", "count"])]
    )


def _waveforms(label: int, found: Any) -> UnitWaveforms:
    times = np.linspace(-1, 1, 61)
    truth = -100 * np.exp(-((times / 0.2) ** 2))[:, None] * np.linspace(1, 0.2, 8)
    return UnitWaveforms(
        new_unit=label,
        found_unit=found,
        rows=PROBE["channel"].to_numpy(),
        positions_um=PROBE[["x_um", "y_um"]].to_numpy(),
        times_ms=times,
        truth=truth,
        match=None if found is None else 0.9 * truth,
    )


def make_result(sorters: list[SorterResult], folder: Path, **changes: Any) -> ValidationResult:
    """The result of a run for these sorters, which must have the same units."""
    units = sorters[0].units
    truth = units[["new_unit", "true_unit", "events", "snr"]].assign(rate_hz=6.0, amplitude=100.0, center_channel=0)
    truth["x_um"], truth["y_um"] = (
        PROBE["x_um"].to_numpy()[truth.index % 8],
        PROBE["y_um"].to_numpy()[truth.index % 8],
    )
    ranking = pd.DataFrame(
        {
            "sorter": [sorter.name for sorter in sorters],
            "median_accuracy": [sorter.median_accuracy for sorter in sorters],
            "mean_accuracy": [sorter.units["accuracy"].mean() for sorter in sorters],
            "found": [int((sorter.units["accuracy"] >= 0.8).sum()) for sorter in sorters],
            "units": len(units),
            "median_recall": [sorter.units["recall"].median() for sorter in sorters],
            "median_precision": 0.95,
            "split": 0,
            "merged": 0,
            "lag_ms": 0.25,
            "verdict": [sorter.verdict for sorter in sorters],
        }
    ).sort_values("median_accuracy", ascending=False)
    ranking.insert(0, "rank", range(1, len(sorters) + 1))
    values: dict[str, Any] = {
        "session_name": "made",
        "run_directory": folder,
        "output_directory": folder,
        "sampling_frequency": 30_000.0,
        "duration_s": 10.0,
        "delta_time_ms": 0.4,
        "amplitude_unit": "µV",
        "truth_units": truth,
        "probe": PROBE,
        "sorters": tuple(sorters),
        "ranking": ranking.reset_index(drop=True),
        "notes": ("a note on all",),
    }
    return ValidationResult(**(values | changes))
