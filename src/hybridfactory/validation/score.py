"""From an opened hybrid and a placed sorting to everything that is known of that sorting."""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.injection.script import load_script
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.sorting import read_stored_templates
from hybridfactory.validation import tables
from hybridfactory.validation.attribution import confusion_matrix
from hybridfactory.validation.compare import Comparison, compare
from hybridfactory.validation.hybrid import Hybrid
from hybridfactory.validation.reasons import classify_missed
from hybridfactory.validation.result import SorterResult, UnitWaveforms
from hybridfactory.validation.surroundings import Surroundings
from hybridfactory.validation.template_rows import moved_template, on_probe
from hybridfactory.validation.template_scores import (
    Metric,
    TemplatePair,
    empty_template_tables,
    score_templates,
    template_tables,
)
from hybridfactory.validation.tested import Tested
from hybridfactory.validation.verdict import make_verdict
from hybridfactory.validation.waveforms import make_unit_waveforms, measure_means, rendered_means

__all__ = ["Settings", "TemplateOrigin", "score_sorting"]

TemplateOrigin = Literal["auto", "stored", "measured"]


@dataclass(frozen=True)
class Settings:
    """How to compare.

    Parameters
    ----------
    delta_time_ms : float
        Largest difference of matching times.
    template_metric : {"pearson", "frobenius"}
    template_origin : {"auto", "stored", "measured"}
        Which templates to score: those that the sorters stored, or mean waveforms. "auto": stored where both the
        original and the tested sorting keep some in the same format.
    """

    delta_time_ms: float = 0.4
    template_metric: Metric = "pearson"
    template_origin: TemplateOrigin = "auto"


def score_sorting(
    hybrid: Hybrid,
    surroundings: Surroundings,
    tested: Tested,
    settings: Settings,
    *,
    progress: ProgressCallback = no_progress,
) -> SorterResult:
    """Compare one sorting with the truth and describe what came of it.

    Parameters
    ----------
    hybrid : Hybrid
    surroundings : Surroundings
        Of the hybrid's events, from `survey`.
    tested : Tested
    settings : Settings
    progress : ProgressCallback

    Raises
    ------
    SortingError
        The sorting's stored templates are of another probe, or damaged.
    """
    truth, natives = hybrid.truth, hybrid.natives
    comparison = compare(truth, natives, tested, delta_time_ms=settings.delta_time_ms, progress=progress)
    notes = [*tested.notes]
    if not comparison.lag.is_clear:
        notes.append("no lag stands out between found and true times: none was taken off")
    reasons = classify_missed(truth, surroundings, comparison.assignment.is_hit)
    events = tables.event_table(truth, surroundings, comparison, reasons)
    merges = tables.merge_table(truth, natives, comparison)
    units = tables.unit_table(truth, comparison, merges, events)
    false_positives, sources = tables.false_positive_tables(truth, natives, comparison)
    template_units, template_events, unit_waveforms = _waveforms(hybrid, comparison, settings, notes, progress)
    matches = comparison.matches
    return SorterResult(
        name=tested.name,
        source=tested.found.source,
        num_found_units=comparison.spikes.num_units,
        num_found_spikes=comparison.spikes.num_spikes,
        lag_ms=comparison.lag.milliseconds,
        native_lag_ms=comparison.native_lag.milliseconds if natives.labels.size else float("nan"),
        units=units,
        pieces=tables.piece_table(truth, comparison),
        merges=merges,
        confusion=confusion_matrix(
            truth.spikes, comparison.spikes, comparison.assignment, matches, truth.labels, tested.ids[:-1]
        ),
        events=events,
        recall_curves=tables.curve_table(truth, events),
        false_positives=false_positives,
        false_positive_sources=sources,
        template_units=template_units,
        template_events=template_events,
        baseline=tables.baseline_table(truth, natives, comparison),
        lag_correlogram=comparison.lag.table,
        correlograms=tables.correlogram_table(truth, comparison),
        unit_waveforms=unit_waveforms,
        verdict=make_verdict(tested.name, units, merges, events),
        notes=tuple(notes),
    )


