"""The order of the steps from a run and its sortings to a verdict."""

import math
import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from hybridfactory.errors import ParameterError
from hybridfactory.ground_truth.derived import register
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.injection.publishing import publish
from hybridfactory.injection.staging import staging_folder
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.report.extra import require_report_extra
from hybridfactory.sorting import read_found_sorting
from hybridfactory.validation.hybrid import Hybrid, locate_truth, open_hybrid, probe_table
from hybridfactory.validation.output import (
    check_output,
    files_of_earlier_validation,
    write_summary,
    write_tables,
)
from hybridfactory.validation.result import SorterResult, ValidationResult
from hybridfactory.validation.score import Settings, TemplateOrigin, score_sorting
from hybridfactory.validation.surroundings import survey
from hybridfactory.validation.tables import truth_table
from hybridfactory.validation.template_scores import Metric
from hybridfactory.validation.tested import lay_on_timeline
from hybridfactory.validation.verdict import rank

__all__ = ["validate"]

MAX_DELTA_TIME_MS = 10.0
UNFIT_FOR_NAMES = re.compile(r"[\x00-\x1f/\\:*?\"<>|]")
INNER_NAMES = ("sorter_output", "rez", "rez2", "params")
"""Names that every sorting has: the folder around it is more telling."""


def validate(
    run: HybridRun | str | PathLike[str],
    sortings: Any,
    *,
    output_directory: str | PathLike[str] | None = None,
    delta_time_ms: float = 0.4,
    names: Sequence[str] | None = None,
    template_metric: Metric = "pearson",
    template_origin: TemplateOrigin = "auto",
    sampling_frequency: float | None = None,
    report: bool = True,
    progress: ProgressCallback = no_progress,
) -> ValidationResult:
    """Compare sortings of a hybrid with its ground truth: what they found, missed, split and merged, and why.

    Parameters
    ----------
    run : HybridRun or path-like
        A finished run, its folder, or a folder with nothing but a ``firings_true.npy``.
    sortings : path-like, spikeinterface.BaseSorting, or sequence of them
        Each a phy folder, a ``rez.mat``, a JRCLUST result, what SpikeInterface has saved, or such an object.
    output_directory : path-like, optional
        Default: ``validation-<session>`` in the run's folder. An earlier validation there is replaced.
    delta_time_ms : float
        Largest difference between a true and a found time that counts as a match.
    names : sequence of str, optional
        A name per sorting; default: those of their folders.
    template_metric : {"pearson", "frobenius"}
        How to compare templates: correlation coefficient, or Frobenius norm of the difference.
    template_origin : {"auto", "stored", "measured"}
        Which templates: those that the sorters stored, or mean waveforms. "auto": stored ones where the original
        and the tested sorting have some in the same format.
    sampling_frequency : float, optional
        Hz. Only for ground truth that was made elsewhere, if the sorting does not state it.
    report : bool
        Draw figures and write ``report.html`` too, which needs the extra ``report``.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    ValidationResult

    Raises
    ------
    HybridFactoryError
        An input is missing or wrong, the extra ``report`` is not installed, or the output cannot be written.
        Nothing is left behind then.
    """
    if report:
        require_report_extra("validate")
    settings = _settings(delta_time_ms, template_metric, template_origin, sampling_frequency)
    sources = list(sortings) if isinstance(sortings, Iterable) and not isinstance(sortings, str) else [sortings]
    chosen = _choose_names(sources, names)
    truth_source = locate_truth(run)
    found = [read_found_sorting(source) for source in sources]
    hybrid = open_hybrid(truth_source, found, sampling_frequency)
    target = hybrid.folder / f"validation-{hybrid.session_name}"
    if output_directory is not None:
        target = Path(output_directory).expanduser().resolve()
    check_output(target)
    tested = [lay_on_timeline(item, name, hybrid.truth) for item, name in zip(found, chosen, strict=True)]
    surroundings = survey(hybrid.truth, hybrid.natives)
    sorters = [score_sorting(hybrid, surroundings, item, settings, progress=progress) for item in tested]
    notes = hybrid.notes + _notes_on(sources, chosen, hybrid)
    result = _collect(hybrid, sorters, target, settings, notes)
    _write(result, report, progress)
    return result


