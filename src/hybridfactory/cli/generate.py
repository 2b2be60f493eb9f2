"""``hybridfactory generate``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridfactory.cli.reporting import reporting

if TYPE_CHECKING:
    from hybridfactory.pipeline.generate import GenerateResult

__all__ = ["generate", "generate_and_report"]


EXAMPLES = """\b
Examples:
  hybridfactory generate
  hybridfactory generate experiment/params.toml
  hybridfactory generate params.py --report
  hybridfactory generate params.py --no-write
  hybridfactory generate params.py --json > summary.json
"""


@click.command(epilog=EXAMPLES)
@click.argument("params", type=click.Path(path_type=Path), required=False)
@click.option("--silent", is_flag=True, help="Print nothing unless the run fails.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
@click.option("--no-write", is_flag=True, help="Plan only: all but the hybrid's files, which write makes later.")
@click.option("--verify", is_flag=True, help="Compare all bytes of the source before and after the run (SHA-256).")
@click.option("--report", is_flag=True, help="Measure realism, draw figures/ and write report.html too.")
def generate(params: Path | None, silent: bool, as_json: bool, no_write: bool, verify: bool, report: bool) -> None:
    """Make a hybrid recording and its ground truth.

    PARAMS is a parameter file (.py or .toml), or a folder that holds a params.py or params.toml. Default:
    params.py in the current folder, or else params.toml there, which init writes.

    The units named in the file are learnt from the recording, moved, and added to a copy of it, which goes
    to the output folder together with the truth. The source is only read. Units and events that cannot be
    injected are left out, and the summary says why.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    file = params or _default_file()
    generate_and_report(file, silent=silent, as_json=as_json, report=report, write=not no_write, verify=verify)


def _default_file() -> Path:
    python, toml = Path("params.py"), Path("params.toml")
    return toml if toml.is_file() and not python.exists() else python


def generate_and_report(
    params: Path,
    *,
    silent: bool,
    as_json: bool = False,
    quiet: bool = False,
    report: bool = False,
    write: bool = True,
    verify: bool = False,
) -> "GenerateResult":
    """Run the library's generate on a parameter file, and print what came of it.

    Parameters
    ----------
    params : pathlib.Path
        Parameter file, or a folder that holds one.
    silent : bool
        Print nothing.
    as_json : bool
        Print the summary for machines.
    quiet : bool
        Print no summary: standard output belongs to a machine.
    report : bool
        Measure the run's realism, draw its figures and write its page too.
    write : bool
        Write the hybrid's files.
    verify : bool
        Compare all bytes of the source before and after.
    """
    if report:
        from hybridfactory.report.extra import require_report_extra

        require_report_extra("generate --report")
        from hybridfactory.pipeline.realism import require_scikit_learn

        require_scikit_learn("generate --report")
    with reporting(silent=silent) as reporter:
        from hybridfactory.cli.process import prepare_to_learn

        prepare_to_learn()
        from hybridfactory.pipeline.generate import generate as make_hybrid

        result = make_hybrid(params, write=write, verify=verify, progress=reporter.progress)
        for warning in result.warnings:
            reporter.warn(warning)
    if not silent and not quiet:
        from hybridfactory.cli.summary import print_summary, summary_as_json

        if as_json:
            click.echo(summary_as_json(result))
        else:
            print_summary(result)
    if report:
        from hybridfactory.cli.plot import plot_and_report
        from hybridfactory.cli.realism import score_and_print

        score_and_print(result.output_directory, silent=silent, quiet=as_json)
        plot_and_report(result.output_directory, None, report=True, silent=silent, quiet=as_json)
    return result
