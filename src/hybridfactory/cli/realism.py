"""``hybridfactory realism``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridfactory.cli.reporting import reporting

if TYPE_CHECKING:
    from hybridfactory.pipeline.realism import RealismResult

__all__ = ["print_realism", "realism", "score_and_print"]


EXAMPLES = """\b
Examples:
  hybridfactory realism hybridfactory-demo/hybrid
  hybridfactory realism run1-hybrid --thorough
"""


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option("--thorough", is_flag=True, help="Look at all events, and not at some hundreds of each unit.")
@click.option("--silent", is_flag=True, help="Print nothing unless it fails.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON on standard output.")
def realism(run_folder: Path, thorough: bool, silent: bool, as_json: bool) -> None:
    """Measure whether injected spikes can be told from real ones.

    RUN_FOLDER is the output folder of a finished run. For every injected unit, half of the donor's spikes are
    held against events built from the other half and added on the same channels, seen as a sorter sees them.
    Three classifiers judge; 0.5 is no better than chance, 1 tells each event. The scores go into the run's
    manifest, and from there into every report.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    result = score_and_print(run_folder, thorough=thorough, silent=silent, quiet=as_json)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=1, ensure_ascii=False))


def score_and_print(
    run_folder: Path, *, thorough: bool = False, silent: bool = False, quiet: bool = False
) -> "RealismResult":
    """Measure a run's realism, and print the scores.

    Parameters
    ----------
    run_folder : pathlib.Path
        Folder of a finished run.
    thorough : bool
        Look at all events.
    silent : bool
        Print nothing, no progress either.
    quiet : bool
        Print no result: standard output belongs to a machine.
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.realism import score_realism

        result = score_realism(run_folder, thorough=thorough, progress=reporter.progress)
    if not silent and not quiet:
        print_realism(result)
    return result


def print_realism(result: "RealismResult") -> None:
    """Print one line for each unit, and what poor scores may come from, on stdout.

    Parameters
    ----------
    result : RealismResult
    """
    import numpy as np

    click.echo("Realism: area under the ROC curve of the best of three classifiers (0.5: nobody can tell)\n")
    click.echo(f"{'donor':>7}  {'AUC':>5}  {'95 % interval':<14}  {'classifier':<10}  events")
    for unit in result.units:
        if unit.separation is None:
            click.echo(f"{unit.donor_label:>7}      –  {'':<14}  {'':<10}  {unit.reason}")
            continue
        low, high = unit.separation.interval
        interval = f"{low:.2f} to {high:.2f}"
        best = unit.separation.best
        click.echo(
            f"{unit.donor_label:>7}  {unit.separation.largest:>5.2f}  {interval:<14}  {best:<10}  {unit.num_injected}"
        )
    if result.largest_aucs:
        click.echo(f"\nMedian {np.median(result.largest_aucs):.2f}, worst {max(result.largest_aucs):.2f}")
    for unit in result.units:
        if unit.hint:
            click.echo(f"Unit {unit.donor_label} is told apart: {unit.hint}")
