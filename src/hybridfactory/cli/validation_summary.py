"""The end of a validation, for people and for machines."""

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hybridfactory.cli.streams import say, seen_from_here
from hybridfactory.errors import printable

if TYPE_CHECKING:
    from rich.table import Table

    from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = ["print_validation", "validation_as_json"]

NARROWEST_TABLE = 80


def print_validation(result: "ValidationResult") -> None:
    """Print a table of units per sorter, the verdicts, and where the tables are, on stdout.

    Parameters
    ----------
    result : ValidationResult
    """
    for sorter in result.sorters:
        say(f"{sorter.name}: {sorter.num_found_spikes:,} spikes of {sorter.num_found_units:,} units\n")
        _print_table(_unit_table(sorter))
        say()
    if len(result.sorters) > 1:
        say("Ranking by median accuracy:\n")
        _print_table(_ranking_table(result))
        say()
    for sorter in result.sorters:
        say(sorter.verdict)
        if abs(sorter.lag_ms) > 0:
            side = "behind" if sorter.lag_ms > 0 else "ahead of"
            say(f"  Its times are {abs(sorter.lag_ms):.2f} ms {side} the true ones; that was taken off.")
        for note in sorter.notes:
            say(f"  {note}")
    if result.notes:
        say("\n".join(["\nRemarks:", *(f"  {note}" for note in result.notes)]))
    say(f"\nWritten to {seen_from_here(result.output_directory)}")
    page = result.output_directory / "report.html"
    if page.is_file():
        say(f"Open in a browser: {seen_from_here(page)}")


def _print_table(table: "Table") -> None:
    from rich.console import Console

    # A narrower window would cost digits; a terminal that wraps long lines does not.
    console = Console(highlight=False, markup=False, width=max(Console().width, NARROWEST_TABLE))
    with console.capture() as text:
        console.print(table)
    # Rich would end the process with exit code 1 when the reader of a pipe has left.
    sys.stdout.write(text.get())


def _new_table(headings: tuple[str, ...]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "remarks" else "right", no_wrap=True)
    return table


def _unit_table(sorter: "SorterResult") -> "Table":
    headings = ("injected", "events", "SNR", "found as", "accuracy", "precision", "recall", "remarks")
    units = sorter.units.to_dict("records")
    has_remarks = any(map(_remark, units))
    table = _new_table(headings if has_remarks else headings[:-1])
    for unit in units:
        table.add_row(
            str(unit["new_unit"]),
            str(unit["events"]),
            _number(unit["snr"], 1),
            "-" if unit["found_unit"] is None else printable(str(unit["found_unit"])),
            _number(unit["accuracy"], 2),
            _number(unit["precision"], 2),
            _number(unit["recall"], 2),
            *([_remark(unit)] if has_remarks else []),
        )
    return table


def _remark(unit: Mapping[Any, Any]) -> str:
    remarks = []
    if unit["num_pieces"] > 1:
        remarks.append(f"{unit['pieces']}: {_number(unit['merged_accuracy'], 2)}")
    if unit["merged_with"]:
        remarks.append(f"with {unit['merged_with']}")
    return printable("; ".join(remarks))


def _ranking_table(result: "ValidationResult") -> "Table":
    table = _new_table(("rank", "sorter", "median", "mean", "≥ 0.8", "split", "merged", "lag ms"))
    for row in result.ranking.to_dict("records"):
        table.add_row(
            str(row["rank"]),
            printable(str(row["sorter"])),
            _number(row["median_accuracy"], 3),
            _number(row["mean_accuracy"], 3),
            f"{row['found']} of {row['units']}",
            str(row["split"]),
            str(row["merged"]),
            _number(row["lag_ms"], 2),
        )
    return table


def _number(value: object, digits: int) -> str:
    number = float(str(value))
    return f"{number:.{digits}f}" if math.isfinite(number) else "?"


def validation_as_json(result: "ValidationResult") -> str:
    """Return the same for machines.

    Parameters
    ----------
    result : ValidationResult

    Returns
    -------
    str
        A JSON object; numbers that are not known are null.
    """
    from hybridfactory.validation.output import summarise

    return json.dumps(summarise(result), indent=2, allow_nan=False)
