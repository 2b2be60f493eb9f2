"""Where every run of the command line starts and ends."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from hybridfactory.cli.demo import demo
from hybridfactory.cli.failures import EXIT_READER_GONE, exit_code_and_message
from hybridfactory.cli.generate import generate
from hybridfactory.cli.group import SuggestingGroup
from hybridfactory.cli.init import init
from hybridfactory.cli.interruption import Interrupted, stop_signals_raise
from hybridfactory.cli.plot import plot
from hybridfactory.cli.realism import realism
from hybridfactory.cli.reset import reset
from hybridfactory.cli.streams import never_fail_on_encoding, redirect_abandoned_streams
from hybridfactory.cli.units import units
from hybridfactory.cli.validate import validate
from hybridfactory.cli.verify import verify
from hybridfactory.cli.write import write

__all__ = ["hybridfactory", "main", "program"]

PROGRAM = "hybridfactory"
OBJECTS_BETWEEN_COLLECTIONS = 50_000


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from hybridfactory._version import __version__

    click.echo(f"{PROGRAM} {__version__}")
    context.exit()


EXAMPLES = """\b
Examples:
  hybridfactory demo                               try it on a small simulated recording
  hybridfactory init kilosort4 --raw run1.ap.bin   write params.toml, with units chosen
  hybridfactory generate params.toml               make the hybrid; then sort it
  hybridfactory validate run1-hybrid SORTING       what did the sorter find?
  hybridfactory generate --help                    more about one command
"""


@click.group(
    cls=SuggestingGroup,
    epilog=EXAMPLES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def hybridfactory(context: click.Context) -> None:
    """Make hybrid ground truth for spike sorting.

    Real units are learnt from your recording and its sorting, moved to other sites and times, and added to a
    copy of the recording. The spikes that went in are known exactly, so a sorter can be measured against
    them. The source is only ever read.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (generate, write, reset, verify, demo, plot, validate, realism, units, init):
    hybridfactory.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and say on stderr why when it does not succeed.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; by default taken from the process.

    Returns
    -------
    int
        0 on success, 1 when a check failed or the program itself is at fault, 2 for an error that the user
        can mend, 128 + the signal's number when interrupted.
    """
    never_fail_on_encoding()
    try:
        with stop_signals_raise():
            code = _run(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
            return code
    except (KeyboardInterrupt, Interrupted) as error:
        failure: BaseException = error
    except Exception as error:  # noqa: BLE001 - the single place where a bug becomes a message and an exit code
        failure = _interruption_behind(error) or error
    try:
        if isinstance(failure, BrokenPipeError) and redirect_abandoned_streams():
            return EXIT_READER_GONE
        code, message = exit_code_and_message(failure)
    finally:
        del failure  # it knows this frame, and the frame it: neither would ever go
    click.echo(message, err=True)
    return code


def program() -> NoReturn:
    """Run one command, and end the process with its exit code.

    Python looks for unreachable cycles whenever there are 700 objects more, and takes all objects apart at the end:
    a tenth of a short run, for the million objects that libraries make when they are loaded.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    code = main()
    gc.freeze()  # cycles aren't taken apart; what exit handlers do, they still do
    sys.exit(code)


def _interruption_behind(error: BaseException) -> BaseException | None:
    """Find the signal that an error comes from.

    Python 3.11 wraps what is raised while a class is being made; and where a signal comes within its own locks,
    letting go of them fails.
    """
    cause = error.__cause__ or error.__context__
    while cause is not None and not isinstance(cause, KeyboardInterrupt | Interrupted):
        cause = cause.__cause__ or cause.__context__
    return cause


def _run(arguments: Sequence[str]) -> int:
    completion = os.environ.get("_HYBRIDFACTORY_COMPLETE")
    if completion:
        from click.shell_completion import shell_complete

        return shell_complete(hybridfactory, {}, PROGRAM, "_HYBRIDFACTORY_COMPLETE", completion)
    try:
        # Not Command.main: it would print its own version of usage errors and interruptions.
        with hybridfactory.make_context(PROGRAM, list(arguments)) as context:
            hybridfactory.invoke(context)
    except click.exceptions.Exit as finished:
        return finished.exit_code
    return 0
