"""Donors from whatever SpikeInterface loads: its units under labels, its segments on one timeline."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingFileError, ParameterError, SortingError
from hybridfactory.sorting.found import from_spikeinterface
from hybridfactory.sorting.sorting import Sorting
from hybridfactory.sorting.spikeinterface_files import load_spikeinterface_sorting

__all__ = ["PREFIX", "read_spikeinterface"]

PREFIX = "spikeinterface"
"""Alone: what SpikeInterface has saved; with the name of a reader after a colon: what that reader reads."""

LEFT_OUT = ("numpy", "npz", "zarr", "ibl", "klusta", "phy", "kilosort", "shybrid")
"""In memory, saved by SpikeInterface itself, over the network, or readers that run what they find."""


def read_spikeinterface(
    path: Path, output_type: str, label_base: int, sampling_frequency: float | None = None
) -> Sorting:
    """Read a sorting with SpikeInterface.

    Parameters
    ----------
    path : pathlib.Path
        What SpikeInterface has saved (a SortingAnalyzer's folder too), or what the named reader takes.
    output_type : str
        ``"spikeinterface"`` or ``"spikeinterface:NAME"``.
    label_base : {1, 0}
        Label of the unit with id 0.
    sampling_frequency : float, optional
        Hz, for readers that must be told.

    Returns
    -------
    Sorting
        Ids that are whole numbers become labels as phy's do; others are counted in the sorting's order.

    Raises
    ------
    MissingFileError, SortingError, ParameterError
        It is not there, is damaged or no sorting, or the reader is not known.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or folder; set data_directory to the sorting")
    name = output_type.partition(":")[2]
    loaded = _read_by_name(path, name, sampling_frequency) if name else load_spikeinterface_sorting(path)
    found = from_spikeinterface(loaded, str(path))
    numbers, notes = _numbers(np.asarray(loaded.unit_ids), path, label_base)
    by_id = dict(zip(np.asarray(loaded.unit_ids).tolist(), numbers, strict=True))
    labels = np.array([by_id[unit] for unit in found.unit_ids.tolist()], dtype=np.int64) + label_base
    segments = np.repeat(np.arange(len(found.segments)), [part.samples.size for part in found.segments])
    return Sorting(
        spike_times=np.concatenate([part.samples for part in found.segments]),
        spike_labels=labels[np.concatenate([part.units for part in found.segments])],
        label_base=label_base,
        source_format=PREFIX,
        sampling_frequency=found.sampling_frequency,
        warnings=(*found.warnings, *notes),
        spike_segments=segments.astype(np.int64) if len(found.segments) > 1 else None,
        num_segments=len(found.segments),
    )


def _read_by_name(path: Path, name: str, sampling_frequency: float | None) -> Any:
    from spikeinterface.extractors.extractor_classes import sorting_extractor_full_dict  # noqa: PLC0415

    readers = {key: reader for key, reader in sorting_extractor_full_dict.items() if key not in LEFT_OUT}
    if name not in readers:
        raise ParameterError(
            f"output_type: SpikeInterface has no reader {name!r} for sortings that serves; use one of "
            f"{', '.join(sorted(readers))}"
        )
    arguments = inspect.signature(readers[name]).parameters
    told: dict[str, Any] = {next(iter(arguments)): str(path)}
    if "sampling_frequency" in arguments and sampling_frequency is not None:
        told["sampling_frequency"] = sampling_frequency
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return readers[name](**told)
    except MemoryError:
        raise
    except Exception as error:  # Each reader has exceptions of its own, plain ones among them.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SortingError(
            f"{path}: SpikeInterface cannot read it as {name} ({reason[:300]}); check output_type, and that the "
            "package for that format is installed"
        ) from error


def _numbers(ids: np.ndarray[Any, Any], path: Path, label_base: int) -> tuple[list[int], tuple[str, ...]]:
    """Give each unit a whole number ≥ 0, its own id if that is one."""
    texts = [str(unit) for unit in ids.tolist()]
    if all(text.isascii() and text.isdigit() and len(text) < 16 for text in texts):
        numbers = [int(text) for text in texts]
        if len(set(numbers)) == len(numbers):
            return numbers, ()
    shown = ", ".join(f"{text} is {place + label_base}" for place, text in enumerate(texts[:8]))
    more = " …" if len(texts) > 8 else ""
    return list(range(len(texts))), (
        f"{path}: unit ids are no numbers; units have labels in their order: {shown}{more}",
    )
