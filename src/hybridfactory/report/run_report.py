"""The page that shows a run: what was injected and what was not, where it went, and what it looks like."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.plan.notes import gather_notes
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.report.inline import inline_svg
from hybridfactory.report.measure import UnitView, ViewOfRun
from hybridfactory.report.page import MAX_FIGURE_BYTES, PageFigure, number, render
from hybridfactory.report.probe_map import probe_figure, probe_table
from hybridfactory.report.realism_scores import RealismScore, how_to_measure, read_scores
from hybridfactory.report.run_figures import FIGURES_FOLDER
from hybridfactory.report.run_tables import (
    file_table,
    pair_table,
    refused_event_table,
    refused_unit_table,
    unit_table,
)
from hybridfactory.report.style import drawing
from hybridfactory.report.unit_figure import page_figures

__all__ = ["write_run_report"]

READING = (
    "Means and single spikes are measured in the recordings, each less the line through its window's ends: the "
    "donor's in the source, the injected unit's in the hybrid, over the background of its new place. Where another "
    "spike, real or injected, falls into a window, it shows."
)
REALISM = (
    "Realism: how well the best of three classifiers tells injected events from real ones of the same unit, as area "
    "under the ROC curve (AUC). 0.5 is no better than chance, 1 is always."
)


def write_run_report(
    run: HybridRun, view: ViewOfRun, path: Path, *, progress: ProgressCallback = no_progress
) -> Path:
    """Write a self-contained page for a run; it stays below 10 MB however many units there are.

    Parameters
    ----------
    run : HybridRun
    view : ViewOfRun
        As measured in the run's recordings.
    path : pathlib.Path
        File to write.
    progress : callable, optional

    Returns
    -------
    pathlib.Path
        `path`.
    """
    content = run.manifest.content
    scores = read_scores(content.get("realism"))
    injected = run.units[run.units["status"] == "injected"].sort_values(["true_unit", "new_unit"]).to_dict("records")
    with drawing():
        what = "Map of the probe: where donors are, and where they were injected"
        probe = inline_svg(probe_figure(probe_table(run)), "probe", what)
        cards = _cards(view, injected, scores, progress)
    html = render(
        "run.html.j2",
        session_name=run.manifest.session_name,
        summary=_summary(run, injected),
        recording=_recording(run),
        facts=_facts(run, injected, scores),
        units=unit_table(run, injected, scores),
        realism_note=REALISM if scores else "",
        realism_command="" if scores else how_to_measure(run.output_directory),
        probe=PageFigure(probe, "Sites (squares), donors (circles), and where they were injected (triangles)."),
        remarks=[*([view.note] if view.note else []), *content.get("warnings", ()), *_notes(content, scores)],
        refused=refused_unit_table(content),
        refused_events=refused_event_table(run),
        reading=READING,
        cards=cards,
        parameters=pair_table("All parameters as used", "parameter", content["parameters"]),
        files=file_table(content),
        versions=pair_table("Versions of what results depend on", "library", content.get("versions", {})),
    )
    path.write_text(html, encoding="utf-8")
    return path


def _summary(run: HybridRun, injected: list[dict[Any, Any]]) -> str:
    events = sum(int(unit["events"]) for unit in injected)
    count = len(injected)
    sources = run.manifest.content["sources"]
    name = Path(sources[0]["path"]).name + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
    return f"{events:,} events of {count} unit{'s' * (count != 1)} were added to a copy of {name}."


def _recording(run: HybridRun) -> str:
    stated, sources = run.manifest.content["recording"], run.manifest.content["sources"]
    seconds = sum(item["num_samples"] for item in sources) / run.sampling_frequency
    length = f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.1f} min"
    rows = f"{run.probe.connected_rows.size} of {stated['num_rows']} rows are connected"
    created = str(run.manifest.content.get("created", "")).replace("T", " ").removesuffix("+00:00")
    made = f" Made on {created} UTC." if created else ""
    return f"{length} at {run.sampling_frequency:,g} Hz; {rows}; probe {run.probe.name}.{made}"


def _facts(
    run: HybridRun, injected: list[dict[Any, Any]], scores: Mapping[int, RealismScore]
) -> list[dict[str, str]]:
    refused = sum(int(unit["refused_events"]) for unit in injected)
    clipped = run.manifest.content.get("num_clipped_samples")
    known = [score.auc for score in scores.values() if score.auc is not None]
    facts = [
        {"name": "Units injected", "value": str(len(injected)), "more": f"of {len(run.units)} asked for"},
        {"name": "Events", "value": f"{sum(int(unit['events']) for unit in injected):,}", "more": ""},
        {"name": "Spikes without an event", "value": f"{refused:,}", "more": "of the donors"},
        {
            "name": "Clipped samples",
            "value": "not known" if clipped is None else f"{clipped:,}",
            "more": "at the data type's limits",
        },
    ]
    if known:
        worst = f"worst {number(max(known), 2)}; 0.5 is as good as real"
        facts.append({"name": "Realism, median AUC", "value": number(float(np.median(known)), 2), "more": worst})
    return facts


def _notes(content: Mapping[str, Any], scores: Mapping[int, RealismScore]) -> list[str]:
    """Notes on injected units, and what a poor realism score may come from."""
    units = {str(unit["donor_label"]) for unit in content.get("units", ())}
    notes = [(str(unit["donor_label"]), unit.get("notes", ())) for unit in content.get("units", ())]
    notes += [(str(label), [f"realism: {score.remark}"]) for label, score in scores.items() if score.remark]
    # Units made from one donor share what is said of it.
    return [f"{note[:1].upper()}{note[1:]}" for note in gather_notes(notes, num_units=len(units))]


def _cards(
    view: ViewOfRun,
    injected: list[dict[Any, Any]],
    scores: Mapping[int, RealismScore],
    progress: ProgressCallback,
) -> list[dict[str, Any]]:
    cards = []
    left = MAX_FIGURE_BYTES
    for done, (unit, record) in enumerate(zip(view.units, injected, strict=True), start=1):
        figures = _figures(view, unit) if left > 0 else []
        left -= sum(len(picture.svg.encode()) for picture in figures)
        cards.append(_card(unit, record, scores.get(unit.donor.label), figures if left >= 0 else []))
        progress("writing the report", done, len(view.units))
    return cards


def _figures(view: ViewOfRun, unit: UnitView) -> list[PageFigure]:
    label = unit.injected.label
    return [
        PageFigure(inline_svg(figure, f"u{label}-{index}", f"Unit {label}: {what}"))
        for index, (what, figure) in enumerate(page_figures(view, unit).items())
    ]


def _card(
    unit: UnitView, record: Mapping[Any, Any], score: RealismScore | None, figures: list[PageFigure]
) -> dict[str, Any]:
    facts = [
        f"{int(record['events']):,} events",
        f"row {unit.donor.row} → {unit.injected.row}",
        f"SNR {number(record['snr'], 1)}",
    ]
    if record["unit_factor"] != 1:
        facts.append(f"scaled by {number(record['unit_factor'], 2)}")
    if record["removed_spikes"]:
        facts.append(f"{int(record['removed_spikes']):,} spikes of the donor taken out")
    notes = record["notes"].split("; ") if isinstance(record["notes"], str) else []
    if score is not None and score.auc is not None:
        facts.append(f"realism AUC {number(score.auc, 2)}")
    if score is not None and score.remark:
        notes.append(f"realism: {score.remark}")
    return {
        "donor": unit.donor.label,
        "label": unit.injected.label,
        "facts": ", ".join(facts),
        "notes": notes,
        "figures": figures,
        "elsewhere": f"{FIGURES_FOLDER}/unit-{unit.injected.label}.png",
    }
