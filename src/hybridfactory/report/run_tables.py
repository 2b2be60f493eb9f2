"""The tables of a run's page."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.ground_truth.run_tables import read_refusals
from hybridfactory.report.page import Cell, Column, Table, cell, number
from hybridfactory.report.realism_scores import RealismScore

__all__ = ["file_table", "pair_table", "refused_event_table", "refused_unit_table", "unit_table"]

UNIT_COLUMNS = (
    Column("donor", "Label of the donor in the sorting"),
    Column("injected", "Label of the injected unit"),
    Column("events", "Injected events"),
    Column("refused", "Donor spikes that got no event"),
    Column("clipped", "Samples of its events at the limits of the data type"),
    Column("from row", "Raw row on which the donor is largest"),
    Column("to row", "Raw row on which the injected unit is largest"),
    Column("moved x (µm)", "Move of the donor's main channel"),
    Column("moved y (µm)", "Move of the donor's main channel"),
    Column("move", "Translation, rotation or reflection of the sites", is_text=True),
    Column("SNR", "Largest deflection of the donor's mean over the background's standard deviation"),
    Column("components", "Components of the event model beside the mean"),
)
REALISM_COLUMNS = (
    Column("realism AUC", "Largest area under the ROC curve of three classifiers; 0.5: no better than chance"),
    Column("95 % interval", "Confidence interval of the realism AUC"),
)


def unit_table(run: HybridRun, injected: list[dict[Any, Any]], scores: Mapping[int, RealismScore]) -> Table:
    """One row per injected unit; `injected` are rows of the run's table of units."""
    clipped = run.artificial_units.groupby("new_unit")["clipped_samples"].sum(min_count=1)
    rows = []
    for unit in injected:
        label = int(unit["new_unit"])
        row = [
            cell(unit["true_unit"], 0),
            Cell(str(label), str(label), f"#unit-{label}"),
            cell(unit["events"], 0),
            cell(unit["refused_events"], 0),
            cell(clipped[label], 0),
            cell(unit["donor_channel"], 0),
            cell(unit["center_channel"], 0),
            cell(unit["displacement_x_um"], 0, sign=True),
            cell(unit["displacement_y_um"], 0, sign=True),
            cell(unit["move"]),
            cell(unit["snr"], 1),
            cell(unit["rank"], 0),
        ]
        rows.append([*row, *(_score_cells(scores.get(int(unit["true_unit"]))) if scores else [])])
    columns = (*UNIT_COLUMNS, *REALISM_COLUMNS) if scores else UNIT_COLUMNS
    return Table("Injected units. A title sorts; a label leads to the unit's figure.", columns, rows)


def _score_cells(score: RealismScore | None) -> list[Cell]:
    if score is None or score.auc is None:
        return [cell(None, 2), cell(None, 2)]
    auc = cell(score.auc, 2, tone="poor" if score.is_poor else "good")
    if score.low is None or score.high is None:
        return [auc, cell(None, 2)]
    return [auc, Cell(f"{number(score.low, 2)} to {number(score.high, 2)}", str(score.low))]


def refused_unit_table(content: Mapping[str, Any]) -> Table:
    """One row per unit that was not injected, with the reason; `content` is the manifest's."""
    refused = [unit for unit in content.get("units", ()) if unit["injected_label"] is None]
    rows = [[cell(unit["donor_label"], 0), cell(unit["reason"])] for unit in refused]
    return Table("Units that were refused", (Column("unit"), Column("reason", is_text=True)), rows)


def refused_event_table(run: HybridRun) -> Table:
    """One row per unit and reason for which spikes of it got no event."""
    plan = read_refusals(run.manifest.paths.plan)
    refused = plan[plan["status"] == "event refused"]
    counts = Counter(zip(refused["true_unit"].tolist(), refused["reason"].tolist(), strict=True))
    rows = [[cell(unit, 0), cell(count, 0), cell(reason)] for (unit, reason), count in sorted(counts.items())]
    columns = (Column("unit"), Column("spikes"), Column("reason", is_text=True))
    return Table("Spikes without an event, by reason", columns, rows)


def file_table(content: Mapping[str, Any]) -> Table:
    """One row per file of the run; `content` is the manifest's."""
    rows = [[cell("source"), cell(item["path"]), cell(item["num_samples"], 0)] for item in content["sources"]]
    for target, source in zip(content["targets"], content["sources"], strict=True):
        rows.append([cell("hybrid"), cell(target["name"]), cell(source["num_samples"], 0)])
    rows += [[cell("truth"), cell(name), cell(None, 0)] for name in content["files"]]
    columns = (Column("kind", is_text=True), Column("file", is_text=True), Column("samples"))
    return Table("Files of the run", columns, rows)


def pair_table(caption: str, what: str, values: Mapping[str, Any]) -> Table:
    """One row per name and value."""
    rows = [[cell(name), cell("" if value is None else value)] for name, value in values.items()]
    return Table(caption, (Column(what, is_text=True), Column("value", is_text=True)), rows)
