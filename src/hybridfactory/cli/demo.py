"""``hybridfactory demo``."""

from pathlib import Path

import click

from hybridfactory.cli.generate import generate_and_report
from hybridfactory.cli.reporting import reporting

__all__ = ["demo"]


EXAMPLES = """\b
Examples:
  hybridfactory demo
  hybridfactory demo /tmp/demo --seed 1
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("hybridfactory-demo"))
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed.")
@click.option("--silent", is_flag=True, help="Print nothing unless the run fails.")
def demo(folder: Path, seed: int, silent: bool) -> None:
    """Make a small simulated recording, and a hybrid of it.

    FOLDER is made, and filled with a Neuropixels recording as SpikeGLX writes it (25 s, 48 channels), its
    sorting as phy reads it, a commented params.py to learn from, and the hybrid that generate makes of them:
    about 150 MB. Default: hybridfactory-demo in the current folder. A folder that holds anything but an
    earlier demo is refused.
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.demo import make_demo

        params = make_demo(folder, seed=seed, progress=reporter.progress)
    if not silent:
        click.echo(f"Recording, sorting and parameters of the demo are in {folder}.")
        click.echo(f"Generating as if called by: hybridfactory generate {params}\n")
    generate_and_report(params, silent=silent)
