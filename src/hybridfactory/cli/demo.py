"""``hybridfactory demo``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hybridfactory.cli.generate import generate_and_report
from hybridfactory.cli.realism import score_and_print
from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say, seen_from_here
from hybridfactory.cli.validate import validate_and_report

__all__ = ["demo"]

QUICKEST = "quickest"

EXAMPLES = """\b
Examples:
  hybridfactory demo
  hybridfactory demo --sort
  hybridfactory demo /tmp/demo --seed 1 --sort tridesclous2
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("hybridfactory-demo"))
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed.")
@click.option(
    "--sort",
    "sorter",
    is_flag=False,
    flag_value=QUICKEST,
    metavar="[SORTER]",
    help="Sort the hybrid and validate the result; mountainsort5, spykingcircus2 or tridesclous2. "
    "Default: the quickest that is installed.",
)
@click.option("--silent", is_flag=True, help="Print nothing unless the run fails.")
@click.option("--json", "as_json", is_flag=True, help="Print the summaries of all steps as JSON on standard output.")
def demo(folder: Path, seed: int, sorter: str | None, silent: bool, as_json: bool) -> None:
    """Make a small simulated recording, and a hybrid of it.

    FOLDER is made, and filled with a Neuropixels recording as SpikeGLX writes it (25 s, 48 channels), its
    sorting as phy reads it, a commented params.py to learn from, and the hybrid that generate makes of them:
    about 150 MB. Default: hybridfactory-demo in the current folder. A folder that holds anything but an
    earlier demo is refused.

    With --sort, the realism of the hybrid is measured, a spike sorter sorts it, and validate tells how well it did.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    chosen = _installed(sorter)
    with reporting(silent=silent) as reporter:
        from hybridfactory.demo import make_demo

        params = make_demo(folder, seed=seed, progress=reporter.progress)
    tell = _tell_nothing if silent or as_json else say
    tell(f"Recording, sorting and parameters of the demo are in {seen_from_here(folder)}.")
    tell(f"Generating as if called by: hybridfactory generate {seen_from_here(params)}\n")
    made = generate_and_report(params, silent=silent, quiet=as_json)
    validated = {} if chosen is None else _sort_and_validate(params.parent, chosen, tell, silent, as_json)
    if as_json:
        from hybridfactory.cli.summary import summary_as_json

        summary = {"params": str(params), "generate": json.loads(summary_as_json(made)), **validated}
        click.echo(json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False))


def _tell_nothing(text: str) -> None:
    """Stand in for `say` where nothing but the result may be printed."""


def _installed(sorter: str | None) -> str | None:
    """Name the sorter that was asked for, if it and what validation needs are there."""
    if sorter is None:
        return None
    from hybridfactory.errors import ParameterError
    from hybridfactory.pipeline.sort import choose_sorter
    from hybridfactory.report.extra import require_report_extra

    try:
        chosen = choose_sorter(None if sorter == QUICKEST else sorter)
    except ParameterError as error:
        raise click.UsageError(f"--sort: {error}; name the FOLDER first", click.get_current_context()) from error
    require_report_extra("demo --sort")
    return chosen


def _sort_and_validate(
    folder: Path, sorter: str, tell: Callable[[str], None], silent: bool, quiet: bool
) -> dict[str, Any]:
    """Take the demo's hybrid through everything else; what came of it for machines, if they are to hear of it."""
    run_folder = seen_from_here(folder / "hybrid")
    sorted_folder = seen_from_here(folder / f"sorted-{sorter}")
    tell(f"\nMeasuring as if called by: hybridfactory realism {run_folder}\n")
    realism = score_and_print(run_folder, silent=silent, quiet=quiet)
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.sort import LOG_NAME, sort

        sort(run_folder, sorted_folder, sorter=sorter, progress=reporter.progress)
    tell(f"\nThe sorting by {sorter} is in {sorted_folder}, what it printed in {LOG_NAME} there.")
    command = f"hybridfactory validate {run_folder} {sorted_folder} --name {sorter}"
    tell(f"Validating as if called by: {command}\n")
    options = {"names": [sorter]}
    result = validate_and_report(run_folder, (sorted_folder,), silent=silent, quiet=quiet, options=options)
    if not quiet:
        return {}
    from hybridfactory.cli.validation_summary import validation_as_json

    return {
        "realism": realism.as_json(),
        "sorting": str(folder / sorted_folder.name),
        "validate": json.loads(validation_as_json(result)),
    }
