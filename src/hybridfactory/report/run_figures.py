"""The figures of a run as files: PNG, SVG, and a CSV of everything drawn."""

from pathlib import Path

import pandas as pd

from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.report.measure import ViewOfRun
from hybridfactory.report.probe_map import probe_figure, probe_table
from hybridfactory.report.style import drawing, save
from hybridfactory.report.unit_figure import unit_figure
from hybridfactory.report.unit_tables import unit_tables

__all__ = ["FIGURES_FOLDER", "PATTERNS", "write_run_figures"]

FIGURES_FOLDER = "figures"
PATTERNS = ("probe.*", "unit-*.png", "unit-*.svg", "unit-*-*.csv")
"""Names of the files that `write_run_figures` writes."""


def write_run_figures(
    run: HybridRun, view: ViewOfRun, folder: Path, *, progress: ProgressCallback = no_progress
) -> list[Path]:
    """Draw the probe, and every injected unit beside its donor.

    Parameters
    ----------
    run : HybridRun
    view : ViewOfRun
        As measured in the run's recordings.
    folder : pathlib.Path
        An existing folder.
    progress : callable, optional

    Returns
    -------
    list of pathlib.Path
        What was written.
    """
    places = probe_table(run)
    written = [_write_table(places, folder / "probe.csv")]
    with drawing():
        written += save(probe_figure(places), folder / "probe")
        for done, unit in enumerate(view.units, start=1):
            stem = folder / f"unit-{unit.injected.label}"
            written += save(unit_figure(view, unit), stem)
            for panel, table in unit_tables(view, unit).items():
                written.append(_write_table(table, stem.with_name(f"{stem.name}-{panel}.csv")))
            progress("drawing figures", done, len(view.units))
    return written


def _write_table(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False, float_format="%.7g")
    return path
