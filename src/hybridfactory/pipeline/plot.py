"""Figures and the report of a finished run: measure, draw, write, and put in place when all is there."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hybridfactory.ground_truth.derived import register
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.injection.publishing import publish
from hybridfactory.injection.staging import staging_folder
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.report.extra import require_report_extra

__all__ = ["REPORT_NAME", "PlotResult", "plot"]

REPORT_NAME = "report.html"


@dataclass(frozen=True)
class PlotResult:
    """What was drawn.

    Parameters
    ----------
    figures : tuple of pathlib.Path
        Figures as PNG and SVG, and their numbers as CSV.
    report : pathlib.Path or None
        The page, where one was asked for.
    """

    figures: tuple[Path, ...]
    report: Path | None


def plot(
    run: HybridRun | str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    report: bool = False,
    progress: ProgressCallback = no_progress,
) -> PlotResult:
    """Draw every injected unit of a finished run beside its donor.

    Parameters
    ----------
    run : HybridRun or path-like
        A run, or its folder.
    output : path-like, optional
        Where ``figures/`` and ``report.html`` go; the run's folder by default.
    report : bool
        Write ``report.html`` too.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    PlotResult

    Raises
    ------
    HybridFactoryError
        If Matplotlib or Jinja2 is not installed, the run or its recordings are not there, or the output cannot
        be written. Nothing is left behind then.
    """
    require_report_extra("plot")
    from hybridfactory.report.measure import measure_run  # noqa: PLC0415
    from hybridfactory.report.run_figures import FIGURES_FOLDER, PATTERNS, write_run_figures  # noqa: PLC0415
    from hybridfactory.report.run_report import write_run_report  # noqa: PLC0415

    opened = run if isinstance(run, HybridRun) else load(run)
    folder = opened.output_directory if output is None else Path(output).expanduser().resolve()
    view = measure_run(opened, progress=progress)
    with staging_folder(folder) as staging:
        staged_figures = staging / FIGURES_FOLDER
        staged_figures.mkdir()
        staged = write_run_figures(opened, view, staged_figures, progress=progress)
        if report:
            write_run_report(opened, view, staging / REPORT_NAME, progress=progress)
            staged = [*staged, staging / REPORT_NAME]
        figures = folder / FIGURES_FOLDER
        # Known to the run before they are there: the next run of the folder takes them away with this one.
        made = [folder / path.relative_to(staging) for path in staged]
        register(opened.output_directory, made, is_locked=folder == opened.output_directory)
        publish(staged, folder, [path for pattern in PATTERNS for path in sorted(figures.glob(pattern))])
    return PlotResult(
        figures=tuple(path for path in made if path.parent == figures),
        report=folder / REPORT_NAME if report else None,
    )
