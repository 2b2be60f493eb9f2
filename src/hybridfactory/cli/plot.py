"""``hybridfactory plot``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say, seen_from_here

if TYPE_CHECKING:
    from hybridfactory.pipeline.plot import PlotResult

__all__ = ["plot", "plot_and_report"]


EXAMPLES = """\b
Examples:
  hybridfactory plot hybridfactory-demo/hybrid
  hybridfactory plot run1-hybrid --report
  hybridfactory plot run1-hybrid --output pictures
"""


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write to. Default: the run's folder.")
@click.option("--report", is_flag=True, help="Write report.html too.")
@click.option("--silent", is_flag=True, help="Print nothing unless it fails.")
@click.option("--json", "as_json", is_flag=True, help="Print what was drawn as JSON on standard output.")
def plot(run_folder: Path, output: Path | None, report: bool, silent: bool, as_json: bool) -> None:
    """Draw every injected unit beside its donor.

    RUN_FOLDER is the output folder of a finished run. Waveforms over the probe, single spikes, amplitudes over
    time and intervals go to figures/ in it, as PNG and SVG, with everything drawn as CSV. The run itself
    is only read; its manifest lists them.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    result = plot_and_report(run_folder, output, report=report, silent=silent, quiet=as_json)
    if as_json:
        summary = {
            "figures": [str(path) for path in result.figures],
            "report": None if result.report is None else str(result.report),
        }
        click.echo(json.dumps(summary, indent=1, ensure_ascii=False))


def plot_and_report(
    run_folder: Path, output: Path | None, *, report: bool, silent: bool, quiet: bool = False
) -> "PlotResult":
    """Draw a run's figures, and print where they are.

    Parameters
    ----------
    run_folder : pathlib.Path
        Folder of a finished run.
    output : pathlib.Path or None
        Where to write; None for the run's folder.
    report : bool
        Write the page too.
    silent : bool
        Print nothing.
    quiet : bool
        Print no result: standard output belongs to a machine.
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.plot import plot as draw

        result = draw(run_folder, output, report=report, progress=reporter.progress)
    if not silent and not quiet:
        say(f"Figures: {seen_from_here(result.figures[0].parent)}")
        if result.report is not None:
            say(f"Report: {seen_from_here(result.report)}")
    return result
