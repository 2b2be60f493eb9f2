"""``hybridfactory write``."""

import json
from pathlib import Path

import click

from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say_files

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
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON on standard output.")
def write(run_folder: Path, file_format: str, output: Path | None, silent: bool, as_json: bool) -> None:
    """Write the hybrid of a run that has not written it.

    RUN_FOLDER is the output folder of a finished run, such as generate --no-write leaves. The flat files are those
    that generate would have written. They go to the run's folder, which is then as if generate had written them, or
    to the --output folder. The other formats hold the connected rows, with the probe; nwb needs the extra [nwb].
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    with reporting(silent=silent) as reporter:
        from hybridfactory.pipeline.write import write as write_hybrid

        result = write_hybrid(run_folder, output, file_format=file_format, progress=reporter.progress)
    if as_json:
        summary = {
            "format": file_format,
            "paths": [str(path) for path in result.paths],
            "was_needed": result.was_needed,
        }
        click.echo(json.dumps(summary, indent=1, ensure_ascii=False))
    elif not silent:
        what = "Written to" if result.was_needed else "Nothing was to be done: the hybrid is there, unchanged, in"
        say_files(what, result.paths[0].parent, dict.fromkeys(result.paths, "the hybrid recording"))
