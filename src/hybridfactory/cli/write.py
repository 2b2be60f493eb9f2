"""``hybridfactory write``."""

from pathlib import Path

import click

from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say, seen_from_here

__all__ = ["write"]


EXAMPLES = """\b
Examples:
  hybridfactory write run1-hybrid
  hybridfactory write run1-hybrid --output /fast/run1
  hybridfactory write run1-hybrid --format zarr --output run1.zarr
"""


@click.command(epilog=EXAMPLES)
@click.argument("run_folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["binary", "spikeinterface", "zarr", "nwb"]),
    default="binary",
    show_default=True,
    help="Flat files, a folder of SpikeInterface, zarr, or NWB.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write to. Default: see the documentation.")
@click.option("--silent", is_flag=True, help="Print nothing unless it fails.")
def write(run_folder: Path, file_format: str, output: Path | None, silent: bool) -> None:
    """Write the hybrid of a run that has not written it.

    RUN_FOLDER is the output folder of a finished run, such as generate --no-write leaves. The flat files are those
    that generate would have written. They go to the run's folder, which is then as if generate had written them, or
    to the --output folder. The other formats hold the connected rows, with the probe; nwb needs the extra [nwb].
    """
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.write import write as write_hybrid

        result = write_hybrid(run_folder, output, file_format=file_format, progress=reporter.progress)
    if not silent:
        for path in result.paths:
            say(f"Hybrid: {seen_from_here(path)}")
