"""``hybridfactory validate``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hybridfactory.cli.reporting import reporting

if TYPE_CHECKING:
    from hybridfactory.validation.result import ValidationResult

__all__ = ["validate", "validate_and_report"]


EXAMPLES = """\b
Examples:
  hybridfactory validate hybridfactory-demo/hybrid sorted
  hybridfactory validate run1 ks4/sorter_output jrc --name kilosort4 --name jrclust
  hybridfactory validate run1 ks4/sorter_output --fail-under 0.8 --json > summary.json
"""


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.argument("sortings", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--output", "output_directory", type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--name", "names", multiple=True, help="Name of a sorting; once for each, in their order.")
@click.option(
    "--delta-time-ms",
    type=float,
    default=0.4,
    show_default=True,
    help="Largest difference between a true and a found time.",
)
@click.option(
    "--template-score",
    "template_metric",
    type=click.Choice(["pearson", "frobenius"]),
    default="pearson",
    show_default=True,
    help="How to compare templates.",
)
@click.option(
    "--templates",
    "template_origin",
    type=click.Choice(["auto", "stored", "measured"]),
    default="auto",
    show_default=True,
    help="Which templates: those that the sorters stored, or mean waveforms.",
)
@click.option(
    "--sampling-frequency", type=float, help="In Hz, for a firings_true.npy alone, if the sorting states none."
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 1),
    metavar="ACCURACY",
    help="End with exit code 1 if a sorter's median accuracy is below this.",
)
@click.option("--no-report", is_flag=True, help="Write tables alone: no figures, no report.html.")
@click.option("--silent", is_flag=True, help="Print nothing unless it fails.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
@click.pass_context
def validate(
    context: click.Context,
    /,
    run_folder: Path,
    sortings: tuple[Path, ...],
    fail_under: float | None,
    no_report: bool,
    silent: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what sorters found, missed, split and merged in a hybrid.

    RUN_FOLDER is the output folder of a run, or holds a firings_true.npy. SORTINGS are what sorters made of the
    hybrid, each a phy folder, a rez.mat, a JRCLUST result, or what SpikeInterface saved (a folder, .zarr,
    .npz). Tables, figures and report.html go to validation-SESSION in the run folder, where an
    earlier validation is replaced.

    Native units are no mistakes: what they found beside the injected units does not count against the sorters.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", context)
    options["report"] = not no_report
    result = validate_and_report(run_folder, sortings, silent=silent, as_json=as_json, options=options)
    short = [] if fail_under is None else [item for item in result.sorters if item.median_accuracy < fail_under]
    for sorter in short:
        click.echo(
            f"hybridfactory: {sorter.name}: median accuracy {sorter.median_accuracy:.3f} is below {fail_under:g}",
            err=True,
        )
    if short:
        context.exit(1)


def validate_and_report(
    run_folder: Path,
    sortings: tuple[Path, ...],
    *,
    silent: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    options: Mapping[str, Any],
) -> "ValidationResult":
    """Run the library's validate, and print what came of it.

    Parameters
    ----------
    run_folder : pathlib.Path
    sortings : tuple of pathlib.Path
    silent : bool
        Print nothing.
    as_json : bool
        Print the summary for machines.
    quiet : bool
        Print no summary: standard output belongs to a machine.
    options : mapping of str to object
        The library's other options.
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.validate import validate as compare

        result = compare(run_folder, sortings, **options, progress=reporter.progress)
    if not silent and not quiet:
        from hybridfactory.cli.validation_summary import print_validation, validation_as_json

        if as_json:
            click.echo(validation_as_json(result))
        else:
            print_validation(result)
    return result
