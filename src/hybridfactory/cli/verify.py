"""``hybridfactory verify``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridfactory.cli.reporting import reporting

if TYPE_CHECKING:
    from hybridfactory.pipeline.verify import VerifyResult

__all__ = ["verify"]


EXAMPLES = """\b
Examples:
  hybridfactory verify run1-hybrid
  hybridfactory verify run1-hybrid --silent || echo "something is off"
"""

WHAT_IS_COMPARED = {
    "written": "the hybrid is what source and truth give, in all {:,} samples",
    "reset": "the hybrid was taken back and equals the source, in all {:,} samples",
    "not written": "the hybrid was not written; source and truth are as the run left them",
}


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option("--silent", is_flag=True, help="Print nothing but errors: the exit code tells.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.pass_context
def verify(context: click.Context, /, run_folder: Path, silent: bool, as_json: bool) -> None:
    """Compare a run with what it should be.

    RUN_FOLDER is the output folder of a finished run. The hybrid is rendered anew from the source and compared with
    the file, value by value; the source and the files of the truth are compared with what the manifest says of them.
    The exit code is 0 if all is as the run left it, and 1 if not: the first value that differs is shown.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", context)
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.verify import verify as compare

        result = compare(run_folder, progress=reporter.progress)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
    elif not silent:
        print_verification(result)
    if not result.is_identical:
        context.exit(1)


def print_verification(result: "VerifyResult") -> None:
    """Print one line if all is well, else one for each file that is not as it should be, on stdout.

    Parameters
    ----------
    result : VerifyResult
    """
    if result.is_identical:
        click.echo("identical: " + WHAT_IS_COMPARED[result.hybrid].format(result.num_samples))
    for finding in result.findings:
        click.echo(f"differs: {finding.path}: {finding.problem}")
