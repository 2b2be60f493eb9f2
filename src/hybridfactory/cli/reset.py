"""``hybridfactory reset``."""

from pathlib import Path

import click

from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say_files

__all__ = ["reset"]


EXAMPLES = """\b
Examples:
  hybridfactory reset run1-hybrid
  hybridfactory reset run1-hybrid && hybridfactory verify run1-hybrid
"""


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option("--silent", is_flag=True, help="Print nothing unless it fails.")
def reset(run_folder: Path, silent: bool) -> None:
    """Take a run's changes back: its hybrid equals the source again.

    RUN_FOLDER is the output folder of a finished run. Only what the events touched is written, byte for byte as the
    source has it. It is checked before that the hybrid is what the run wrote: a file that was changed since is
    reported, and left as it is. The truth stays, and write makes the hybrid again. If it was interrupted, repeat it.
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.reset import reset as take_back

        result = take_back(run_folder, progress=reporter.progress)
    if not silent:
        say_files("As the source again, in", result.paths[0].parent, dict.fromkeys(result.paths, ""))
