"""A hybrid sorted by a spike sorter that needs no graphics card, run by SpikeInterface."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from hybridfactory.errors import MissingExtraError, OutputError, ParameterError, SorterError
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.parameters.names import did_you_mean
from hybridfactory.progress import ProgressCallback, no_progress

__all__ = ["LOG_NAME", "choose_sorter", "sort"]

LOG_NAME = "sorter.log"
"""What the sorter printed, in the folder of its sorting."""

POLLING_S = 0.5
PATIENCE_S = 5.0
LONGEST_REASON = 200


@dataclass(frozen=True)
class _Sorter:
    """A sorter that SpikeInterface can run.

    Parameters
    ----------
    name : str
        SpikeInterface's name of it.
    packages : tuple of str
        Modules that it cannot do without.
    stage : re.Pattern
        What it writes when a stage of its work is done; the first group names the stage.
    num_stages : int
        How many stages it has, for the progress alone.
    """

    name: str
    packages: tuple[str, ...]
    stage: re.Pattern[str]
    num_stages: int


PROGRESS_BAR = re.compile(r"([^\r\n:]+): 100%")
# The quickest first, as measured on the demo: 13, 44 and 76 s of one core.
SORTERS = (
    _Sorter("mountainsort5", ("mountainsort5", "isosplit6", "sklearn"), re.compile(r"Elapsed time for ([^:]+):"), 15),
    _Sorter("spykingcircus2", ("hdbscan", "sklearn"), PROGRESS_BAR, 8),
    _Sorter("tridesclous2", ("hdbscan", "sklearn"), PROGRESS_BAR, 8),
)


def choose_sorter(name: str | None = None) -> str:
    """Tell which sorter will run, before any work is done for it.

    Parameters
    ----------
    name : str, optional
        A sorter by SpikeInterface's name; default: the quickest that is installed.

    Returns
    -------
    str

    Raises
    ------
    MissingExtraError
        It is not installed, or none is.
    ParameterError
        There is no such sorter here.
    """
    names = [sorter.name for sorter in SORTERS]
    installed = [sorter.name for sorter in SORTERS if all(find_spec(package) for package in sorter.packages)]
    if name is None and not installed:
        raise MissingExtraError("no spike sorter is installed: pip install 'hybridfactory[sort]'")
    if name is None:
        return installed[0]
    if name not in names:
        raise ParameterError(f"there is no sorter {name!r}: use one of {', '.join(names)}{did_you_mean(name, names)}")
    if name not in installed:
        raise MissingExtraError(f"the sorter {name} is not installed: pip install 'hybridfactory[sort]'")
    return name


def sort(
    run: HybridRun | str | PathLike[str],
    folder: str | PathLike[str],
    *,
    sorter: str | None = None,
    progress: ProgressCallback = no_progress,
) -> Path:
    """Sort a run's hybrid as it was written.

    The sorter runs in a process of its own, on one thread, with its defaults, except that nothing is drawn anew
    from run to run, spykingcircus2 corrects no motion (which takes torch), and mountainsort5 uses its scheme 1,
    which is meant for short recordings. What it prints goes to a log in the folder.

    Parameters
    ----------
    run : HybridRun or path-like
        A finished run, or its folder.
    folder : path-like
        Where the sorting goes: the folder of a sorter, as SpikeInterface writes it. An earlier one is replaced.
    sorter : str, optional
        ``"mountainsort5"``, ``"spykingcircus2"`` or ``"tridesclous2"``; default: the quickest that is installed.
    progress : callable, optional
        Called with (step, done, total): stages of the sorter's work.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    MissingExtraError
        The sorter is not installed.
    SorterError
        The sorter failed. Its log is kept beside where the folder would be, and named.
    OutputError
        The folder holds something else.
    """
    chosen = choose_sorter(sorter)
    [description] = [item for item in SORTERS if item.name == chosen]
    hybrid = run if isinstance(run, HybridRun) else load(run)
    target = Path(folder).expanduser().absolute()
    if target.exists() and not (target / "spikeinterface_params.json").is_file():
        raise OutputError(f"{target} holds something else than a sorting by SpikeInterface: choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial, log = target.with_name(f".{target.name}.partial"), target.with_name(f"{target.name}.log")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _run(description, hybrid.output_directory, partial, log, progress)
        log.replace(partial / LOG_NAME)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _run(sorter: _Sorter, run_folder: Path, target: Path, log: Path, progress: ProgressCallback) -> None:
    step = f"sorting with {sorter.name}"
    progress(step, 0, sorter.num_stages)
    # -P: the current folder must not provide modules. -u: the log tells where the sorter stands.
    command = [sys.executable, "-P", "-u", "-m", "hybridfactory.pipeline.sorter_process"]
    with log.open("wb") as stream, _process([*command, str(run_folder), sorter.name, str(target)], stream) as process:
        while process.poll() is None:
            stages = set(sorter.stage.findall(log.read_text(encoding="utf-8", errors="replace")))
            progress(step, min(len(stages), sorter.num_stages - 1), sorter.num_stages)
            try:
                process.wait(POLLING_S)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode:
        raise SorterError(f"{sorter.name} failed ({_reason(process.returncode, log)}): its log is {log}")
    progress(step, sorter.num_stages, sorter.num_stages)


@contextmanager
def _process(command: list[str], log: "subprocess._FILE") -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that does not outlive the block."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _reason(code: int, log: Path) -> str:
    if code < 0:
        return f"ended by signal {-code}; after signal 9 the memory may be too small"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line for line in lines if line]
    return said[-1][:LONGEST_REASON] if said else f"exit code {code}"
