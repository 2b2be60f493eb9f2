"""Kilosort's rez.mat and rez2.mat, of Kilosort 1, 2, 2.5 and 3."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError
from hybridfactory.sorting.assembly import assemble, unit_rows, whole_numbers
from hybridfactory.sorting.mat_file import MatFile, open_mat, positive_number, require_numbers
from hybridfactory.sorting.raw_file import names_raw_file
from hybridfactory.sorting.rez_templates import template_channels
from hybridfactory.sorting.sorting import Sorting

__all__ = ["is_kilosort_1", "read_rez"]

LATER_FIELDS = frozenset({"Wphy", "est_contam_rate", "good", "st0", "iorig", "dshift"})
LATER_OPTIONS = frozenset({"igood", "minFR", "ThPre", "AUCsplit", "nblocks", "throw_out_channels"})
FIRST_FIELDS = frozenset({"connected", "nbins", "ypos", "iMega"})


def read_rez(
    path: Path, *, label_base: int = 1, source_paths: Sequence[Path] = (), warnings: Sequence[str] = ()
) -> Sorting:
    """Read a rez file, MATLAB v7.3 or v7.

    Parameters
    ----------
    path : pathlib.Path
    label_base : {1, 0}, optional
        1: labels as in the file. 0: one less, as phy shows them.
    source_paths : sequence of pathlib.Path, optional
        The raw files; ``ops.NchanTOT`` is handed on only if ``ops.fbinary`` names one of them.
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
    with open_mat(path, ["rez"]) as mat:
        st3 = _read_st3(mat)
        options = mat.fields("rez/ops")
        first, ambiguous = is_kilosort_1(mat.fields("rez"), options, st3)
        if ambiguous:
            notes.append(f"{path}: not clearly of Kilosort 1; if it is, all spike times are one sample late")
        times = whole_numbers(st3[:, 0], "rez.st3 column 1 (times)", path)
        templates = whole_numbers(st3[:, 1], "rez.st3 column 2 (templates)", path) - 1
        labels = templates + label_base
        if first:
            times = times - 1
            if st3.shape[1] >= 5:
                merged = whole_numbers(st3[:, 4], "rez.st3 column 5 (merged clusters)", path)
                labels = merged - 1 + label_base
        rows = _template_rows(mat, notes)
        num_rows = positive_number(mat, "rez/ops/NchanTOT")
        is_source = names_raw_file(mat.texts("rez/ops/fbinary"), path.parent, source_paths)
        sampling_frequency = positive_number(mat, "rez/ops/fs")
    return assemble(
        path,
        spike_times=times,
        spike_labels=labels,
        label_base=label_base,
        source_format="kilosort",
        spike_templates=templates,
        unit_main_rows=unit_rows(labels, templates, rows),
        sampling_frequency=sampling_frequency,
        num_rows=int(num_rows) if num_rows is not None and is_source else None,
        warnings=notes,
    )


def is_kilosort_1(fields: Collection[str], options: Collection[str], st3: NDArray[Any]) -> tuple[bool, bool]:
    """Decide whether a rez is Kilosort 1's, by what it holds.

    Fields of `rez` and `rez.ops` that only one generation has come first. Without any, column 4 of `st3`
    decides: Kilosort 1 keeps the batch number there, a whole number; later ones keep a residual variance.

    Returns
    -------
    first : bool
        Kilosort 1: times are 1-based, and column 5, if there is one, is the merged cluster. Otherwise times
        are 0-based and column 5 is a batch number.
    ambiguous : bool
        Nothing decided; later versions were assumed.
    """
    if not LATER_FIELDS.isdisjoint(fields) or not LATER_OPTIONS.isdisjoint(options):
        return False, False
    if not FIRST_FIELDS.isdisjoint(fields):
        return True, False
    if st3.shape[1] < 4:
        return False, True
    batch = st3[:, 3]
    return bool(np.all((batch >= 1) & (batch == np.round(batch)))), False


def _read_st3(mat: MatFile) -> NDArray[Any]:
    if not mat.fields("rez"):
        found = ", ".join(sorted(name for name in mat.fields() if not name.startswith("#"))) or "nothing"
        raise SortingError(f"{mat.path}: holds no rez (it holds {found}); save Kilosort's rez to this file")
    st3 = require_numbers(
        mat, "rez/st3", "it was saved before the spikes were sorted: run Kilosort to the end and save again"
    )
    if st3.size == 0:
        raise SortingError(f"{mat.path}: rez.st3 is empty, the sorting holds no spikes; sort again")
    if st3.ndim != 2 or st3.shape[1] < 2:
        raise SortingError(f"{mat.path}: rez.st3 has shape {st3.shape}, not spikes x columns; save rez again")
    return st3


def _template_rows(mat: MatFile, notes: list[str]) -> NDArray[np.int64]:
    """Raw row on which each template is largest, peak to peak; empty where it cannot be told."""
    unknown = np.empty(0, np.int64)
    time_parts, channel_parts = mat.numbers("rez/W"), mat.numbers("rez/U")
    if time_parts is None or channel_parts is None or mat.numbers("rez/ops/chanMap") is None:
        return unknown
    # MATLAB drops a last axis of length one: a single rank leaves two axes.
    time_parts = np.atleast_3d(time_parts)  # time x template x rank
    channel_parts = np.atleast_3d(channel_parts)  # channel x template x rank
    rows = template_channels(mat, len(channel_parts))
    if rows is None or time_parts.shape[1:] != channel_parts.shape[1:]:
        notes.append(f"{mat.path}: rez.U, rez.W and ops.chanMap do not fit together; main channels not read")
        return unknown
    best = np.full(channel_parts.shape[1], -1)
    for index in range(len(best)):
        with np.errstate(invalid="ignore", over="ignore"):
            extent = np.ptp(time_parts[:, index] @ channel_parts[:, index].T, axis=0)
        extent = np.nan_to_num(extent, nan=0.0)
        if extent.max(initial=0) > 0:
            best[index] = rows[np.argmax(extent)]
    return best