def _write(result: ValidationResult, report: bool, progress: ProgressCallback) -> None:
    target = result.output_directory
    with staging_folder(target) as staging:
        files = write_tables(result, staging)
        if report:
            from hybridfactory.report.validation import write_validation_report  # noqa: PLC0415

            files += write_validation_report(result, staging, progress=progress)
        summary = write_summary(result, staging, files)
        if (result.run_directory / MANIFEST_NAME).is_file():
            # Known to the run before it is there: the next run of the folder takes it away with this one.
            register(result.run_directory, [target / path.relative_to(staging) for path in (*files, summary)])
        publish([*files, summary], target, files_of_earlier_validation(target))


def _settings(
    delta_time_ms: float, metric: Metric, origin: TemplateOrigin, sampling_frequency: float | None
) -> Settings:
    if not (isinstance(delta_time_ms, int | float) and 0 < delta_time_ms <= MAX_DELTA_TIME_MS):
        raise ParameterError(
            f"delta_time_ms is {delta_time_ms!r}: give a time above 0 and up to {MAX_DELTA_TIME_MS:g} ms"
        )
    for name, value, choices in (
        ("template_metric", metric, get_args(Metric)),
        ("template_origin", origin, get_args(TemplateOrigin)),
    ):
        if value not in choices:
            raise ParameterError(f"{name} is {value!r}: use one of {', '.join(choices)}")
    if sampling_frequency is not None and not (math.isfinite(sampling_frequency) and sampling_frequency > 0):
        raise ParameterError(f"sampling_frequency is {sampling_frequency!r}: give a rate in Hz")
    return Settings(float(delta_time_ms), metric, origin)


def _choose_names(sources: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """Give every sorting a name of its own, fit for a file name."""
    if not sources:
        raise ParameterError("no sorting was given: name at least one")
    if names and len(names) != len(sources):
        raise ParameterError(f"{len(names)} names for {len(sources)} sortings: give one name per sorting")
    chosen = list(names) if names else [_default_name(source, place) for place, source in enumerate(sources, start=1)]
    for name in chosen:
        if not name or name != name.strip() or name.startswith(".") or UNFIT_FOR_NAMES.search(name):
            raise ParameterError(f"the name {name!r} cannot be part of a file name: give another (names, --name)")
    folded = [name.casefold() for name in chosen]
    twice = [name for name in chosen if folded.count(name.casefold()) > 1]
    if twice:
        raise ParameterError(f"two sortings are named {twice[0]!r}: give each a name of its own (names, --name)")
    return chosen


def _default_name(source: Any, place: int) -> str:
    if hasattr(source, "to_spike_vector"):
        return f"sorting-{place}"
    path = Path(source).expanduser().resolve()
    name = path.stem if path.suffix in (".mat", ".npz", ".json", ".zarr", ".py") else path.name
    if name in INNER_NAMES and path.parent.name:
        name = path.parent.name
    return UNFIT_FOR_NAMES.sub("_", name).strip(" .") or f"sorting-{place}"


def _notes_on(sources: Sequence[Any], names: Sequence[str], hybrid: Hybrid) -> tuple[str, ...]:
    """Name sortings that cannot have found an injected spike: they are of the source."""
    if hybrid.run is None:
        return ()
    of_donors = Path(hybrid.run.manifest.content["parameters"]["data_directory"]).resolve()
    return tuple(
        f"{name} is the sorting that the donors came from: it is of the source, which holds no injected spikes; "
        "sort the hybrid, and give what comes of it"
        for source, name in zip(sources, names, strict=True)
        if not hasattr(source, "to_spike_vector") and Path(source).expanduser().resolve() == of_donors
    )


def _collect(
    hybrid: Hybrid, sorters: Sequence[SorterResult], target: Path, settings: Settings, notes: tuple[str, ...]
) -> ValidationResult:
    realism = {} if hybrid.run is None else hybrid.run.manifest.content.get("realism", {})
    return ValidationResult(
        session_name=hybrid.session_name,
        run_directory=hybrid.folder,
        output_directory=target,
        sampling_frequency=hybrid.truth.timeline.sampling_frequency,
        duration_s=hybrid.truth.timeline.duration_s,
        delta_time_ms=settings.delta_time_ms,
        amplitude_unit=hybrid.truth.amplitude_unit,
        truth_units=truth_table(hybrid.truth),
        probe=probe_table(hybrid.run),
        sorters=tuple(sorters),
        ranking=rank(sorters),
        realism=MappingProxyType(dict(realism or {})),
        notes=notes,
    )
