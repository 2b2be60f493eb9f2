"""phy folders: npy files and params.py, as Kilosort, SpikeInterface, JRCLUST and others write them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError
from hybridfactory.sorting.assembly import assemble, require_spikes, unit_rows, whole_numbers
from hybridfactory.sorting.npy_file import open_npy, read_npy_header
from hybridfactory.sorting.phy_origin import Origin, channel_map_is_raw, decide_origin
from hybridfactory.sorting.phy_params import PhyParams, read_phy_params
from hybridfactory.sorting.phy_templates import template_rows
from hybridfactory.sorting.raw_file import names_raw_file
from hybridfactory.sorting.sorting import Sorting

__all__ = ["read_phy"]


def read_phy(
    folder: Path, *, label_base: int = 1, source_paths: Sequence[Path] = (), warnings: Sequence[str] = ()
) -> Sorting:
    """Read a phy folder.

    Parameters
    ----------
    folder : pathlib.Path
        Holds spike_times.npy, and spike_clusters.npy (curated) or spike_templates.npy.
    label_base : {1, 0}, optional
        Added to phy's 0-based ids.
    source_paths : sequence of pathlib.Path, optional
        The raw files; ``n_channels_dat`` is handed on only if ``dat_path`` names one of them.
    warnings : sequence of str, optional
        What is known already; the reader adds its own.

    Returns
    -------
    Sorting

    Raises
    ------
    MissingFileError, SortingError
    """
    notes = list(warnings)
    times = _read_column(folder / "spike_times.npy", "spike_times")
    require_spikes(times, folder / "spike_times.npy")
    clusters, templates = _read_labels(folder)
    params = read_phy_params(folder / "params.py")
    origin, origin_notes = _origin(folder, params)
    notes += [*params.warnings, *(f"{folder}: {note}" for note in origin_notes)]

    if origin.is_one_based and times.min() == 0:
        notes.append(f"{folder}: looks like {origin.value}, but has a spike at sample 0; times kept as 0-based")
    elif origin.is_one_based:
        times = times - 1
    labels = clusters + label_base
    if origin is Origin.KILOSORT_1 and templates is not None and _is_automerged(clusters, templates):
        # AutoMerge's own numbers start at 1, and phy shows them as they are; 0 is "in no merged group".
        labels = np.where(clusters > 0, clusters, label_base - 1)
        notes.append(f"{folder}: labels are AutoMerge's numbers, as phy shows them; 0 belongs to no unit")
    if origin is Origin.JRCLUST:
        notes.append(
            f"{folder}: JRCLUST's phy export puts noise and deleted spikes into unit {label_base}; "
            "read its *_res.mat instead if that unit matters"
        )

    names_source = names_raw_file(params.dat_paths, folder, source_paths)
    map_is_raw = channel_map_is_raw(origin, params, names_source=names_source, source_paths=source_paths)
    main_rows: dict[int, int] = {}
    if map_is_raw and templates is not None and len(templates) == len(labels):
        main_rows = unit_rows(labels, templates, template_rows(folder))
    return assemble(
        folder,
        spike_times=times,
        spike_labels=labels,
        label_base=label_base,
        source_format="phy",
        spike_templates=templates,
        unit_main_rows=main_rows,
        sampling_frequency=params.sampling_frequency,
        num_rows=params.num_rows if names_source else None,
        warnings=notes,
    )


def _read_column(path: Path, what: str) -> NDArray[np.int64]:
    return whole_numbers(open_npy(path), what, path)


def _read_labels(folder: Path) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    clusters_path, templates_path = folder / "spike_clusters.npy", folder / "spike_templates.npy"
    templates = _read_column(templates_path, "spike_templates") if templates_path.is_file() else None
    if clusters_path.is_file():
        return _read_column(clusters_path, "spike_clusters"), templates
    if templates is None:
        raise MissingFileError(
            f"{folder}: holds neither spike_clusters.npy nor spike_templates.npy; export the sorting again"
        )
    return templates, templates


def _origin(folder: Path, params: PhyParams) -> tuple[Origin, tuple[str, ...]]:
    names = {path.name for path in folder.iterdir()}
    if _has_kilosort_heading(folder / "cluster_group.tsv"):
        names.add("cluster_KSLabel.tsv")
    header = read_npy_header(folder / "spike_times.npy")
    templates_shape = read_npy_header(folder / "templates.npy").shape if "templates.npy" in names else ()
    return decide_origin(
        names,
        matlab_written=header.fortran_order and header.dtype == np.uint64,
        num_templates=templates_shape[0] if templates_shape else 0,
        params=params,
    )


def _has_kilosort_heading(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"KSLabel" in file.readline(1000)


def _is_automerged(clusters: NDArray[np.int64], templates: NDArray[np.int64]) -> bool:
    """Tell AutoMerge's numbers from 0-based ids.

    Until AutoMerge or phy changes it, a spike's cluster is its template, and phy gives merged and split
    clusters new ids above all others. A low id that is not the spike's template comes from AutoMerge.
    """
    if len(clusters) != len(templates):
        return False
    return bool(np.any((clusters != templates) & (clusters <= templates.max())))
