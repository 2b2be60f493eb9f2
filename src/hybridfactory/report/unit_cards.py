"""Injected units one by one: each with a figure as a file, and on the page as long as there is room."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from hybridfactory.progress import ProgressCallback
from hybridfactory.report.inline import inline_svg
from hybridfactory.report.match_panels import match_figure, match_page_figures
from hybridfactory.report.page import PageFigure, number
from hybridfactory.report.realism_scores import RealismScore
from hybridfactory.report.style import save
from hybridfactory.report.validation_tables import worst_first
from hybridfactory.validation.result import SorterResult, ValidationResult
from hybridfactory.validation.verdict import REASONS

__all__ = ["MAX_UNIT_FIGURES", "UnitCards"]

MAX_UNIT_FIGURES = 100
"""Figures of single units, all sorters together; the worst units of each come first."""

MAX_CARD_BYTES = 5_500_000
"""What the figures of single units may weigh on the page; with all else it stays below 10 MB."""


class UnitCards:
    """Draws single units: each as a file, and on the page as long as there is room.

    Parameters
    ----------
    result : ValidationResult
    scores : mapping of int to RealismScore
    folder : pathlib.Path
    num_sorters : int
        Sorters whose units are to be shown; each gets an equal part of the room.
    progress : callable
    """

    def __init__(
        self,
        result: ValidationResult,
        scores: Mapping[int, RealismScore],
        folder: Path,
        num_sorters: int,
        progress: ProgressCallback,
    ) -> None:
        self.scores = scores
        self.written: list[Path] = []
        self._result = result
        self._folder = folder
        self._units_each = min(MAX_UNIT_FIGURES // num_sorters, len(result.truth_units))
        self._bytes_each = MAX_CARD_BYTES // num_sorters
        self._total = self._units_each * num_sorters
        self._progress = progress
        self._done = 0

    def of(self, sorter: SorterResult, index: int) -> list[dict[str, Any]]:
        """Make the cards of a sorter's worst units; `index` tells its cards from those of others."""
        left = self._bytes_each
        cards = []
        for unit in worst_first(sorter.units).to_dict("records")[: self._units_each]:
            label = int(unit["new_unit"])
            figure = match_figure(sorter, label, self._result.amplitude_unit)
            self.written += save(figure, self._folder / f"unit-{label}-{sorter.name}")
            figures = self._on_page(sorter, index, label) if left > 0 else []
            left -= sum(len(picture.svg.encode()) for picture in figures)
            cards.append(self._card(unit, sorter, index, figures if left >= 0 else []))
            self._done += 1
            self._progress("drawing units", self._done, self._total)
        return cards

    def _on_page(self, sorter: SorterResult, index: int, label: int) -> list[PageFigure]:
        drawn = match_page_figures(sorter, label, self._result.amplitude_unit)
        return [
            PageFigure(inline_svg(figure, f"s{index}-u{label}-{place}", f"{sorter.name}, unit {label}: {what}"))
            for place, (what, figure) in enumerate(drawn.items())
        ]

    def _card(
        self, unit: Mapping[Any, Any], sorter: SorterResult, index: int, figures: list[PageFigure]
    ) -> dict[str, Any]:
        label = int(unit["new_unit"])
        facts = [
            f"accuracy {number(unit['accuracy'], 2)}",
            f"precision {number(unit['precision'], 2)}",
            f"recall {number(unit['recall'], 2)}",
            f"SNR {number(unit['snr'], 1)}",
        ]
        score = self.scores.get(int(unit["true_unit"]))
        if score is not None and score.auc is not None:
            facts.append(f"realism AUC {number(score.auc, 2)}")
        return {
            "label": label,
            "anchor": f"s{index}-unit-{label}",
            "found": "not matched" if unit["found_unit"] is None else f"found as {unit['found_unit']}",
            "facts": ", ".join(facts),
            "remarks": _remarks(unit, sorter),
            "figures": figures,
        }


def _remarks(unit: Mapping[Any, Any], sorter: SorterResult) -> list[str]:
    remarks = []
    if unit["num_pieces"] > 1:
        merged = number(unit["merged_accuracy"], 2)
        remarks.append(f"Made up of found units {unit['pieces']}: accuracy {merged} when they are merged.")
    if unit["merged_with"]:
        remarks.append(f"Its found unit holds {unit['merged_with']} as well.")
    if unit["missed"]:
        remarks.append(_losses(unit, sorter.events))
    return remarks


def _losses(unit: Mapping[Any, Any], events: pd.DataFrame) -> str:
    """Say how many events were missed for which reason, the commonest first."""
    missed = events[(events["new_unit"] == unit["new_unit"]) & ~events["hit"].astype(bool)]
    counts = missed["reason"].value_counts()
    parts = [f"{count:,} {REASONS[str(reason)]}" for reason, count in counts.items()]
    return f"{int(unit['missed']):,} of its {int(unit['events']):,} events were missed: {', '.join(parts)}."
