"""JRCLUST 4 results: *_res.mat, with the session's .prm beside it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.sorting.assembly import assemble, unit_rows, whole_numbers
from hybridfactory.sorting.jrclust_prm import find_prm, read_prm
from hybridfactory.sorting.mat_file import MatFile, open_mat, require_numbers
from hybridfactory.sorting.raw_file import names_raw_file
from hybridfactory.sorting.sorting import Sorting

__all__ = ["read_jrclust4"]


def read_jrclust4(
    path: Path, *, label_base: int = 1, source_paths: Sequence[Path] = (), warnings: Sequence[str] = ()
) -> Sorting:
    """Read a JRCLUST 4 result, MATLAB v7.3 or v7.

    Parameters
    ----------
    path : pathlib.Path
    label_base : {1, 0}, optional
        1: labels as in the file. 0: one less.
    source_paths : sequence of pathlib.Path, optional
        The raw files; ``nChans`` of the .prm is handed on only if ``rawRecordings`` names one of them.
    warnings : sequence of str, optional
        What is known already; the reader adds its own.

    Returns
    -------
    Sorting
        Times count on over the session's files, without gaps between them.

    Raises
    ------
    MissingFileError, SortingError
    """
    notes = list(warnings)
    with open_mat(path, ["spikeTimes", "spikeClusters", "spikeSites", "clusterSites"]) as mat:
        stated = require_numbers(mat, "spikeTimes", "detect and sort with JRCLUST 4 first")
        times = whole_numbers(stated, "spikeTimes", path) - 1
        stated = require_numbers(mat, "spikeClusters", "spikes were detected but not sorted: run jrc sort")
        clusters = whole_numbers(stated, "spikeClusters", path)
        sites, cluster_sites = _sites(mat, "spikeSites"), _sites(mat, "clusterSites")

    labels = clusters - 1 + label_base
    prm_path = find_prm(path)
    prm = read_prm(prm_path) if prm_path is not None else None
    main_rows: dict[int, int] = {}
    if prm is None or prm.site_map is None:
        notes.append(f"{path}: no .prm with a siteMap beside it; main channels not read")
    else:
        rows = whole_numbers(np.array(prm.site_map), f"siteMap of {prm.path.name}", path) - 1
        if sites is not None and len(sites) == len(labels):
            main_rows = unit_rows(labels, sites, rows)
        if cluster_sites is not None:
            main_rows |= unit_rows(np.arange(len(cluster_sites)) + label_base, cluster_sites, rows)
    is_source = prm is not None and names_raw_file(prm.recordings, path.parent, source_paths)
    present = set(np.unique(labels).tolist())
    return assemble(
        path,
        spike_times=times,
        spike_labels=labels,
        label_base=label_base,
        source_format="jrc",
        spike_channel_index=sites,
        unit_main_rows={label: row for label, row in main_rows.items() if label in present},
        sampling_frequency=prm.sampling_frequency if prm is not None else None,
        num_rows=prm.num_rows if prm is not None and is_source else None,
        warnings=notes,
    )


def _sites(mat: MatFile, name: str) -> NDArray[np.int64] | None:
    """Return 0-based sites; None if the file has none."""
    values = mat.numbers(name)
    return None if values is None or values.size == 0 else whole_numbers(values, name, mat.path) - 1
