"""Who wrote a phy folder. Times, labels and channel rows mean different things depending on it."""

from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import Path

from hybridfactory.sorting.phy_params import PhyParams
from hybridfactory.sorting.raw_file import file_name

__all__ = ["Origin", "channel_map_is_raw", "decide_origin"]


class Origin(Enum):
    """The program that wrote a phy folder, as far as it matters for reading it."""

    KILOSORT_1 = "Kilosort 1"
    KILOSORT_2_OR_3 = "Kilosort 2, 2.5 or 3"
    KILOSORT_4 = "Kilosort 4"
    SPIKEINTERFACE = "SpikeInterface"
    JRCLUST = "JRCLUST"
    OTHER = "another program"

    @property
    def is_one_based(self) -> bool:
        """Whether spike_times.npy counts samples from 1, as MATLAB does."""
        return self in (Origin.KILOSORT_1, Origin.JRCLUST)


KILOSORT_2_TABLES = frozenset({"cluster_KSLabel.tsv", "cluster_ContamPct.tsv", "cluster_Amplitude.tsv"})
KILOSORT_4_FILES = frozenset({"ops.npy", "whitening_mat_dat.npy", "kept_spikes.npy", "kilosort4.log"})
SPIKEINTERFACE_FILES = frozenset({"channel_map_si.npy", "cluster_si_unit_ids.tsv"})
WHITENED_COPY = "temp_wh.dat"
SPIKEINTERFACE_COPY = "recording.dat"


def decide_origin(
    names: Collection[str], *, matlab_written: bool, num_templates: int, params: PhyParams
) -> tuple[Origin, tuple[str, ...]]:
    """Decide who wrote a phy folder, by what it holds.

    In this order, the first that fits:

    1. the channel and unit ids that only SpikeInterface's export adds: SpikeInterface;
    2. files that only Kilosort 4 leaves: Kilosort 4;
    3. ``spike_sites.npy`` beside arrays written from MATLAB: JRCLUST;
    4. arrays not written from MATLAB: another program, 0-based like all of them;
    5. Kilosort's label tables (since 2), or traces from a filtered file (2.5, 3): Kilosort 2, 2.5 or 3;
    6. a multiple of 32 templates, which Kilosort 1 demands and others meet by chance only: Kilosort 1;
    7. otherwise nobody can tell: the times stay as they are, which is right for all but Kilosort 1, and a
       warning says so.

    Parameters
    ----------
    names : collection of str
        Names of the files in the folder; ``"cluster_KSLabel.tsv"`` stands as well for a
        ``cluster_group.tsv`` with Kilosort's heading.
    matlab_written : bool
        Whether spike_times.npy is uint64 in column-major order; numpy would not write a column so.
    num_templates : int
        Rows of templates.npy; 0 if there is none.
    params : PhyParams

    Returns
    -------
    origin : Origin
    warnings : tuple of str
    """
    rules = (
        (Origin.SPIKEINTERFACE, not SPIKEINTERFACE_FILES.isdisjoint(names)),
        (Origin.KILOSORT_4, not KILOSORT_4_FILES.isdisjoint(names)),
        (Origin.JRCLUST, "spike_sites.npy" in names and matlab_written),
        (Origin.OTHER, not matlab_written),
        (Origin.KILOSORT_2_OR_3, not KILOSORT_2_TABLES.isdisjoint(names) or _is_whitened(params)),
        (Origin.KILOSORT_1, num_templates > 0 and num_templates % 32 == 0),
    )
    for origin, holds in rules:
        if holds:
            return origin, ()
    note = "written from MATLAB, but not clearly by Kilosort 1; if it was, all spike times are one sample late"
    return Origin.OTHER, (note,)


def channel_map_is_raw(
    origin: Origin, params: PhyParams, *, names_source: bool, source_paths: Sequence[Path]
) -> bool:
    """Tell whether channel_map.npy holds rows of the raw file.

    It holds rows of the file that params.py names. Kilosort 2.5 and 3 name their whitened copy, sorters run
    by SpikeInterface a copy as well; then the raw rows are unknown.
    """
    if names_source:
        return True
    if _is_whitened(params) or SPIKEINTERFACE_COPY in map(file_name, params.dat_paths):
        return False
    if origin in (Origin.KILOSORT_1, Origin.KILOSORT_4, Origin.JRCLUST):
        return True
    if origin is Origin.KILOSORT_2_OR_3:
        return bool(params.dat_paths)
    return bool(params.dat_paths) and not source_paths


def _is_whitened(params: PhyParams) -> bool:
    return params.hp_filtered or WHITENED_COPY in map(file_name, params.dat_paths)
