"""Which units serve as donors: the order of the steps from a sorting to a ranked list."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.donors.candidate import Candidate
from hybridfactory.donors.curation import read_phy_curation
from hybridfactory.donors.survey import survey_candidates
from hybridfactory.errors import NothingInjectedError, RecordingError, SortingError
from hybridfactory.events.settings import ModelSettings
from hybridfactory.parameters import Parameters, load_parameters
from hybridfactory.parameters.automatic_units import AutomaticUnits
from hybridfactory.parameters.parameters import default_window
from hybridfactory.pipeline.inputs import Ask, Inputs, Known, find_inputs
from hybridfactory.pipeline.opening import open_inputs
from hybridfactory.pipeline.planning import probe_sites
from hybridfactory.probes import Probe
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.source import Source
from hybridfactory.sorting import Sorting

__all__ = ["UnitSurvey", "choose_units", "survey_inputs", "survey_source", "survey_units"]

SURVEY_SEED = 0
DEFAULT_RANK = 6
NUM_MEASURED = 5

_log = logging.getLogger("hybridfactory")


@dataclass(frozen=True, eq=False)
class UnitSurvey:
    """Every unit of a sorting as a donor, the best first.

    Parameters
    ----------
    units : tuple of Candidate
    unit_of_amplitude : str
        "µV" where the gain is known, otherwise "counts".
    label_base : int
        Labels are counted from here.
    source_format : str
        "phy", "kilosort" or "jrc".
    sampling_frequency : float
    samples_before : int
        Samples of the mean waveforms before their trough.
    probe : Probe
    warnings : tuple of str
    """

    units: tuple[Candidate, ...]
    unit_of_amplitude: str
    label_base: int
    source_format: str
    sampling_frequency: float
    samples_before: int
    probe: Probe
    warnings: tuple[str, ...] = ()

    @property
    def recommended(self) -> tuple[Candidate, ...]:
        """Units against which nothing speaks, the best first."""
        return tuple(unit for unit in self.units if unit.is_recommended)

    def records(self) -> list[dict[str, Any]]:
        """One plain mapping per unit, the best first, with the id that phy shows where there is one."""
        return [
            {
                "unit": unit.label,
                "phy_id": unit.label - self.label_base if self.source_format == "phy" else None,
                **unit.as_record(),
            }
            for unit in self.units
        ]


def survey_units(
    sorting: str | PathLike[str],
    known: Known | None = None,
    *,
    label_base: int = 1,
    realism: bool = False,
    ask: Ask | None = None,
    progress: ProgressCallback = no_progress,
) -> UnitSurvey:
    """Measure and rank the units of a sorting as donors.

    Parameters
    ----------
    sorting : path-like
        A sorter's output, or a parameter file.
    known : Known, optional
        What the user says of the recording. A parameter file says it all by itself.
    label_base : {1, 0}
        Count labels from here; a parameter file states its own.
    realism : bool
        Measure the realism of the best five, which takes some seconds for each and needs scikit-learn.
    ask : callable, optional
        Asked for what cannot be found.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    UnitSurvey

    Raises
    ------
    HybridFactoryError
        If something is missing, or does not fit.
    """
    place = Path(sorting).expanduser()
    if _is_parameter_file(place):
        return _survey_parameters(load_parameters(place), realism, progress)
    found = find_inputs(place, known or Known(), label_base=label_base, ask=ask)
    return survey_inputs(found, realism=realism, progress=progress)


def survey_inputs(found: Inputs, *, realism: bool = False, progress: ProgressCallback = no_progress) -> UnitSurvey:
    """Measure and rank the units of a sorting that was found, as long as parameters keep their defaults."""
    before, after = default_window(found.source.recording.sampling_frequency)
    settings = _settings(before, after, found.sorting.label_base)
    return survey_source(
        found.source, found.sorting, found.data_directory, settings, realism=realism, progress=progress
    )


def survey_source(
    source: Source,
    sorting: Sorting,
    data_directory: Path,
    settings: ModelSettings,
    *,
    realism: bool = False,
    progress: ProgressCallback = no_progress,
) -> UnitSurvey:
    """Measure and rank the units of a sorting that is open already; see `survey_units`."""
    _check(source, sorting, data_directory)
    warnings = [*source.warnings, *sorting.warnings]
    try:
        gains = source.read_gains_uV()
    except RecordingError as error:
        gains = None
        warnings.append(f"{error}; amplitudes are in counts")
    sites = probe_sites(source.probe)
    trains = {int(label): sorting.spike_train(int(label)) for label in sorting.labels}
    units = survey_candidates(
        source.recording,
        trains,
        sites,
        settings,
        curation=_curation(sorting, data_directory),
        gains_uV=gains,
        progress=progress,
    )
    if realism:
        best = [unit.label for unit in units if unit.is_recommended][:NUM_MEASURED]
        units = _with_realism(units, source, {label: trains[label] for label in best}, settings, progress)
    return UnitSurvey(
        units=tuple(units),
        unit_of_amplitude="counts" if gains is None else "µV",
        label_base=sorting.label_base,
        source_format=sorting.source_format,
        sampling_frequency=source.recording.sampling_frequency,
        samples_before=settings.samples_before,
        probe=source.probe,
        warnings=tuple(warnings),
    )


def choose_units(
    asked: Parameters, source: Source, sorting: Sorting, progress: ProgressCallback = no_progress
) -> Parameters:
    """Put labels in the place of ``ground_truth_units = "auto"``; other parameters come back as they are.

    The choice does not depend on the run's seed: the same recording and sorting give the same units.

    Raises
    ------
    NothingInjectedError
        If no unit is recommended.
    """
    automatic = asked.ground_truth_units
    if not isinstance(automatic, AutomaticUnits):
        return asked
    settings = _settings(asked.samples_before, asked.samples_after, asked.label_base, asked.event_model)
    survey = survey_source(source, sorting, asked.data_directory, settings, progress=progress)
    labels = tuple(unit.label for unit in survey.recommended[: automatic.limit])
    if not labels:
        raise NothingInjectedError(
            f"ground_truth_units = {automatic!r}: none of the {len(survey.units)} units is recommended "
            f"({_some_reasons(survey.units)}); look at `hybridfactory units`, and name units"
        )
    if automatic.limit is not None and len(labels) < automatic.limit:
        _log.info("only %d units are recommended, %d were asked for", len(labels), automatic.limit)
    _log.info("ground_truth_units = %r: %s", automatic, ", ".join(map(str, labels)))
    return replace(asked, ground_truth_units=tuple(sorted(labels)))


def _some_reasons(units: Sequence[Candidate]) -> str:
    return "; ".join(f"{unit.label}: {unit.refusals[0]}" for unit in units[:3])


def _is_parameter_file(place: Path) -> bool:
    if place.suffix not in (".py", ".toml") or not place.is_file():
        return False
    # phy's params.py has the name of ours.
    return not (place.name == "params.py" and (place.parent / "spike_times.npy").exists())


def _survey_parameters(asked: Parameters, realism: bool, progress: ProgressCallback) -> UnitSurvey:
    opened = open_inputs(asked)
    asked, source, sorting = opened.asked, opened.source, opened.sorting
    settings = _settings(asked.samples_before, asked.samples_after, asked.label_base, asked.event_model)
    return survey_source(source, sorting, asked.data_directory, settings, realism=realism, progress=progress)


def _settings(before: int, after: int, label_base: int, construction: str = "shrunk_svd") -> ModelSettings:
    return ModelSettings(before, after, DEFAULT_RANK, construction, SURVEY_SEED, label_base)


def _check(source: Source, sorting: Sorting, data_directory: Path) -> None:
    rate, stated = source.recording.sampling_frequency, sorting.sampling_frequency
    files = source.recording.files
    if stated is not None and abs(stated / rate - 1) > 1e-3:
        raise SortingError(
            f"the sampling rate of {files[0].path.name} is {rate:g} Hz, but the sorting in {data_directory} says "
            f"{stated:g} Hz: give the recording that was sorted, or its sorting"
        )
    last = int(sorting.spike_times[-1])
    if last >= files[-1].stop_sample + round(rate):
        raise SortingError(
            f"the last spike in {data_directory} lies at sample {last}, but {files[-1].path.name} ends at "
            f"{files[-1].stop_sample}: give the raw files of this sorting, all of them"
        )


def _curation(sorting: Sorting, data_directory: Path) -> dict[int, str]:
    if sorting.source_format != "phy":
        return {}
    return {unit + sorting.label_base: label for unit, label in read_phy_curation(data_directory).items()}


def _with_realism(
    units: Sequence[Candidate],
    source: Source,
    trains: dict[int, NDArray[np.int64]],
    settings: ModelSettings,
    progress: ProgressCallback,
) -> list[Candidate]:
    from hybridfactory.pipeline.realism import require_scikit_learn  # noqa: PLC0415

    require_scikit_learn("units --realism")
    from hybridfactory.realism.measure import Effort, measure_realism  # noqa: PLC0415

    scores = measure_realism(
        source.recording, trains, probe_sites(source.probe), settings, Effort.quick(), progress=progress
    )
    aucs = {unit.donor_label: unit.separation.largest for unit in scores if unit.separation is not None}
    return [replace(unit, realism_auc=aucs.get(unit.label, float("nan"))) for unit in units]
