"""``hybridfactory init``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridfactory.cli.recording_options import FilesCommand, Stated, known_from, recording_options
from hybridfactory.cli.reporting import reporting
from hybridfactory.cli.streams import say, seen_from_here

if TYPE_CHECKING:
    from hybridfactory.pipeline.init import InitResult

__all__ = ["init"]


EXAMPLES = """\b
Examples:
  hybridfactory init
  hybridfactory init run1/kilosort --raw run1/*.ap.bin
  hybridfactory init sorted --probe my_probe.json -o params.py
"""


@click.command(cls=FilesCommand, epilog=EXAMPLES)
@click.argument("sorting", type=click.Path(path_type=Path), default=Path())
@recording_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("params.toml"),
    help="File to write: .toml (params.toml) or .py.",
)
@click.option("--num-units", type=click.IntRange(min=1), default=10, help="Donors to choose at most (10).")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--silent", is_flag=True, help="Print nothing, and ask nothing, unless it fails.")
def init(
    sorting: Path,
    stated: Stated,
    output: Path,
    num_units: int,
    force: bool,
    silent: bool,
) -> None:
    """Write a parameter file for a sorting and its recording.

    SORTING is a sorter's output folder, or a folder that holds one; by default the current folder. What lies there
    is looked at (phy, rez.mat, JRCLUST, SpikeGLX .meta), its units are measured as donors, and a commented
    parameter file is written that generate runs as it is. What cannot be found is asked for on a terminal;
    elsewhere the message names the option that says it.
    """
    from hybridfactory.pipeline.init import check_first

    check_first(sorting, stated.raw, output.expanduser().absolute(), force)
    known = known_from(sorting, stated, may_ask=not silent)
    with reporting(silent=silent) as reporter:
        from hybridfactory.cli.process import prepare_to_learn

        prepare_to_learn()
        from hybridfactory.pipeline.init import init_parameters

        result = init_parameters(
            sorting,
            output,
            known,
            num_units=num_units,
            force=force,
            progress=reporter.progress,
        )
        for warning in result.warnings:
            reporter.warn(warning)
    if not silent:
        _print_result(result)


def _print_result(result: "InitResult") -> None:
    inputs = result.inputs
    recording = inputs.source.recording
    found = inputs.found_in
    seconds = recording.num_samples / recording.sampling_frequency
    rate = f"{recording.sampling_frequency:g} Hz ({found['sample_rate']})"
    say(f"Sorting    {seen_from_here(inputs.data_directory)} ({found['data_directory']}, {result.num_units} units)")
    say(f"Recording  {seen_from_here(inputs.raw_source_file)} ({found['raw_source_file']})")
    say(f"           {recording.num_rows} rows, {recording.dtype.name}, {seconds:.1f} s at {rate}")
    connected = int(inputs.source.probe.connected.sum())
    say(f"Probe      {inputs.source.probe.name}, {connected} sites connected ({found['probe']})")
    say(f"Donors     {', '.join(str(unit.label) for unit in result.chosen)}")
    say(f"Hybrid     will go to {seen_from_here(result.output_directory)}")
    name = os.path.relpath(result.path)
    say(f"\nWritten to {name}. Next:\n  hybridfactory generate {name}")
