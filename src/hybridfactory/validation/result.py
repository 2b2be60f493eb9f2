"""What a validation hands on: tables, waveforms and a sentence per sorter. Whatever is drawn is drawn from this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["TABLES", "SorterResult", "UnitWaveforms", "ValidationResult"]

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "units": "Scores of each injected unit",
        "pieces": "Found units that make up an injected unit: the greedy merge, step by step",
        "merges": "Found units that hold an injected unit together with another one",
        "events": "Every injected event: whether it was found, and what surrounded it",
        "recall_curves": "Recall in bins of amplitude, rate, collisions, depth and time",
        "false_positives": "Spikes of a matched unit that are no event of its injected unit",
        "false_positive_sources": "The same, counted by the unit that they belong to",
        "template_units": "Template scores of each injected unit",
        "template_events": "Best template at each injected event",
        "baseline": "How the native units of the first sorting were found again",
        "lag_correlogram": "All injected events against all found spikes, from which the lag was taken",
        "correlograms": "Each injected unit against its matched unit",
        "waveforms": "Mean waveforms of each injected unit and of its matched unit",
    }
)
"""Tables of a sorter by name (attributes of `SorterResult`); ``<name>.csv`` holds those of all sorters."""


@dataclass(frozen=True, eq=False)
class UnitWaveforms:
    """Mean waveforms of an injected unit and of the found unit that it was matched with, on the same rows.

    Parameters
    ----------
    new_unit : int
        Label of the injected unit.
    found_unit : object
        Id of the matched unit; None if there is none.
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows, those nearest to the injected unit's centre, in the probe's order.
    positions_um : numpy.ndarray of float64, shape (num_rows, 2)
        x and y of the rows.
    times_ms : numpy.ndarray of float64, shape (num_samples,)
        Time since the trough; the sorter's lag is taken off the found unit's times.
    truth : numpy.ndarray of float64, shape (num_samples, num_rows)
        Mean of the unit's events as they were injected, in `ValidationResult.amplitude_unit`.
    match : numpy.ndarray of float64, shape (num_samples, num_rows), or None
        Mean of the found unit's spikes, measured in the hybrid recording; None without a matched unit.
    """

    new_unit: int
    found_unit: Any
    rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    times_ms: NDArray[np.float64]
    truth: NDArray[np.float64]
    match: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class SorterResult:
    """One sorting against the truth. Ids of found units are those that the sorting itself shows, of any type.

    A unit's *match* (``found_unit``) is the found unit of the Hungarian assignment; where that has none, the one
    with the best agreement, if that is at least 0.1; else None. Events, curves, correlograms, waveforms and the
    confusion matrix go by this match. Columns that hold ids of found units are of object type, None meaning none;
    numbers that do not exist are NaN. A table that could not be made has its columns and no rows, and `notes` says
    why.

    Parameters
    ----------
    name : str
        Name of the sorting; unique among those that are compared, and fit for a file name.
    source : str
        Where it was read from.
    num_found_units, num_found_spikes : int
        All units of the sorting, native ones included.
    lag_ms : float
        Constant lag of the sorter's times behind the true ones. It is taken off before anything is matched.
    native_lag_ms : float
        The same against the native spikes of the original sorting; NaN without one.
    units : pandas.DataFrame
        One row per injected unit, by label: ``new_unit`` (injected label), ``true_unit`` (donor's label),
        ``events``, ``snr`` (median over the events), ``found_unit``, ``matched_by`` ("hungarian", "best", ""),
        ``found_spikes``, ``hits``, ``missed``, ``false``, ``accuracy``, ``precision``, ``recall``,
        ``false_discovery_rate``, ``miss_rate``; the last five again with the prefixes ``hungarian_`` and
        ``best_``, and ``hungarian_unit``, ``best_unit``; ``num_pieces``, ``pieces`` (text, "12 + 40"),
        ``merged_accuracy``, ``merged_precision``, ``merged_recall`` (after the greedy merge of its pieces);
        ``merged_with`` (text, "native 5, injected 103", empty if none); ``offset_ms`` (median of found minus
        true time after the lag); ``reason`` (class of most missed events, empty if none was missed).
    pieces : pandas.DataFrame
        One row per piece: ``new_unit``, ``step`` (from 1), ``found_unit``, ``found_spikes``, ``hits`` (of this
        piece alone), ``accuracy``, ``precision``, ``recall`` (of the union so far).
    merges : pandas.DataFrame
        One row per injected unit, found unit and partner: ``new_unit``, ``found_unit``, ``partner_kind``
        ("native", "injected"), ``partner``, ``share_of_unit`` and ``share_of_partner`` (fraction of their
        spikes that lie in the found unit), ``share_of_found`` (fraction of the found unit's spikes that are the
        partner's).
    confusion : pandas.DataFrame
        Events by injected label (rows; the last is "other": spikes that are no injected event) and found id
        (columns; the last is "missed": events in no found unit). Matched pairs lie on the diagonal. Each event
        counts once. All found units are there; most hold no event.
    events : pandas.DataFrame
        One row per injected event, by time: ``timestep`` (samples on the run's timeline), ``time_s`` (in the
        recording, gaps between files not counted), ``new_unit``, ``hit`` (bool: in the matched unit),
        ``found_timestep`` (Int64, the found spike without the lag; NA if missed), ``assigned_to`` (found unit in
        which the event is, matched or not; None if in none), ``amplitude`` (largest deflection of the event on
        its centre row), ``snr``, ``local_rate_hz`` (unit's own events within 0.5 s), ``other_time_ms``
        (absolute, to the nearest spike of another unit within 200 µm), ``other_distance_um``, ``other_unit``
        (text, "native 5"), ``depth_um`` (y of the centre channel), ``shift_um`` (distance of the event's centre
        of mass from the unit's median one), ``edge_ms`` (to the nearest end of its file), ``reason`` (of a
        missed event: "edge", "collision", "small", "drifted", "other"; empty for hits).
    recall_curves : pandas.DataFrame
        One row per bin: ``covariate`` ("snr", "local_rate_hz", "other_time_ms", "other_distance_um",
        "depth_um", "time_s"), ``new_unit`` (Int64, NA: all units together), ``low``, ``high`` (edges),
        ``centre`` (median in the bin), ``events``, ``hits``, ``recall``, ``recall_low``, ``recall_high``
        (Wilson, 95 %).
    false_positives : pandas.DataFrame
        One row per spike of a matched unit that is no event of its injected unit: ``new_unit``, ``found_unit``,
        ``timestep``, ``kind`` ("native", "injected", "unknown"), ``belongs_to`` (Int64 label, NA if unknown).
    false_positive_sources : pandas.DataFrame
        Counted: ``new_unit``, ``found_unit``, ``kind``, ``belongs_to``, ``spikes``, ``share`` (of all false
        positives of the unit).
    template_units : pandas.DataFrame
        One row per injected unit: ``new_unit``, ``template_unit`` (found unit whose template is best at most
        events), ``share`` (of the events), ``score`` (of that template), ``median_score`` (over the events),
        ``best_unit`` and ``best_score`` (best of all templates, wherever they fire), ``metric`` ("pearson",
        "frobenius"), ``origin`` ("stored": of the sorters' files; "measured": mean waveforms).
    template_events : pandas.DataFrame
        One row per event: ``timestep``, ``new_unit``, ``template_unit`` (None if nothing fires in the
        interval), ``time_difference_ms`` (found minus true, lag taken off), ``score``.
    baseline : pandas.DataFrame
        One row per native unit: ``native_unit``, ``is_donor``, ``spikes``, ``found_unit`` (best match),
        ``accuracy``, ``precision``, ``recall``, ``distance_um`` (to the nearest injected centre),
        ``near_injected`` (bool, within 100 µm).
    lag_correlogram : pandas.DataFrame
        ``lag_ms``, ``count``; one row per sample within ±2 ms, before the lag is taken off.
    correlograms : pandas.DataFrame
        ``new_unit``, ``found_unit``, ``low_ms``, ``high_ms``, ``count``: found minus true times within ±2 ms,
        lag taken off; a bin per sample, centred on it.
    unit_waveforms : tuple of UnitWaveforms
        By injected label; empty without a recording.
    verdict : str
        A sentence or two for people.
    notes : tuple of str
        What could not be computed and why, and what was noticed about the sorting.
    """

    name: str
    source: str
    num_found_units: int
    num_found_spikes: int
    lag_ms: float
    native_lag_ms: float
    units: pd.DataFrame
    pieces: pd.DataFrame
    merges: pd.DataFrame
    confusion: pd.DataFrame
    events: pd.DataFrame
    recall_curves: pd.DataFrame
    false_positives: pd.DataFrame
    false_positive_sources: pd.DataFrame
    template_units: pd.DataFrame
    template_events: pd.DataFrame
    baseline: pd.DataFrame
    lag_correlogram: pd.DataFrame
    correlograms: pd.DataFrame
    unit_waveforms: tuple[UnitWaveforms, ...]
    verdict: str
    notes: tuple[str, ...] = ()

    @property
    def median_accuracy(self) -> float:
        """Median over the injected units, of the accuracy of each with its match."""
        return float(self.units["accuracy"].median())

    @property
    def waveforms(self) -> pd.DataFrame:
        """Waveforms as ``new_unit``, ``found_unit``, ``channel``, ``time_ms``, ``truth``, ``match``."""
        parts = [
            pd.DataFrame(
                {
                    "new_unit": shown.new_unit,
                    "found_unit": pd.Series([shown.found_unit] * shown.truth.size, dtype=object),
                    "channel": np.tile(shown.rows, shown.times_ms.size),
                    "time_ms": np.repeat(shown.times_ms, shown.rows.size),
                    "truth": shown.truth.ravel(),
                    "match": np.full(shown.truth.size, np.nan) if shown.match is None else shown.match.ravel(),
                }
            )
            for shown in self.unit_waveforms
        ]
        empty = pd.DataFrame(columns=["new_unit", "found_unit", "channel", "time_ms", "truth", "match"])
        return pd.concat(parts, ignore_index=True) if parts else empty


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """Sortings of one hybrid against its truth.

    Parameters
    ----------
    session_name : str
        Of the run; of ground truth made elsewhere, the folder's name.
    run_directory : pathlib.Path
    output_directory : pathlib.Path
        Where tables, figures and report lie.
    sampling_frequency : float
        Hz.
    duration_s : float
        Length of the recording, gaps between files not counted; up to the last spike where the length of the
        recording is not known.
    delta_time_ms : float
        Largest difference between a true and a found time that counts as a match.
    amplitude_unit : str
        "µV" where the run's metadata tell the gain, else "counts".
    truth_units : pandas.DataFrame
        One row per injected unit, by label: ``new_unit``, ``true_unit``, ``events``, ``rate_hz``,
        ``center_channel`` (raw row), ``x_um``, ``y_um`` (of that row; NaN without a probe), ``amplitude``
        (median over the events, in `amplitude_unit`), ``snr`` (median over the events).
    probe : pandas.DataFrame
        One row per connected site: ``channel`` (raw row), ``x_um``, ``y_um``, ``shank``; no rows without a probe.
    sorters : tuple of SorterResult
        As given.
    ranking : pandas.DataFrame
        One row per sorter, best first (by median accuracy, then by mean accuracy, then by name): ``rank`` (from
        1, equal for equal figures), ``sorter``, ``median_accuracy``, ``mean_accuracy``, ``found`` (units at
        accuracy ≥ 0.8), ``units``, ``median_recall``, ``median_precision``, ``split``, ``merged`` (numbers of
        units), ``lag_ms``, ``verdict``.
    realism : mapping of str to object
        What the run's manifest holds under "realism"; empty if nothing.
    notes : tuple of str
        What could not be computed for any sorting, and why.
    """

    session_name: str
    run_directory: Path
    output_directory: Path
    sampling_frequency: float
    duration_s: float
    delta_time_ms: float
    amplitude_unit: str
    truth_units: pd.DataFrame
    probe: pd.DataFrame
    sorters: tuple[SorterResult, ...]
    ranking: pd.DataFrame
    realism: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()

    def table(self, name: str) -> pd.DataFrame:
        """One of `TABLES` for all sorters together, with the sorter's name in the first column, ``sorter``."""
        parts: list[pd.DataFrame] = []
        for sorter in self.sorters:
            part = pd.DataFrame(getattr(sorter, name))
            parts.append(part.assign(sorter=sorter.name)[["sorter", *part.columns]])
        filled = [part for part in parts if len(part)]
        return pd.concat(filled, ignore_index=True) if filled else parts[0]

    def sorter(self, name: str) -> SorterResult:
        """Return the result of one sorting by its name; KeyError if there is none."""
        return {sorter.name: sorter for sorter in self.sorters}[name]
