"""What is compared with: truth, native units, and the recording that was sorted, as far as they are there."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.ground_truth.run import HybridRun, load
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.sorting import FoundSorting
from hybridfactory.validation.foreign_truth import read_firings
from hybridfactory.validation.natives import OriginalSorting, read_natives, removed_donors
from hybridfactory.validation.run_truth import hybrid_recording, read_run_truth
from hybridfactory.validation.truth import Natives, Truth, no_natives

__all__ = ["Hybrid", "locate_truth", "open_hybrid", "probe_table"]

FIRINGS_NAME = "firings_true.npy"


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A hybrid recording with its truth, opened for comparison.

    Parameters
    ----------
    folder : pathlib.Path
    session_name : str
    truth : Truth
    run : HybridRun or None
        None for ground truth that was made elsewhere.
    original : OriginalSorting or None
    recording : FlatRecording or None
        None if the hybrid files are gone.
    gains : numpy.ndarray of float64, shape (num_rows,), or None
        µV per count of every raw row.
    notes : tuple of str
    """

    folder: Path
    session_name: str
    truth: Truth
    run: HybridRun | None = None
    original: OriginalSorting | None = None
    recording: FlatRecording | None = None
    gains: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def natives(self) -> Natives:
        """Native units; none where they are not known."""
        return no_natives() if self.original is None else self.original.natives


def locate_truth(run: HybridRun | str | PathLike[str]) -> HybridRun | Path:
    """Open a run, or find the firings_true.npy of ground truth that was made elsewhere.

    Raises
    ------
    MissingFileError
        The folder is not there, or holds neither.
    OutputError
        The run's manifest is damaged.
    """
    if isinstance(run, HybridRun):
        return run
    path = Path(run).expanduser().resolve()
    if path.is_file() and path.name == FIRINGS_NAME:
        return path
    if (path / MANIFEST_NAME).is_file():
        return load(path)
    if (path / FIRINGS_NAME).is_file():
        return path / FIRINGS_NAME
    if not path.is_dir():
        what = "is a file" if path.exists() else "no such folder"
        raise MissingFileError(f"{path}: {what}; give the output folder of a run")
    raise MissingFileError(
        f"{path}: holds no ground truth (no {MANIFEST_NAME}, no {FIRINGS_NAME}); give the output folder of a run"
    )


def open_hybrid(
    source: HybridRun | Path, found: list[FoundSorting], sampling_frequency: float | None = None
) -> Hybrid:
    """Open what `locate_truth` found.

    Parameters
    ----------
    source : HybridRun or pathlib.Path
    found : list of FoundSorting
        Sortings to be tested.
    sampling_frequency : float, optional
        Hz; only for ground truth that was made elsewhere.

    Raises
    ------
    OutputError, ParameterError
    """
    if isinstance(source, Path):
        truth = read_firings(source, found, sampling_frequency)
        note = f"only {FIRINGS_NAME} is there: amplitudes, positions, native units and waveforms are not known"
        return Hybrid(source.parent, source.parent.name, truth, notes=(note,))
    recording = hybrid_recording(source)
    gains = _gains(source) if recording is not None else None
    truth = read_run_truth(source, recording, gains)
    original = read_natives(source, truth.timeline)
    notes = [*original.notes]
    if recording is None:
        notes.append("the hybrid files are gone or were changed: nothing was measured in them")
    donors, stays = truth.donor_places, ~np.isin(truth.donor_labels, removed_donors(source))
    if donors is not None and np.any((np.abs(donors - truth.spikes.places) <= 1) & stays[truth.spikes.units]):
        notes.append(
            "some events coincide with the donor spikes that they were copied from (time_jitter = 0): by time alone, "
            "a sorter's donor unit looks like the injected one"
        )
    return Hybrid(
        folder=source.output_directory,
        session_name=source.manifest.session_name,
        truth=truth,
        run=source,
        original=original,
        recording=recording,
        gains=gains,
        notes=tuple(notes),
    )


def _gains(run: HybridRun) -> NDArray[np.float64] | None:
    """µV per count of every raw row, 1 for rows that are not recorded; None if the run's files do not tell."""
    recording = run.written_recording
    stated = recording.get_channel_gains()
    if stated is None:
        return None
    gains = np.ones(int(run.manifest.content["recording"]["num_rows"]))
    gains[np.asarray(recording.get_channel_ids(), dtype=np.int64)] = stated
    return gains


def probe_table(run: HybridRun | None) -> pd.DataFrame:
    """Make `ValidationResult.probe`."""
    if run is None:
        return pd.DataFrame(columns=["channel", "x_um", "y_um", "shank"])
    probe = run.probe
    return pd.DataFrame(
        {
            "channel": probe.connected_rows,
            "x_um": probe.connected_positions[:, 0],
            "y_um": probe.connected_positions[:, 1],
            "shank": pd.Series(probe.connected_shanks.tolist(), dtype=object),
        }
    )
