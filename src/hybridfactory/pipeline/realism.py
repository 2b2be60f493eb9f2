"""The order of the steps from a finished run to its realism scores."""

from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from hybridfactory.errors import MissingExtraError
from hybridfactory.events.settings import ModelSettings
from hybridfactory.ground_truth.manifest import add_to_manifest
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.injection.staging import locked
from hybridfactory.pipeline.planning import probe_sites
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.realism.measure import Effort, UnitRealism, measure_realism
from hybridfactory.sorting import read_sorting

__all__ = ["RealismResult", "require_scikit_learn", "score_realism"]


@dataclass(frozen=True)
class RealismResult:
    """How lifelike the units of a run are.

    Parameters
    ----------
    units : tuple of UnitRealism
        One per injected unit, in ascending order of the donor's label.
    is_thorough : bool
        Whether all events were looked at, or some hundreds of each unit.
    """

    units: tuple[UnitRealism, ...]
    is_thorough: bool

    @property
    def largest_aucs(self) -> list[float]:
        """For each unit that could be measured, the largest of the classifiers' areas under the ROC curve."""
        return [unit.separation.largest for unit in self.units if unit.separation is not None]

    def as_json(self) -> dict[str, Any]:
        """What stands in the manifest; docs/outputs.md describes it."""
        return {"is_thorough": self.is_thorough, "units": [_unit_as_json(unit) for unit in self.units]}


def score_realism(
    run: HybridRun | str | PathLike[str],
    *,
    thorough: bool = False,
    progress: ProgressCallback = no_progress,
) -> RealismResult:
    """Let classifiers try to tell events built as a run's are from the donors' own spikes.

    For every injected unit, one half of the donor's spikes is the real class; from the other half events are built
    and added on the same channels, at times when the donor is silent. 0.5 means that nobody can tell. The scores
    also go into the run's manifest.

    Parameters
    ----------
    run : HybridRun or path-like
        A finished run, or its folder.
    thorough : bool
        Look at all events, and not at some hundreds of each unit.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    RealismResult

    Raises
    ------
    HybridFactoryError
        If scikit-learn is not installed, or the run, its source or its sorting is not as it was.
    """
    require_scikit_learn("realism")
    opened = run if isinstance(run, HybridRun) else load(run)
    content = opened.manifest.content
    parameters = content["parameters"]
    recording = opened.source_recording
    sorting = read_sorting(
        Path(parameters["data_directory"]),
        output_type=parameters["output_type"],
        label_base=parameters["label_base"],
        source_paths=opened.manifest.source_paths,
        sampling_frequency=opened.sampling_frequency,
    ).on_timeline([file.start_sample for file in recording.files])
    donors = [unit["donor_label"] for unit in content["units"] if unit["injected_label"] is not None]
    rank = parameters["num_singular_values"]
    settings = ModelSettings(
        samples_before=parameters["samples_before"],
        samples_after=parameters["samples_after"],
        max_rank=None if rank == "auto" else int(rank),
        construction=parameters["event_model"],
        seed=content["random_seed"],
        label_base=parameters["label_base"],
    )
    units = measure_realism(
        recording,
        {label: sorting.spike_train(label) for label in donors},
        probe_sites(opened.probe),
        settings,
        Effort.thorough() if thorough else Effort.quick(),
        progress=progress,
    )
    result = RealismResult(tuple(units), thorough)
    with locked(opened.output_directory):
        add_to_manifest(opened.output_directory, "realism", result.as_json())
    return result


def require_scikit_learn(command: str) -> None:
    """Refuse to start what could not be judged in the end.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingExtraError(f"{command} needs scikit-learn: pip install 'hybridfactory[report]'")


def _unit_as_json(unit: UnitRealism) -> dict[str, Any]:
    found = unit.separation
    return {
        "donor_label": unit.donor_label,
        "auc": None if found is None else round(found.largest, 4),
        "interval": None if found is None else [round(end, 4) for end in found.interval],
        "classifier": None if found is None else found.best,
        "aucs": {} if found is None else {name: round(area, 4) for name, area in found.auc.items()},
        "num_real": unit.num_real,
        "num_injected": unit.num_injected,
        "reason": unit.reason,
        "hint": unit.hint,
    }
