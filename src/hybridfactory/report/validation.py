"""The page that shows a validation: a verdict per sorter, and why; with every figure as a file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.report.accuracy_panels import accuracy_by_snr_figure, accuracy_map_figure
from hybridfactory.report.confusion_map import confusion_figure, left_out
from hybridfactory.report.inline import inline_svg
from hybridfactory.report.origin import length, origins
from hybridfactory.report.page import PageFigure, number, render
from hybridfactory.report.realism_scores import RealismScore, how_to_measure, read_scores
from hybridfactory.report.recall_panels import TITLES, recall_figure, recall_page_figures
from hybridfactory.report.style import SERIES, drawing, save, short
from hybridfactory.report.unit_cards import UnitCards
from hybridfactory.report.validation_tables import (
    baseline_table,
    comparison_table,
    merge_table,
    missed_table,
    ranking_table,
    source_table,
    unit_table,
)
from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = ["write_validation_report"]

MAX_SORTERS = len(SERIES)
"""Sorters that are shown in full, from the best one."""

REPORT_NAME = "report.html"

REM_PER_INCH = 6.2
"""So wide a figure's text is as large as that of the others."""

REALISM = (
    "Realism AUC: how well the best of three classifiers tells the unit's injected events from real ones. "
    "0.5 is no better than chance; where it is high, the sorter may have met spikes unlike real ones."
)


def write_validation_report(
    result: ValidationResult,
    folder: Path,
    *,
    now: datetime | None = None,
    progress: ProgressCallback = no_progress,
) -> list[Path]:
    """Draw a validation, and write a self-contained page that stays below 10 MB whatever was compared.

    Shown in full are the six best sorters. Of each, the units that were found worst have figures of their own, up
    to 100 for all sorters together, and as many of these on the page as fit. What is left out is named there; the
    tables that a validation writes hold everything.

    Parameters
    ----------
    result : ValidationResult
    folder : pathlib.Path
        An existing folder.
    now : datetime.datetime, optional
        The date that the page bears; default: the present.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    list of pathlib.Path
        What was written: ``report.html``, then for each figure a PNG and an SVG. All names are plain: the files
        lie in `folder` itself.
    """
    names = result.ranking["sorter"].tolist()[:MAX_SORTERS]
    sorters = [result.sorter(name) for name in names]
    scores = read_scores(result.realism)
    with drawing():
        written = _save_figures(result, sorters, folder)
        cards = UnitCards(result, scores, folder, len(sorters), progress)
        sections = [_section(result, sorter, index, cards) for index, sorter in enumerate(sorters)]
        recall = [
            PageFigure(inline_svg(figure, f"recall-{index}", f"Of all injected units together: {TITLES[covariate]}"))
            for index, (covariate, figure) in enumerate(recall_page_figures(sorters).items())
        ]
        snr_figure = accuracy_by_snr_figure(sorters)
        by_snr = inline_svg(snr_figure, "snr", "Accuracy of each injected unit against its SNR")
    anchors = {section["name"]: f"#{section['anchor']}" for section in sections}
    html = render(
        "validation.html.j2",
        session_name=result.session_name,
        summary=_summary(result),
        origins=origins(result, sorters, now or datetime.now(UTC)),
        method=_method(result),
        verdicts=[sorter.verdict for sorter in sorters],
        left_out=result.ranking["sorter"].tolist()[MAX_SORTERS:],
        facts=_facts(result, scores),
        ranking=ranking_table(result, anchors),
        comparison=comparison_table(result, names, scores) if len(sorters) > 1 else sections[0]["units"],
        by_snr=PageFigure(by_snr, "Each injected unit; dotted: accuracy 0.8, at which a unit counts as found."),
        by_snr_rem=round(REM_PER_INCH * float(snr_figure.get_size_inches()[0]), 1),
        recall=recall,
        legend=[sorter.name for sorter in sorters],
        realism_note=REALISM if scores else "",
        realism_command=how_to_measure(result.run_directory) if _is_run(result) and not scores else "",
        notes=result.notes,
        sections=sections,
    )
    report = folder / REPORT_NAME
    report.write_text(html, encoding="utf-8")
    return [report, *written, *cards.written]


