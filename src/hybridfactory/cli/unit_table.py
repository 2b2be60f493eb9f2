"""The units of a sorting as a table: for a terminal, and as CSV."""

import csv
import io
import math
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hybridfactory.donors.candidate import Candidate
    from hybridfactory.pipeline.units import UnitSurvey

__all__ = ["as_csv", "print_units"]

WIDTH = 100
WIDEST = 240


def print_units(survey: "UnitSurvey", *, wide: bool = False) -> None:
    """Print one row per unit, the best first, and what to write into a parameter file, on stdout.

    Parameters
    ----------
    survey : UnitSurvey
    wide : bool
        Show every measure.
    """
    from rich.console import Console
    from rich.table import Table

    shows_phy = survey.source_format == "phy" and survey.label_base == 1
    has_labels = any(unit.curation for unit in survey.units)
    has_auc = any(math.isfinite(unit.realism_auc) for unit in survey.units)
    headings = ["unit", *["phy"] * shows_phy, *["label"] * has_labels, "spikes", "Hz", "SNR"]
    headings += [survey.unit_of_amplitude, "ISI", *["present", "cutoff"] * wide, "drift", "isol."]
    headings += [*["clean", "end", "row", "rows"] * wide, "moves", "realism", *["AUC"] * has_auc, *["quality"] * wide]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("label", "realism") else "right", no_wrap=True)
    table.add_column("donor?", overflow="fold")
    for unit in survey.units:
        phy = [str(unit.label - survey.label_base)] * shows_phy
        table.add_row(
            str(unit.label),
            *phy,
            *[unit.curation] * has_labels,
            *_cells(unit, wide=wide, auc=has_auc),
            _verdict(unit),
        )
    console = Console(highlight=False, width=WIDEST if wide else WIDTH)
    with console.capture() as printed:
        console.print(table)
    # Rich would end the process with exit code 1 when the reader of a pipe has left.
    sys.stdout.write("\n".join(line.rstrip() for line in printed.get().splitlines()) + "\n")
    _print_remarks(survey, has_auc)


def _cells(unit: "Candidate", *, wide: bool, auc: bool) -> list[str]:
    measures = unit.measures
    return [
        str(measures.num_spikes),
        _number(measures.firing_rate_hz, 1),
        _number(measures.snr, 1),
        _number(measures.amplitude, 0),
        _number(measures.isi_violations_ratio, 2),
        *[_number(measures.presence_ratio, 2), _number(measures.amplitude_cutoff, 2)] * wide,
        _number(measures.drift_um, 0),
        _number(measures.isolation, 2),
        *[
            _number(measures.clean_share, 2),
            _number(measures.end_share, 2),
            "–" if unit.main_row is None else str(unit.main_row),
            str(unit.rows.size or "–"),
        ]
        * wide,
        str(unit.num_moves),
        unit.expected_realism or "–",
        *[_number(unit.realism_auc, 2)] * auc,
        *[_number(unit.quality, 2)] * wide,
    ]


def _verdict(unit: "Candidate") -> str:
    return "yes" if unit.is_recommended else f"no: {', '.join(unit.refusals)}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _print_remarks(survey: "UnitSurvey", has_auc: bool) -> None:
    chosen = [unit.label for unit in survey.recommended]
    click.echo(f"\n{len(chosen)} of {len(survey.units)} units are recommended as donors, the best first.")
    click.echo("Drift in µm; realism: what to expect from the unit's own figures, not measured.")
    if len(chosen) < len(survey.units):
        click.echo("What is asked of a donor: hybridfactory units --help")
    if has_auc:
        click.echo("AUC: measured realism (0.5: no classifier tells injected from real spikes).")
    if chosen:
        click.echo(f"\nground_truth_units = {chosen}")
        # Always: in a file that counts the other way, the same numbers are other units.
        click.echo(f"label_base = {survey.label_base}")


def as_csv(survey: "UnitSurvey") -> str:
    """Return everything that is known of the units as CSV, the best first.

    Parameters
    ----------
    survey : UnitSurvey

    Returns
    -------
    str
    """
    records = [{**record, "reasons": "; ".join(record["reasons"])} for record in survey.records()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()
