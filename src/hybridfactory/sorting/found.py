"""Any sorting that is to be tested, read from wherever it lies, with the ids that its own program shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import HybridFactoryError, MissingFileError, SortingError
from hybridfactory.sorting.detection import detect_format
from hybridfactory.sorting.jrclust3 import read_jrclust3
from hybridfactory.sorting.jrclust4 import read_jrclust4
from hybridfactory.sorting.kilosort_rez import read_rez
from hybridfactory.sorting.reading import read_sorting
from hybridfactory.sorting.sorting import Sorting
from hybridfactory.sorting.spikeinterface_files import holds_spikeinterface_sorting, load_spikeinterface_sorting

__all__ = ["FoundSorting", "FoundSpikes", "read_found_sorting"]


@dataclass(frozen=True, eq=False)
class FoundSpikes:
    """Spikes of one segment, by time.

    Parameters
    ----------
    samples : numpy.ndarray of int64, shape (num_spikes,)
        Ascending.
    units : numpy.ndarray of int32, shape (num_spikes,)
        Index into `FoundSorting.unit_ids`.
    """

    samples: NDArray[np.int64]
    units: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class FoundSorting:
    """A sorter's result, whatever its ids are.

    Parameters
    ----------
    unit_ids : numpy.ndarray, shape (num_units,)
        Ids of units with spikes, as the program that made them shows them: phy's ids, the numbers of ``rez.mat``
        and JRCLUST counted from 1, SpikeInterface's ids whatever their type.
    segments : tuple of FoundSpikes
        One, or for SpikeInterface as many as the sorting has.
    sampling_frequency : float or None
        Hz, where the sorting states it.
    source : str
        Where it was read from.
    source_format : str
        ``"phy"``, ``"kilosort"``, ``"jrc"`` or ``"spikeinterface"``.
    folder : pathlib.Path or None
        Folder (phy) or file (rez.mat, JRCLUST) from which stored templates can be read; None where there is none.
    spike_templates : numpy.ndarray of int64, shape (num_spikes,), or None
        Template that each spike of the only segment was found with, 0-based.
    warnings : tuple of str
    """

    unit_ids: NDArray[Any]
    segments: tuple[FoundSpikes, ...]
    sampling_frequency: float | None
    source: str
    source_format: str
    folder: Path | None = None
    spike_templates: NDArray[np.int64] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def num_spikes(self) -> int:
        """Spikes of all segments together."""
        return sum(segment.samples.size for segment in self.segments)

    @property
    def counts_over_files(self) -> bool:
        """Whether times count on over the files of a recording, or follow a timeline that the user stated."""
        return self.source_format != "spikeinterface"


def read_found_sorting(source: Any) -> FoundSorting:
    """Read a sorting.

    Parameters
    ----------
    source : path-like or spikeinterface.BaseSorting
        A phy folder, a folder with or path of a ``rez.mat``, ``rez2.mat``, ``*_res.mat`` or ``*_jrc.mat``, what
        SpikeInterface has saved (a folder, also that of a sorter or a SortingAnalyzer; .zarr; .npz; .json), or
        a SpikeInterface sorting in memory.

    Returns
    -------
    FoundSorting

    Raises
    ------
    MissingFileError
        There is nothing of that name, or it holds no sorting.
    SortingError
        It cannot be read, or has no spikes.
    """
    if hasattr(source, "to_spike_vector"):
        return from_spikeinterface(source, type(source).__name__)
    path = Path(source).expanduser()
    try:
        if not path.exists():
            raise MissingFileError(f"{path}: no such file or folder; give the sorter's output")
        return _read(path)
    except PermissionError as error:
        raise SortingError(f"{error.filename}: may not be read; check its permissions") from error
    except HybridFactoryError:
        raise
    except OSError as error:
        where = error.filename or path
        raise SortingError(f"{where}: cannot be read ({error.strerror}); check the path and the disk") from error


def _read(path: Path) -> FoundSorting:
    if path.name == "params.py":
        path = path.parent
    if path.is_file() and path.suffix == ".mat":
        return _from_own_reader(_read_mat(path), path)
    if holds_spikeinterface_sorting(path):
        return from_spikeinterface(load_spikeinterface_sorting(path), str(path))
    if path.is_file():
        raise SortingError(
            f"{path}: is no sorting that can be read; give a phy folder, a rez.mat, a JRCLUST result, or what "
            "SpikeInterface saved (folder, .zarr, .npz, .json)"
        )
    source_format = detect_format(path)
    return _from_own_reader(read_sorting(path, label_base=0 if source_format == "phy" else 1), path)


def _read_mat(path: Path) -> Sorting:
    if path.name.endswith("_jrc.mat"):
        return read_jrclust3(path)
    return read_jrclust4(path) if path.name.endswith("_res.mat") else read_rez(path)


def _from_own_reader(sorting: Sorting, path: Path) -> FoundSorting:
    """Leave out spikes of no unit, and number the units."""
    kept = np.flatnonzero(sorting.spike_labels >= sorting.label_base)
    labels, times = sorting.spike_labels[kept], sorting.spike_times[kept]
    unit_ids, units = np.unique(labels, return_inverse=True)
    templates = sorting.spike_templates
    return FoundSorting(
        unit_ids=unit_ids,
        segments=(FoundSpikes(times, units.astype(np.int32)),),
        sampling_frequency=sorting.sampling_frequency,
        source=str(path),
        source_format=sorting.source_format,
        folder=path,
        spike_templates=None if templates is None else templates[kept],
        warnings=sorting.warnings,
    )


def from_spikeinterface(sorting: Any, source: str) -> FoundSorting:
    """Take over a SpikeInterface sorting; units without spikes are left out.

    Raises
    ------
    SortingError
        It holds no spikes, a time before the recording's start, or an id that is no number and no text.
    """
    spikes = sorting.to_spike_vector(concatenated=False)
    counts = np.zeros(len(sorting.unit_ids), dtype=np.int64)
    for segment in spikes:
        counts += np.bincount(segment["unit_index"], minlength=counts.size)
    if not counts.sum():
        raise SortingError(f"{source}: the sorting holds no spikes; sort the recording again")
    earliest = min(int(segment["sample_index"].min()) for segment in spikes if segment.size)
    if earliest < 0:
        raise SortingError(
            f"{source}: a spike time lies at sample {earliest}, before the recording's start; sort it again"
        )
    renumbered = (np.cumsum(counts > 0) - 1).astype(np.int32)
    segments = []
    for segment in spikes:
        samples, units = segment["sample_index"].astype(np.int64), renumbered[segment["unit_index"]]
        if np.any(samples[1:] < samples[:-1]):
            order = np.argsort(samples, kind="stable")
            samples, units = samples[order], units[order]
        segments.append(FoundSpikes(samples, units))
    return FoundSorting(
        unit_ids=np.asarray(sorting.unit_ids)[counts > 0],
        segments=tuple(segments),
        sampling_frequency=float(sorting.get_sampling_frequency()),
        source=source,
        source_format="spikeinterface",
    )
