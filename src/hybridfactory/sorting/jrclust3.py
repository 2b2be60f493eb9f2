"""JRCLUST 3 sessions: *_jrc.mat."""

from collections.abc import Sequence
from pathlib import Path

from hybridfactory.sorting.assembly import assemble, unit_rows, whole_numbers
from hybridfactory.sorting.mat_file import open_mat, positive_number, require_numbers
from hybridfactory.sorting.raw_file import names_raw_file
from hybridfactory.sorting.sorting import Sorting

__all__ = ["read_jrclust3"]


def read_jrclust3(
    path: Path, *, label_base: int = 1, source_paths: Sequence[Path] = (), warnings: Sequence[str] = ()
) -> Sorting:
    """Read a JRCLUST 3 session, MATLAB v7.3 or v7.

    Parameters
    ----------
    path : pathlib.Path
    label_base : {1, 0}, optional
        1: labels as in the file. 0: one less.
    source_paths : sequence of pathlib.Path, optional
        The raw files; ``P.nChans`` is handed on only if ``P.vcFile`` or ``P.csFile_merge`` names one of them.
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
    with open_mat(path, ["viTime_spk", "viSite_spk", "S_clu", "P"]) as mat:
        stated = require_numbers(mat, "viTime_spk", "detect and sort with JRCLUST 3 first")
        times = whole_numbers(stated, "viTime_spk", path) - 1
        stated = require_numbers(mat, "S_clu/viClu", "spikes were detected but not sorted: run jrc sort")
        clusters = whole_numbers(stated, "S_clu.viClu", path)
        sites, site_map = mat.numbers("viSite_spk"), mat.numbers("P/viSite2Chan")
        num_rows = positive_number(mat, "P/nChans")
        recordings = mat.texts("P/vcFile") + mat.texts("P/csFile_merge")
        sampling_frequency = positive_number(mat, "P/sRateHz")

    labels = clusters - 1 + label_base
    spike_sites = None if sites is None else whole_numbers(sites, "viSite_spk", path) - 1
    main_rows: dict[int, int] = {}
    if site_map is None:
        notes.append(f"{path}: holds no P.viSite2Chan; main channels not read")
    elif spike_sites is not None and len(spike_sites) == len(labels):
        rows = whole_numbers(site_map, "P.viSite2Chan", path) - 1
        main_rows = unit_rows(labels, spike_sites, rows)
    return assemble(
        path,
        spike_times=times,
        spike_labels=labels,
        label_base=label_base,
        source_format="jrc",
        spike_channel_index=spike_sites,
        unit_main_rows=main_rows,
        sampling_frequency=sampling_frequency,
        num_rows=int(num_rows) if num_rows and names_raw_file(recordings, path.parent, source_paths) else None,
        warnings=notes,
    )
