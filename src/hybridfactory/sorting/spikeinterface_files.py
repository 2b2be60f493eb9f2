"""Sortings that SpikeInterface has saved: folders, zarr, npz and json, loaded without running what they hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingFileError, SortingError
from hybridfactory.spikeinterface_safety import UNREADABLE, refuse_foreign_classes, refuse_pickled_arrays

__all__ = ["holds_spikeinterface_sorting", "load_spikeinterface_sorting"]

MARKS = (
    "numpysorting_info.json",
    "npz.json",
    "si_folder.json",
    "spikeinterface_info.json",
    "spikeinterface_log.json",
    "cached.json",
)


def holds_spikeinterface_sorting(path: Path) -> bool:
    """Tell whether a file or folder is of a kind that SpikeInterface saves.

    The folder of a sorter that SpikeInterface ran counts; the ``sorter_output`` inside it does not, as that is
    whatever the sorter itself writes.
    """
    if path.is_file():
        return path.suffix in (".npz", ".json", ".pkl", ".pickle")
    return path.suffix == ".zarr" or any((path / name).is_file() for name in MARKS)


def load_spikeinterface_sorting(path: Path) -> Any:
    """Load a sorting that SpikeInterface has saved.

    Parameters
    ----------
    path : pathlib.Path
        A folder (``sorting.save``, a sorter's, a SortingAnalyzer's), .zarr, .npz or .json.

    Returns
    -------
    spikeinterface.BaseSorting

    Raises
    ------
    SortingError
        It is not a sorting, is damaged, or would have to be unpickled, which runs code.
    MissingFileError
        A file that it refers to is gone.
    """
    if path.suffix in (".pkl", ".pickle"):
        raise SortingError(f"{path}: is a pickle, which may run code; save it with sorting.save(folder=...) instead")
    try:
        sorting = _load(path)
    except (MissingFileError, SortingError):
        raise
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: refers to a file that is gone ({error.filename}); save it again") from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SortingError(
            f"{path}: SpikeInterface cannot load it ({reason[:200]}); save the sorting again"
        ) from error
    if not hasattr(sorting, "to_spike_vector"):
        raise SortingError(f"{path}: holds a {type(sorting).__name__}, not a sorting; give the sorter's output")
    return sorting


def _is_a_recording(path: Path) -> SortingError:
    return SortingError(f"{path}: is a recording, and a sorting is wanted here; give what the sorter made of it")


def _load(path: Path) -> Any:
    if path.is_file():
        return _from_npz(path) if path.suffix == ".npz" else _from_json(path)
    if path.suffix == ".zarr":
        return _from_zarr(path)
    # What recording.save makes.
    if (path / "binary.json").is_file():
        raise _is_a_recording(path)
    for mark, read in (
        (path / "numpysorting_info.json", _from_numpy_folder),
        (path / "npz.json", lambda folder: _from_npz(folder / "sorting_cached.npz")),
        (path / "spikeinterface_log.json", _from_sorter_folder),
        # A SortingAnalyzer's; its recording is not needed.
        (path / "sorting" / "numpysorting_info.json", lambda folder: _from_numpy_folder(folder / "sorting")),
        (path / "si_folder.json", lambda folder: _from_json(folder / "si_folder.json")),
        (path / "cached.json", lambda folder: _from_json(folder / "cached.json")),
    ):
        if mark.is_file():
            return read(path)
    raise SortingError(f"{path}: was saved by SpikeInterface, but is no sorting; give the sorter's output")


def _from_json(path: Path) -> Any:
    from spikeinterface.core import load  # noqa: PLC0415

    content = json.loads(path.read_bytes())
    if isinstance(content, dict) and "Recording" in str(content.get("class")).rpartition(".")[2]:
        raise _is_a_recording(path)
    refuse_foreign_classes(content, path, SortingError, "sorting")
    return load(path, base_folder=path.parent)


def _from_sorter_folder(path: Path) -> Any:
    from spikeinterface.sorters import read_sorter_folder  # noqa: PLC0415

    if json.loads((path / "spikeinterface_log.json").read_bytes()).get("error"):
        raise SortingError(
            f"{path}: the sorter ended with an error, so there is no sorting; sort the recording again"
        )
    return read_sorter_folder(path, register_recording=False, sorting_info=False)


def _from_numpy_folder(path: Path) -> Any:
    """Read what ``sorting.save`` writes; SpikeInterface would unpickle the properties beside it."""
    from spikeinterface.core import NumpySorting  # noqa: PLC0415

    info = json.loads((path / "numpysorting_info.json").read_bytes())
    spikes = np.load(path / "spikes.npy", allow_pickle=False)
    sorting = NumpySorting(spikes, float(info["sampling_frequency"]), np.array(info["unit_ids"]))
    return _with_segments(sorting, int(info["num_segments"]))


def _with_segments(sorting: Any, num_segments: int) -> Any:
    """Add the segments after the last spike, which a NumpySorting does not know of."""
    from spikeinterface.core.basesorting import SpikeVectorSortingSegment  # noqa: PLC0415

    for index in range(sorting.get_num_segments(), num_segments):
        sorting.add_sorting_segment(SpikeVectorSortingSegment(sorting.to_spike_vector(), index, sorting.unit_ids))
    return sorting


def _from_npz(path: Path) -> Any:
    from spikeinterface.core import NpzSortingExtractor  # noqa: PLC0415

    with np.load(path, allow_pickle=False) as archive:
        lacking = [name for name in ("unit_ids", "num_segment", "sampling_frequency") if name not in archive.files]
    if lacking:
        raise SortingError(f"{path}: holds no {lacking[0]}, so it is no sorting of SpikeInterface; give its output")
    return NpzSortingExtractor(path)


def _from_zarr(path: Path) -> Any:
    from spikeinterface.core.zarrextractors import ZarrSortingExtractor  # noqa: PLC0415

    if (path / "channel_ids").is_dir():
        raise _is_a_recording(path)
    # A SortingAnalyzer keeps its sorting in a group; its recording, which may be a pickle, is left alone.
    group = "sorting" if (path / "sorting").is_dir() else None
    refuse_pickled_arrays(path / (group or "."), SortingError, "sorting")
    return ZarrSortingExtractor(path, zarr_group=group)
