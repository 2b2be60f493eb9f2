"""The end of a generate run, for people and for machines."""

import json
import math
import sys
from collections import Counter
from typing import TYPE_CHECKING

from hybridfactory.cli.streams import say, say_files, seen_from_here

if TYPE_CHECKING:
    from rich.table import Table

    from hybridfactory.pipeline.generate import GenerateResult
    from hybridfactory.plan.plan import PlannedUnit

__all__ = ["print_summary", "summary_as_json"]

NARROWEST_TABLE = 80
REASONS_SHOWN = 3

NEXT_STEPS = """\
Next: sort the hybrid as you sorted the original. Then ask what the sorter found:
  hybridfactory validate {folder} SORTING"""

NOT_WRITTEN = """\
The hybrid itself was not written. hybridfactory.load("{folder}").recording
reads it in Python; to write it: hybridfactory write {folder}"""


def print_summary(result: "GenerateResult") -> None:
    """Print what was injected, what was not and why, where it is, and what to do next, on stdout.

    Parameters
    ----------
    result : GenerateResult
    """
    from rich.console import Console

    units = result.plan.injected_units
    say(f"Injected {result.plan.num_events} events of {len(units)} unit{'s' * (len(units) != 1)}:\n")
    # A narrower window would cost digits; a terminal that wraps long lines does not.
    console = Console(highlight=False, width=max(Console().width, NARROWEST_TABLE))
    with console.capture() as table:
        console.print(_unit_table(units))
    # Rich would end the process with exit code 1 when the reader of a pipe has left.
    sys.stdout.write(table.get())
    say()
    _print_remarks(result)
    removed = {unit.donor_label: unit.num_removed_spikes for unit in units if unit.num_removed_spikes}
    if removed:
        say(f"Taken out where they were: {sum(removed.values())} spikes of {len(removed)} donors\n")
    if result.num_clipped_samples:
        say(f"Clipped samples (at the limit of the data type): {result.num_clipped_samples}\n")
    beside = "" if result.copy_seconds is None else f"; a copy of the source takes {result.copy_seconds:.1f} s"
    say(f"Took {result.seconds:.1f} s{beside}.\n")
    hybrid = dict.fromkeys(result.recording_paths, "the hybrid recording")
    say_files("Written to", result.output_directory, hybrid | dict.fromkeys(result.truth_paths, ""))
    folder = seen_from_here(result.output_directory)
    ending = NEXT_STEPS if result.recording_paths else NOT_WRITTEN
    say("\n" + ending.format(folder=folder))


def _unit_table(units: "tuple[PlannedUnit, ...]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("donor", "injected", "events", "refused", "row → row", "moved x, y µm", "SNR", "components"):
        table.add_column(heading, justify="right", no_wrap=True)
    for unit in units:
        table.add_row(
            str(unit.donor_label),
            str(unit.injected_label),
            str(unit.num_events),
            str(len(unit.refused.reasons)),
            f"{unit.donor_row} → {unit.center_row}",
            ", ".join(f"{shift:+.0f}" if round(shift) else "0" for shift in unit.displacement_um),
            f"{unit.snr:.1f}" if math.isfinite(unit.snr) else "?",
            str(unit.rank),
        )
    return table


def _print_remarks(result: "GenerateResult") -> None:
    from hybridfactory.plan.notes import gather_notes

    remarks: list[str] = []
    num_units = Counter(unit.donor_label for unit in result.plan)
    injected: list[tuple[str, PlannedUnit]] = []
    for unit in result.plan:
        if not unit.is_injected:
            remarks.append(f"unit {unit.donor_label}: not injected: {unit.reason}")
            continue
        several = num_units[unit.donor_label] > 1
        injected.append((f"{unit.donor_label}" + f" → {unit.injected_label}" * several, unit))
    remarks += gather_notes([(name, unit.notes) for name, unit in injected], num_units=len(injected))
    for name, unit in injected:
        counts = Counter(unit.refused.reasons).most_common()
        remarks += [f"unit {name}: {count} refused: {reason}" for reason, count in counts[:REASONS_SHOWN]]
        others = sum(count for _, count in counts[REASONS_SHOWN:])
        if others:
            remarks.append(f"unit {name}: {others} refused for other reasons, which the plan names")
    if remarks:
        say("\n".join(["Remarks:", *(f"  {remark}" for remark in remarks), ""]))


def summary_as_json(result: "GenerateResult") -> str:
    """Return the same for machines.

    Parameters
    ----------
    result : GenerateResult

    Returns
    -------
    str
        A JSON object; numbers that are not known are null.
    """
    from hybridfactory._version import __version__

    summary = {
        "hybridfactory_version": __version__,
        "session_name": result.session_name,
        "output_directory": str(result.output_directory),
        "recording_paths": [str(path) for path in result.recording_paths],
        "truth_paths": [str(path) for path in result.truth_paths],
        "num_units": len(result.plan.injected_units),
        "num_events": result.plan.num_events,
        "num_clipped_samples": result.num_clipped_samples,
        "seconds": round(result.seconds, 3),
        "copy_seconds": None if result.copy_seconds is None else round(result.copy_seconds, 3),
        "warnings": list(result.warnings),
        "units": [_unit_record(unit) for unit in result.plan],
    }
    return json.dumps(summary, indent=2, allow_nan=False)


def _unit_record(unit: "PlannedUnit") -> dict[str, object]:
    return {
        "donor_label": unit.donor_label,
        "injected_label": unit.injected_label,
        "reason": unit.reason,
        "notes": list(unit.notes),
        "num_events": unit.num_events,
        "num_refused_events": len(unit.refused.reasons),
        "refused_reasons": dict(Counter(unit.refused.reasons)),
        "num_donor_spikes": unit.num_donor_spikes,
        "num_training_spikes": unit.num_training_spikes,
        "rank": unit.rank,
        "snr": _number(unit.snr),
        "unit_factor": unit.unit_factor,
        "num_removed_spikes": unit.num_removed_spikes,
        "donor_row": unit.donor_row,
        "center_row": unit.center_row,
        "displacement_um": [_number(shift) for shift in unit.displacement_um],
        "move": unit.move,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
