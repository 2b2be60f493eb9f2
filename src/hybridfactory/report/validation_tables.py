"""The tables of a validation's page."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hybridfactory.report.page import Cell, Column, Table, cell, number
from hybridfactory.report.realism_scores import RealismScore
from hybridfactory.validation.result import SorterResult, ValidationResult
from hybridfactory.validation.verdict import judge_baseline

__all__ = [
    "MAX_ROWS",
    "baseline_table",
    "comparison_table",
    "merge_table",
    "missed_table",
    "ranking_table",
    "source_table",
    "unit_table",
    "worst_first",
]

MAX_ROWS = 200
"""Rows of a table on the page; the files hold all."""

ALWAYS_SHOWN = 4
"""First columns that a table keeps, whatever they hold."""

MIN_FALSE_SPIKES = 10
"""Fewer spikes of one source are no sign of anything."""

WELL_FOUND = 0.8
POORLY_FOUND = 0.5
REASONS = ("small", "collision", "edge", "drifted", "other")


def worst_first(units: pd.DataFrame) -> pd.DataFrame:
    """Rows in order of accuracy, unknown ones first."""
    return units.sort_values(["accuracy", "new_unit"], na_position="first", kind="stable")


def accuracy_cell(value: Any) -> Cell:
    """Accuracy, good or poor at a glance."""
    tone = "good" if value >= WELL_FOUND else "poor" if value < POORLY_FOUND else ""
    return cell(value, 2, tone=tone)


def ranking_table(result: ValidationResult, anchors: Mapping[str, str]) -> Table:
    """One row per sorter, best first; `anchors` are the places of their sections on the page, by name."""
    rows = [
        [
            cell(row["rank"], 0),
            Cell(row["sorter"], row["sorter"], anchors.get(row["sorter"], "")),
            accuracy_cell(row["median_accuracy"]),
            accuracy_cell(row["mean_accuracy"]),
            Cell(f"{row['found']} of {row['units']}", str(row["found"])),
            cell(row["median_recall"], 2),
            cell(row["median_precision"], 2),
            cell(row["split"], 0),
            cell(row["merged"], 0),
            cell(row["lag_ms"], 2, sign=True),
        ]
        for row in result.ranking.to_dict("records")[:MAX_ROWS]
    ]
    columns = (
        Column("rank", "By median accuracy, then by mean accuracy"),
        Column("sorter", is_text=True),
        Column("median accuracy", "Over the injected units"),
        Column("mean accuracy", "Over the injected units"),
        Column("found", "Units at accuracy ≥ 0.8"),
        Column("median recall"),
        Column("median precision"),
        Column("split", "Units whose accuracy rises when found units are merged"),
        Column("merged", "Units that share a found unit with another one"),
        Column("lag (ms)", "Constant lag of the sorter's times, taken off before matching"),
    )
    return Table(_cut("Sorters, best first.", len(result.ranking), "ranking.csv"), columns, rows)


def comparison_table(result: ValidationResult, names: list[str], scores: Mapping[int, RealismScore]) -> Table:
    """One row per injected unit, and in it the accuracy with each of the sorters named."""
    truth = result.truth_units.sort_values("new_unit")
    accuracy = {name: result.sorter(name).units.set_index("new_unit")["accuracy"] for name in names}
    rows = []
    for unit in truth.to_dict("records")[:MAX_ROWS]:
        label = unit["new_unit"]
        rows.append(
            [
                cell(label, 0),
                *(accuracy_cell(accuracy[name].get(label, float("nan"))) for name in names),
                cell(unit["events"], 0),
                cell(unit["rate_hz"], 1),
                cell(unit["amplitude"], 0),
                cell(unit["snr"], 1),
                *_realism_cells(scores, unit["true_unit"]),
            ]
        )
    columns = (
        Column("injected", "Label of the injected unit"),
        *(Column(name, f"Accuracy with {name}") for name in names),
        Column("events"),
        _size_columns(result)[1],
        _size_columns(result)[0],
        Column("SNR", "Median over the events"),
        *_realism_columns(scores),
    )
    return Table(_cut("Accuracy of each injected unit, by sorter.", len(truth), "units.csv"), columns, rows)


def _size_columns(result: ValidationResult) -> list[Column]:
    amplitude = Column(f"amplitude ({result.amplitude_unit})", "Median over the events, on the centre channel")
    return [amplitude, Column("rate (Hz)", "Events over the length of the recording")]


def _realism_columns(scores: Mapping[int, RealismScore]) -> list[Column]:
    text = "Of its donor: how well a classifier tells injected from real spikes; 0.5 is no better than chance"
    return [Column("realism AUC", text)] if scores else []


def _realism_cells(scores: Mapping[int, RealismScore], donor: int) -> list[Cell]:
    score = scores.get(int(donor))
    return [cell(score.auc if score else None, 2)] if scores else []


def unit_table(
    result: ValidationResult, sorter: SorterResult, scores: Mapping[int, RealismScore], cards: Mapping[int, str]
) -> Table:
    """One row per injected unit, worst first; `cards` are the places of their cards on the page.

    Of a single sorter it is the only table of units, so that it holds their amplitudes and rates as well.
    """
    sizes = result.truth_units.set_index("new_unit") if len(result.sorters) == 1 else None
    template = sorter.template_units.set_index("new_unit")
    rows = []
    for unit in worst_first(sorter.units).to_dict("records")[:MAX_ROWS]:
        label = int(unit["new_unit"])
        is_split = unit["num_pieces"] > 1
        score = template["score"].get(label) if len(template) else None
        rows.append(
            [
                Cell(str(label), str(label), cards.get(label, "")),
                accuracy_cell(unit["accuracy"]),
                cell(unit["precision"], 2),
                cell(unit["recall"], 2),
                cell("–" if unit["found_unit"] is None else unit["found_unit"]),
                cell(unit["snr"], 1),
                cell(unit["events"], 0),
                cell(unit["missed"], 0),
                cell(unit["false"], 0),
                cell(unit["pieces"] if is_split else ""),
                cell(unit["merged_accuracy"] if is_split else None, 2),
                cell(unit["merged_with"]),
                cell(unit["reason"]),
                cell(score, 2),
                *([] if sizes is None else [cell(sizes["amplitude"][label], 0), cell(sizes["rate_hz"][label], 1)]),
                *_realism_cells(scores, unit["true_unit"]),
            ]
        )
    metric = sorter.template_units["metric"].iloc[0] if len(sorter.template_units) else "pearson"
    better = "higher is better" if metric == "pearson" else "lower is better"
    columns = (
        Column("injected", "Label of the injected unit"),
        Column("accuracy"),
        Column("precision"),
        Column("recall"),
        Column("found as", "Unit of the sorting that it was matched with", is_text=True),
        Column("SNR", "Median over its events"),
        Column("events"),
        Column("missed", "Events that are not in the matched unit"),
        Column("false", "Spikes of the matched unit that are no event of this one"),
        Column("pieces", "Found units that make it up, where it was split", is_text=True),
        Column("accuracy, merged", "After the best merge of these pieces"),
        Column("shares its unit with", "Units that the same found unit holds", is_text=True),
        Column("mainly for", "Commonest reason for which its events were missed", is_text=True),
        Column("template", f"{str(metric).capitalize()} score of the template that is best at most events: {better}"),
        *([] if sizes is None else _size_columns(result)),
        *_realism_columns(scores),
    )
    caption = _cut("Injected units, worst first.", len(sorter.units), "units.csv")
    return Table(caption, *_with_something_to_say(columns, rows))


def missed_table(sorter: SorterResult) -> Table:
    """One row per injected unit that lost events, with their number by reason."""
    missed = sorter.events[~sorter.events["hit"].astype(bool)]
    counts = pd.crosstab(missed["new_unit"], missed["reason"]).reindex(columns=REASONS, fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    rows = [
        [cell(label, 0), cell(sum(row), 0), *(cell(value, 0) for value in row)]
        for label, row in zip(counts.index.tolist()[:MAX_ROWS], counts.to_numpy().tolist(), strict=False)
    ]
    columns = (
        Column("injected"),
        Column("missed"),
        Column("small", "SNR below 5, or well below the unit's typical amplitude"),
        Column("collision", "A spike of another unit within 0.5 ms and 200 µm"),
        Column("edge", "Within 5 ms of an end of the file"),
        Column("drifted", "Away from the unit's usual place, or in a stretch in which it was lost"),
        Column("other", "None of these"),
    )
    caption = _cut("Missed events by what may explain them.", len(counts), "events.csv")
    return Table(caption, *_with_something_to_say(columns, rows))


def merge_table(sorter: SorterResult) -> Table:
    """One row per injected unit, found unit and partner that share it."""
    rows = [
        [
            cell(row["new_unit"], 0),
            cell(row["found_unit"]),
            cell(f"{row['partner_kind']} {row['partner']}"),
            cell(100 * row["share_of_unit"], 0),
            cell(100 * row["share_of_partner"], 0),
            cell(100 * row["share_of_found"], 0),
        ]
        for row in sorter.merges.to_dict("records")[:MAX_ROWS]
    ]
    columns = (
        Column("injected"),
        Column("found unit", is_text=True),
        Column("shared with", is_text=True),
        Column("% of the injected unit", "Share of its events that lie in the found unit"),
        Column("% of the partner", "Share of the partner's spikes that lie in the found unit"),
        Column("% of the found unit", "Share of the found unit's spikes that are the partner's"),
    )
    return Table(_cut("Found units that hold more than one unit.", len(sorter.merges), "merges.csv"), columns, rows)


def source_table(sorter: SorterResult) -> Table:
    """One row per injected unit and unit of which 10 spikes or more were taken for its events."""
    sources = sorter.false_positive_sources.sort_values("spikes", ascending=False, kind="stable")
    is_few = sources["spikes"] < MIN_FALSE_SPIKES
    left_out, sources = sources[is_few], sources[~is_few]
    rows = [
        [
            cell(row["new_unit"], 0),
            cell(row["found_unit"]),
            cell(row["kind"] if pd.isna(row["belongs_to"]) else f"{row['kind']} {row['belongs_to']}"),
            cell(row["spikes"], 0),
            cell(100 * row["share"], 0),
        ]
        for row in sources.to_dict("records")[:MAX_ROWS]
    ]
    columns = (
        Column("injected"),
        Column("found unit", is_text=True),
        Column("spikes of", is_text=True),
        Column("spikes"),
        Column("% of all false ones"),
    )
    caption = _cut("Where false spikes come from.", len(sources), "false_positive_sources.csv")
    if len(left_out):
        caption += (
            f" {int(left_out['spikes'].sum()):,} spikes of sources with fewer than {MIN_FALSE_SPIKES} are left out; "
            "all are in false_positive_sources.csv."
        )
    return Table(caption, columns, rows, is_worth_saying=bool(len(left_out)))


def baseline_table(sorter: SorterResult) -> Table:
    """How native units were found again, near the injected ones and elsewhere."""
    native = sorter.baseline
    rows = []
    for name, part in (
        ("within 100 µm of an injected unit", native[native["near_injected"].astype(bool)]),
        ("elsewhere", native[~native["near_injected"].astype(bool)]),
    ):
        if len(part):
            found = int((part["accuracy"] >= WELL_FOUND).sum())
            values = [cell(part[what].median(), 2) for what in ("accuracy", "precision", "recall")]
            rows.append(
                [cell(name), cell(len(part), 0), Cell(f"{number(found)} of {len(part)}", str(found)), *values]
            )
    columns = (
        Column("native units", is_text=True),
        Column("units"),
        Column("refound", "At accuracy ≥ 0.8"),
        Column("median accuracy"),
        Column("median precision"),
        Column("median recall"),
    )
    sentence = judge_baseline(native)
    caption = f"{sentence} How the units of the first sorting were found again in the hybrid; baseline.csv holds all."
    return Table(caption.strip(), columns, rows)


def _with_something_to_say(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]]
) -> tuple[tuple[Column, ...], list[list[Cell]]]:
    """Leave out columns that hold nothing, or nothing but zeros: a narrow page has no room for them."""
    said = [not rows or any(row[place].text not in ("", "–", "0") for row in rows) for place in range(len(columns))]
    kept = [place for place, speaks in enumerate(said) if speaks or place < ALWAYS_SHOWN]
    return tuple(columns[place] for place in kept), [[row[place] for place in kept] for row in rows]


def _cut(caption: str, count: int, name: str) -> str:
    return caption if count <= MAX_ROWS else f"{caption} The first {MAX_ROWS} of {count:,}; all are in {name}."
