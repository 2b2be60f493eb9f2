"""The door of this room: a folder in, a `Sorting` out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hybridfactory.errors import HybridFactoryError, MissingFileError, ParameterError, SortingError
from hybridfactory.sorting.detection import SorterOutput, find_sorter_output
from hybridfactory.sorting.jrclust3 import read_jrclust3
from hybridfactory.sorting.jrclust4 import read_jrclust4
from hybridfactory.sorting.kilosort_rez import read_rez
from hybridfactory.sorting.phy import read_phy
from hybridfactory.sorting.sorting import Sorting
from hybridfactory.sorting.spikeinterface_files import holds_spikeinterface_sorting

__all__ = ["read_sorting"]


def read_sorting(
    data_directory: Path,
    *,
    output_type: str | None = None,
    label_base: int = 1,
    source_paths: Sequence[Path] = (),
    sampling_frequency: float | None = None,
) -> Sorting:
    """Read a sorter's output folder.

    Parameters
    ----------
    data_directory : pathlib.Path
        Folder that holds the output: phy's npy files, ``rez2.mat`` or ``rez.mat``, ``*_res.mat`` or
        ``*_jrc.mat``; or what SpikeInterface loads.
    output_type : {"phy", "kilosort", "jrc", "spikeinterface"} or "spikeinterface:NAME", optional
        What to read; inferred from the files if not given.
    label_base : {1, 0}, optional
        1: labels start at 1, as in the documented parameter files. 0: labels are the ids that phy shows.
    source_paths : sequence of pathlib.Path, optional
        The raw files. What a sorting says about "the raw file" (row count, channel rows) is handed on only
        as far as it is about one of these.
    sampling_frequency : float, optional
        Hz, for those of SpikeInterface's readers by name whose format does not state it.

    Returns
    -------
    Sorting
        Spike times in samples, int64, shape (num_spikes,), 0-based and ascending, with one label per spike.

    Raises
    ------
    MissingFileError
        The folder, or a file that the format needs, does not exist.
    SortingError
        A file is damaged, contradicts another, or holds no sorted spikes.
    ParameterError
        `output_type` or `label_base` is not one of the values above.
    """
    if label_base not in (0, 1):
        raise ParameterError(f"label_base is {label_base!r}; use 1 (first unit is 1) or 0 (ids as phy shows)")
    try:
        output = _find(Path(data_directory), output_type)
        if output is None:
            from hybridfactory.sorting.spikeinterface_sorting import PREFIX, read_spikeinterface  # noqa: PLC0415

            return read_spikeinterface(Path(data_directory), output_type or PREFIX, label_base, sampling_frequency)
        return _reader(output)(
            output.path, label_base=label_base, source_paths=source_paths, warnings=output.warnings
        )
    except PermissionError as error:
        raise SortingError(f"{error.filename}: may not be read; check its permissions") from error
    except HybridFactoryError:
        raise
    except OSError as error:
        raise SortingError(
            f"{error.filename or data_directory}: cannot be read ({error.strerror}); check it"
        ) from error


def _find(place: Path, output_type: str | None) -> SorterOutput | None:
    """Find the file to read; None where SpikeInterface is to load it."""
    if output_type is not None and output_type.partition(":")[0] == "spikeinterface":
        return None
    is_saved = output_type is None and place.exists() and holds_spikeinterface_sorting(place)
    if is_saved and not place.is_dir():
        return None
    try:
        return find_sorter_output(place, output_type)
    except MissingFileError:
        if is_saved:
            return None
        raise


def _reader(output: SorterOutput) -> Callable[..., Sorting]:
    if output.source_format == "phy":
        return read_phy
    if output.source_format == "kilosort":
        return read_rez
    return read_jrclust3 if output.path.name.endswith("_jrc.mat") else read_jrclust4
