"""``hybridfactory units``."""

import json
from pathlib import Path

import click

from hybridfactory.cli.recording_options import FilesCommand, Stated, known_from, recording_options
from hybridfactory.cli.reporting import reporting

__all__ = ["units"]


EXAMPLES = """\b
Examples:
  hybridfactory units run1/kilosort
  hybridfactory units run1/kilosort --raw run1/*.ap.bin --plot units.png
  hybridfactory units params.toml --realism
  hybridfactory units hybridfactory-demo/sorting --csv units.csv
"""


@click.command(cls=FilesCommand, epilog=EXAMPLES)
@click.argument("sorting", type=click.Path(path_type=Path))
@recording_options
@click.option(
    "--label-base", type=click.Choice(["1", "0"]), default="1", help="Count labels from 1, or from 0 as phy does."
)
@click.option("--realism", is_flag=True, help="Measure the realism of the best five: some seconds for each.")
@click.option("--wide", is_flag=True, help="Show every measure; the table is then wider than 100 columns.")
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write everything to a CSV file too.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Draw the units on the probe.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON on standard output.")
@click.option("--silent", is_flag=True, help="Print nothing unless it fails: for --csv and --plot.")
def units(
    sorting: Path,
    stated: Stated,
    label_base: str,
    realism: bool,
    wide: bool,
    csv: Path | None,
    plot: Path | None,
    as_json: bool,
    silent: bool,
) -> None:
    """List the units of a sorting, best donors first.

    SORTING is a sorter's output folder, or a parameter file. Every unit is measured on up to 300 spikes, spread
    over the recording, and recommended as a donor or not, with the reason. What the sorting does not say of the
    recording, and no .meta file either, is said by options.

    A unit is recommended with at least 100 spikes, an SNR of 4, a ratio of ISI violations of at most 0.1, a
    presence ratio of 0.8, an amplitude cutoff of at most 0.2, a drift of at most 30 µm, an isolation of 0.2, half
    of its spikes clean, a place to move to, and no label that says noise, mua or artifact.
    """
    if silent and as_json:
        raise click.UsageError("--silent and --json exclude each other", click.get_current_context())
    if plot is not None:
        from hybridfactory.report.extra import require_report_extra

        require_report_extra("units --plot")
        _check_ending(plot)
        _check_folder(plot)
    if csv is not None:
        _check_folder(csv)
    if realism:
        from hybridfactory.pipeline.realism import require_scikit_learn

        require_scikit_learn("units --realism")
    known = known_from(sorting, stated, may_ask=False)
    with reporting(silent=silent) as reporter:
        from hybridfactory.cli.process import prepare_to_learn

        prepare_to_learn()
        from hybridfactory.pipeline.units import survey_units

        survey = survey_units(sorting, known, label_base=int(label_base), realism=realism, progress=reporter.progress)
        for warning in survey.warnings:
            reporter.warn(warning)
        if plot is not None:
            from hybridfactory.report.unit_survey import draw_survey

            draw_survey(survey.units, survey.probe, survey.unit_of_amplitude, plot)
    from hybridfactory.cli.unit_table import as_csv, print_units

    if csv is not None:
        csv.write_text(as_csv(survey), encoding="utf-8", newline="")
    if as_json:
        summary = {
            "label_base": survey.label_base,
            "unit_of_amplitude": survey.unit_of_amplitude,
            "recommended": [unit.label for unit in survey.recommended],
            "units": survey.records(),
        }
        click.echo(json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False))
    elif not silent:
        print_units(survey, wide=wide)


def _check_folder(path: Path) -> None:
    """Refuse before the work what could not be written after it."""
    from hybridfactory.errors import OutputError

    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist; make it, or write elsewhere")


def _check_ending(plot: Path) -> None:
    if plot.suffix.lower() != ".png":
        raise click.UsageError(f"--plot writes a .png, got {plot.name}", click.get_current_context())
