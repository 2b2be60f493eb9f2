"""A run's changes taken back."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.progress import ProgressCallback, no_progress

__all__ = ["ResetResult", "reset"]


@dataclass(frozen=True)
class ResetResult:
    """What was taken back.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        The hybrid files, in timeline order. They equal the sources.
    """

    paths: tuple[Path, ...]


def reset(run: HybridRun | str | PathLike[str], *, progress: ProgressCallback = no_progress) -> ResetResult:
    """Make the hybrid files of a run equal to the sources again, byte for byte.

    It takes a time that grows with the number of events, not with the length of the recording. All is checked before
    anything is written: what the run wrote must still be there. The truth stays, and `write` makes the hybrid again.
    A reset that was interrupted can be repeated; after a complete one, nothing is done.

    Parameters
    ----------
    run : HybridRun or path-like
        A finished run, or its folder.
    progress : callable, optional
        Called with (step, done, total) as the work goes on.

    Returns
    -------
    ResetResult

    Raises
    ------
    MissingFileError
        If the run, a source or a hybrid file is not there, or the hybrid was never written.
    RecordingError
        If a source was changed after the run.
    OutputError
        If a hybrid file was changed after the run. It is left as it is then, and so are the others.
    """
    opened = run if isinstance(run, HybridRun) else load(run)
    opened.reset(progress=progress)
    return ResetResult(opened.manifest.target_paths)