def _save_figures(result: ValidationResult, sorters: Sequence[SorterResult], folder: Path) -> list[Path]:
    """Save what is drawn of all sorters together, and of each, with titles of their own."""
    written = [
        *save(recall_figure(sorters), folder / "recall_curves"),
        *save(accuracy_by_snr_figure(sorters), folder / "accuracy_by_snr"),
    ]
    for sorter in sorters:
        written += save(
            accuracy_map_figure(result, sorter, f"{short(sorter.name)}: injected units"),
            folder / f"accuracy_map-{sorter.name}",
        )
        written += save(
            confusion_figure(sorter.confusion, f"{short(sorter.name)}: where the events went (%)"),
            folder / f"confusion-{sorter.name}",
        )
    return written


def _summary(result: ValidationResult) -> str:
    units, sorters = len(result.truth_units), len(result.sorters)
    events = int(result.truth_units["events"].sum())
    return (
        f"{sorters} sorting{'s' * (sorters != 1)} against {events:,} true events of {units} injected "
        f"unit{'s' * (units != 1)} in {length(result.duration_s)}."
    )


def _method(result: ValidationResult) -> str:
    return (
        f"A found spike matches a true event if they are at most {result.delta_time_ms:g} ms apart, once the "
        "sorter's constant lag is taken off. Accuracy is hits / (hits + missed + false). Other spikes count as "
        "false only where they lie in a unit that was matched with an injected one."
    )


def _facts(result: ValidationResult, scores: Mapping[int, RealismScore]) -> list[dict[str, str]]:
    best = result.ranking.iloc[0]
    known = [score.auc for score in scores.values() if score.auc is not None]
    of_best = f"{best['sorter']}" if len(result.sorters) > 1 else "accuracy ≥ 0.8"
    realism = _realism_fact(known)
    return [
        {"name": "Units found", "value": f"{best['found']} of {best['units']}", "more": of_best},
        {"name": "Median accuracy", "value": number(best["median_accuracy"], 2), "more": ""},
        {"name": "Median recall", "value": number(best["median_recall"], 2), "more": ""},
        {"name": "Median precision", "value": number(best["median_precision"], 2), "more": ""},
        *realism,
    ]


def _realism_fact(known: list[float]) -> list[dict[str, str]]:
    if not known:
        return []
    worst = f"worst {number(max(known), 2)}; 0.5 is as good as real"
    return [{"name": "Realism, median AUC", "value": number(float(np.median(known)), 2), "more": worst}]


def _is_run(result: ValidationResult) -> bool:
    return (result.run_directory / MANIFEST_NAME).is_file()


def _section(result: ValidationResult, sorter: SorterResult, index: int, cards: UnitCards) -> dict[str, Any]:
    """All that the page shows of one sorter."""
    own_cards = cards.of(sorter, index)
    places = {card["label"]: f"#{card['anchor']}" for card in own_cards if card["figures"]}
    accuracy = inline_svg(
        accuracy_map_figure(result, sorter), f"map-{index}", f"{sorter.name}: accuracy of each unit at its place"
    )
    confusion = inline_svg(
        confusion_figure(sorter.confusion), f"confusion-{index}", f"{sorter.name}: confusion matrix as a heat map"
    )
    baseline = baseline_table(sorter)
    shown = [card for card in own_cards if card["figures"]]
    return {
        "name": sorter.name,
        "anchor": f"sorter-{index}",
        "source": sorter.source,
        "verdict": sorter.verdict,
        "facts": _sorter_facts(sorter),
        "notes": sorter.notes,
        "map": PageFigure(accuracy, "Injected units on the probe, by accuracy."),
        "confusion": PageFigure(
            confusion,
            "Per cent of each injected unit's events by found unit; blank: none. Bottom: per cent of the "
            f"found unit's spikes that are no injected event. {_not_shown(sorter)}".strip(),
        ),
        "units": unit_table(result, sorter, cards.scores, places),
        "missed": missed_table(sorter),
        "merges": merge_table(sorter),
        "sources": source_table(sorter),
        "baseline": baseline,
        "cards": shown,
        "num_files": len(own_cards),
        "num_units": len(sorter.units),
    }


def _not_shown(sorter: SorterResult) -> str:
    """Say which found units the confusion matrix leaves out."""
    text = left_out(sorter.confusion)
    return f"Of found units, {text}; confusion-{sorter.name}.csv holds all." if text else ""


def _sorter_facts(sorter: SorterResult) -> str:
    lag = number(sorter.lag_ms, 2, sign=True)
    off = f"its times are off by a constant {lag} ms, which was taken off" if lag != "0.00" else "no constant lag"
    return f"{sorter.num_found_units:,} units with {sorter.num_found_spikes:,} spikes; {off}"
