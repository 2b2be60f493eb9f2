"""From a folder of data to a parameter file: find out, survey, write."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hybridfactory.donors.candidate import Candidate
from hybridfactory.errors import NothingInjectedError, OutputError, ParameterError
from hybridfactory.parameters import load_parameters
from hybridfactory.pipeline.input_files import common_start, find_output, find_raw
from hybridfactory.pipeline.inputs import Ask, Inputs, Known, find_inputs
from hybridfactory.pipeline.starter_text import Starter, python_text, toml_text
from hybridfactory.pipeline.units import survey_inputs
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.sorting.detection import SorterOutput

__all__ = ["InitResult", "check_first", "init_parameters"]

NUM_UNITS = 10
MAX_NAME_BYTES = 100
"""Half of what a session name may have: file names are easier to read than that."""


@dataclass(frozen=True, eq=False)
class InitResult:
    """What was found and written.

    Parameters
    ----------
    path : pathlib.Path
        The parameter file.
    inputs : Inputs
    chosen : tuple of Candidate
        The donors, the best first.
    num_units : int
        Units of the sorting.
    output_directory : pathlib.Path
        Where the hybrid will go.
    warnings : tuple of str
    """

    path: Path
    inputs: Inputs
    chosen: tuple[Candidate, ...]
    num_units: int
    output_directory: Path
    warnings: tuple[str, ...]


def init_parameters(
    place: str | PathLike[str],
    output: str | PathLike[str] = "params.toml",
    known: Known | None = None,
    *,
    num_units: int = NUM_UNITS,
    force: bool = False,
    ask: Ask | None = None,
    progress: ProgressCallback = no_progress,
) -> InitResult:
    """Write a parameter file for what lies in a folder, ready for `generate`.

    Parameters
    ----------
    place : path-like
        A sorter's output, or a folder that holds one.
    output : path-like
        The file to write: .toml, in which phy's units have the ids that phy shows, or .py, in the layout of 2018.
    known : Known, optional
        What the user says of the recording.
    num_units : int
        Donors to choose at most; other recommended units are listed as remarks.
    force : bool
        Replace the file if it exists.
    ask : callable, optional
        Asked for what cannot be found; without it that is an error.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    InitResult

    Raises
    ------
    HybridFactoryError
        If something cannot be found or does not fit, no unit is recommended, or the file exists.
    """
    path = Path(output).expanduser().absolute()
    sorter_output = check_first(Path(place), known.raw if known else (), path, force)
    is_toml = path.suffix == ".toml"
    label_base = 0 if is_toml and sorter_output.source_format == "phy" else 1
    inputs = find_inputs(Path(place), known or Known(), label_base=label_base, ask=ask)
    survey = survey_inputs(inputs, progress=progress)
    good = survey.recommended
    if not good:
        reasons = "; ".join(f"{unit.label}: {unit.refusals[0]}" for unit in survey.units[:3])
        raise NothingInjectedError(
            f"none of the {len(survey.units)} units in {inputs.data_directory} is recommended as a donor ({reasons})"
            ": `hybridfactory units` tells more; to try all the same, write the parameter file by hand"
        )
    name = _name_of(inputs)
    starter = Starter(
        path=path,
        inputs=inputs,
        chosen=good[:num_units],
        others=good[num_units:],
        refused=tuple(unit for unit in survey.units if not unit.is_recommended),
        unit_of_amplitude=survey.unit_of_amplitude,
        session_name=name,
        output_directory=_output_directory(path, inputs, f"{name}-hybrid"),
    )
    _write(path, toml_text(starter) if is_toml else python_text(starter))
    return InitResult(
        path, inputs, starter.chosen, len(survey.units), starter.output_directory, warnings=survey.warnings
    )


def check_first(place: Path, raw: Sequence[Path], path: Path, force: bool) -> SorterOutput:
    """Refuse inputs that are not there, then a file that exists or cannot be, before anybody is asked or waits.

    Parameters
    ----------
    place : pathlib.Path
        Where the sorter's output should be.
    raw : sequence of pathlib.Path
        The raw files that were named; empty: to be found.
    path : pathlib.Path
        The parameter file to be written; absolute.
    force : bool
        Whether it may replace one.

    Returns
    -------
    SorterOutput

    Raises
    ------
    MissingFileError, SortingError, RecordingError, ParameterError, OutputError
    """
    output = find_output(place)
    if raw:
        find_raw(raw)
    _check_target(path, force)
    return output


def _check_target(path: Path, force: bool) -> None:
    if path.suffix not in (".toml", ".py"):
        raise ParameterError(f"{path.name}: a parameter file ends in .toml or .py")
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent}: no such folder; make it, or write the parameter file elsewhere")
    if path.name == "params.py" and (path.parent / "spike_times.npy").exists():
        raise OutputError(f"{path} is phy's own file, or would be taken for it: write the parameter file elsewhere")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file")
    if path.exists() and not force:
        raise OutputError(f"{path} exists: give another name, or --force to replace it")


def _name_of(inputs: Inputs) -> str:
    """Name a run after its recording, or after the sorting's folder where several files have no name in common."""
    names = [path.name.partition(".")[0] for path in inputs.source.recording.source_files]
    for name in (common_start(names), inputs.data_directory.name, "run"):
        # Letters of any script, but nothing that a shell or a glob would read in its own way.
        cleaned = re.sub(r"[^\w.-]+", "_", name).strip("_-.")
        shortened = cleaned.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
        if shortened:
            break
    return shortened


def _output_directory(path: Path, inputs: Inputs, name: str) -> Path:
    """Choose a folder beside the parameter file; but not below a SpikeGLX recording, which confuses its readers."""
    raw_folder = inputs.raw_source_file.parent
    if inputs.has_metas and raw_folder in (path.parent / name).parents:
        return raw_folder.parent / name
    return path.parent / name


def _write(path: Path, text: str) -> None:
    """Write the file as a whole, after a look whether it loads."""
    staged = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        staged.write_text(text, encoding="utf-8", newline="\n")
        load_parameters(staged)
        staged.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        staged.unlink(missing_ok=True)