def _waveforms(
    hybrid: Hybrid, comparison: Comparison, settings: Settings, notes: list[str], progress: ProgressCallback
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[UnitWaveforms, ...]]:
    """Template scores and mean waveforms, as far as the files for them are there."""
    if hybrid.run is None:
        return *empty_template_tables(), ()
    truth, probe = hybrid.truth, hybrid.run.probe
    script = load_script(hybrid.run.manifest.paths.script).injected
    rows = probe.connected_rows
    rendered = rendered_means(script, truth, rows)
    pair = _stored_pair(hybrid, comparison, rendered, settings, notes)
    wanted = np.arange(comparison.spikes.num_units) if pair is None else np.unique(comparison.matches)
    wanted = wanted[wanted >= 0]
    measured = None
    if hybrid.recording is not None and wanted.size:
        shape = (comparison.spikes.num_units, *rendered.shape[1:])
        measured = np.full(shape, np.nan, dtype=np.float32)
        measured[wanted] = measure_means(
            hybrid.recording,
            truth,
            comparison,
            wanted,
            rows,
            before=script.samples_before,
            after=script.samples_after,
            progress=progress,
        )
    if pair is None and measured is not None:
        pair = TemplatePair(rendered, measured, "measured")
    shown = make_unit_waveforms(
        truth,
        comparison,
        rendered,
        measured,
        rows,
        probe.connected_positions,
        None if hybrid.gains is None else hybrid.gains[rows],
        script.samples_before,
    )
    if pair is None:
        notes.append("no template scores: neither stored templates nor the hybrid files are there")
        return *empty_template_tables(), shown
    scores = score_templates(pair, settings.template_metric)
    return *template_tables(truth, comparison, scores, settings.template_metric, pair.origin), shown


def _stored_pair(
    hybrid: Hybrid, comparison: Comparison, rendered: NDArray[np.float32], settings: Settings, notes: list[str]
) -> TemplatePair | None:
    """Templates that both sorters stored; None where mean waveforms are to be compared."""
    original, found = hybrid.original, comparison.tested.found
    if settings.template_origin == "measured" or hybrid.run is None or original is None:
        return None
    tested = None if found.folder is None else read_stored_templates(found.folder, found.source_format)
    source = None
    if original.sorting is not None and original.sorting.source_format == found.source_format:
        source = read_stored_templates(original.folder, original.sorting.source_format)
    if tested is None or source is None or original.sorting is None:
        if settings.template_origin == "stored":
            notes.append(
                "the original and the tested sorting do not both keep templates in the same format: mean waveforms "
                "were compared"
            )
        return None
    probe = hybrid.run.probe
    spikes = comparison.tested.spikes
    found_templates = _unit_templates(
        on_probe(tested, probe), spikes.units, comparison.tested.spike_templates, found.unit_ids, spikes.num_units
    )
    table = hybrid.run.units.set_index("new_unit")
    # Several units may come from one donor.
    donors, donor_of = np.unique(hybrid.truth.donor_labels, return_inverse=True)
    labels = original.sorting.spike_labels
    is_donor = np.isin(labels, donors)
    templates = original.sorting.spike_templates
    donor_templates = _unit_templates(
        on_probe(source, probe),
        np.searchsorted(donors, labels[is_donor]).astype(np.int32),
        None if templates is None else templates[is_donor],
        donors - original.sorting.label_base,
        donors.size,
    )
    moved = [
        moved_template(donor_templates[donor_of[index]], table.loc[label], probe, rendered[index])
        * np.float32(table.loc[label, "unit_factor"])
        for index, label in enumerate(hybrid.truth.labels)
    ]
    return TemplatePair(np.stack(moved), found_templates, "stored")


def _unit_templates(
    templates: NDArray[np.float32],
    units: NDArray[np.int32],
    spike_templates: NDArray[np.int64] | None,
    ids: NDArray[np.int64],
    num_units: int,
) -> NDArray[np.float32]:
    """Mean of the templates that each unit's spikes were found with; without those, the one of the unit's own id."""
    num_templates = len(templates)
    counts = np.zeros((num_units, num_templates), dtype=np.float32)
    if spike_templates is None or spike_templates.size != units.size:
        own = np.flatnonzero((ids >= 0) & (ids < num_templates))
        counts[own, ids[own]] = 1
    else:
        known = (spike_templates >= 0) & (spike_templates < num_templates)
        np.add.at(counts, (units[known], spike_templates[known]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return cast("NDArray[np.float32]", np.tensordot(shares, templates, axes=1))
