"""What a sorter's output says of the recording that was sorted: its files, their layout, and the probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import ProbeError, SortingError
from hybridfactory.probes import Probe, custom_probe
from hybridfactory.sorting.assembly import whole_numbers
from hybridfactory.sorting.detection import SorterOutput
from hybridfactory.sorting.jrclust_prm import find_prm, read_prm
from hybridfactory.sorting.mat_file import open_mat, positive_number
from hybridfactory.sorting.npy_file import open_npy
from hybridfactory.sorting.phy_origin import SPIKEINTERFACE_COPY, WHITENED_COPY
from hybridfactory.sorting.phy_params import read_phy_params
from hybridfactory.sorting.raw_file import file_name, names_raw_file
from hybridfactory.sorting.rez_templates import template_channels

__all__ = ["RecordingStatement", "read_statement"]

LARGEST_ROW = 1_000_000


@dataclass(frozen=True, eq=False)
class RecordingStatement:
    """What a sorting states of its recording; None or empty where it does not.

    Parameters
    ----------
    stated_in : str
        Name of the file that says so, for messages.
    raw_files : tuple of pathlib.Path
        The files it names, as far as they are found: under their path, or beside the sorting.
    is_filtered : bool
        Whether it names a filtered or whitened copy, which is not the raw recording.
    num_rows, sampling_frequency, data_type
        Of these files.
    channels : tuple of arrays, or None
        Rows of these files (n), positions in µm (n × 2) and shanks (n, or None) of the channels that were sorted.
    channels_stated_in : str
        Where that stands, if not in the same file.
    """

    stated_in: str
    raw_files: tuple[Path, ...] = ()
    is_filtered: bool = False
    num_rows: int | None = None
    sampling_frequency: float | None = None
    data_type: str | None = None
    channels: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64] | None] | None = None
    channels_stated_in: str = ""

    def probe(self, num_rows: int | None) -> Probe | None:
        """Put the probe together; rows that were not sorted are listed as unconnected.

        Parameters
        ----------
        num_rows : int or None
            Rows of the raw file, where they are known.

        Returns
        -------
        Probe or None
            None where the sorting does not say where its channels are, or says it wrongly.
        """
        if self.channels is None:
            return None
        rows, positions, shanks = self.channels
        total = max(num_rows or 0, int(rows.max()) + 1)
        others = np.setdiff1d(np.arange(total), rows)
        several = shanks is not None and len(set(shanks.tolist())) > 1
        try:
            return custom_probe(
                np.concatenate([rows, others]),
                np.arange(total) < rows.size,
                np.concatenate([positions, np.full((others.size, 2), np.nan)]),
                f"as stated in {self.channels_stated_in or self.stated_in}",
                shank_ids=[*map(str, shanks.tolist()), *[""] * others.size]
                if several and shanks is not None
                else None,
            )
        except ProbeError:
            return None


def read_statement(output: SorterOutput, raw: Sequence[Path] = ()) -> RecordingStatement:
    """Read what a sorter's output says of its recording.

    Parameters
    ----------
    output : SorterOutput
    raw : sequence of pathlib.Path
        The raw files, where the user names them: channel rows are handed on only as far as they can be theirs.

    Returns
    -------
    RecordingStatement

    Raises
    ------
    SortingError
        A file is damaged.
    """
    if output.source_format == "phy":
        return _of_phy(output.path, raw)
    if output.source_format == "kilosort":
        return _of_rez(output.path)
    return _of_jrclust3(output.path) if output.path.name.endswith("_jrc.mat") else _of_jrclust4(output.path)


def _of_phy(folder: Path, raw: Sequence[Path]) -> RecordingStatement:
    params = read_phy_params(folder / "params.py")
    names = [file_name(path) for path in params.dat_paths]
    # Kilosort 2.5 and 3 name a whitened copy, which only sometimes says that it is filtered.
    is_filtered = params.hp_filtered or WHITENED_COPY in names
    is_theirs = not raw or names_raw_file(params.dat_paths, folder, raw)
    is_copy = is_filtered or SPIKEINTERFACE_COPY in names
    if params.offset and is_theirs and not is_filtered:
        raise SortingError(
            f"{folder / 'params.py'}: the raw file begins with {params.offset} bytes that are no samples (offset): "
            "write the samples alone to a file, and name it with --raw"
        )
    return RecordingStatement(
        stated_in="phy's params.py",
        raw_files=_found(params.dat_paths, folder),
        is_filtered=is_filtered,
        num_rows=params.num_rows if is_theirs else None,
        sampling_frequency=params.sampling_frequency,
        data_type=params.data_type if is_theirs or not is_copy else None,
        channels=_phy_channels(folder) if is_theirs or not is_copy else None,
        channels_stated_in="channel_positions.npy",
    )


def _phy_channels(
    folder: Path,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64] | None] | None:
    map_path, positions_path, shanks_path = (
        folder / f"channel_{name}.npy" for name in ("map", "positions", "shanks")
    )
    if not (map_path.is_file() and positions_path.is_file()):
        return None
    rows = whole_numbers(open_npy(map_path), "channel_map", map_path)
    shanks = whole_numbers(open_npy(shanks_path), "channel_shanks", shanks_path) if shanks_path.is_file() else None
    return _channels(rows, open_npy(positions_path), shanks)


def _channels(
    rows: NDArray[np.int64], positions: NDArray[np.generic], shanks: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64] | None] | None:
    """Put rows and positions together; None where they do not fit, or every channel is said to lie in one place."""
    if not rows.size or rows.max() > LARGEST_ROW:
        return None
    places = np.asarray(positions, dtype=np.float64)
    if places.shape != (rows.size, 2) or not np.isfinite(places).all() or rows.min() < 0:
        return None
    if rows.size > 1 and len(np.unique(places, axis=0)) == 1:
        return None
    return rows, places, shanks if shanks is not None and shanks.size == rows.size else None


def _of_rez(path: Path) -> RecordingStatement:
    with open_mat(path, ["rez"]) as mat:
        texts = mat.texts("rez/ops/fbinary")
        x, y = mat.numbers("rez/xcoords"), mat.numbers("rez/ycoords")
        if x is None or y is None:
            x, y = mat.numbers("rez/xc"), mat.numbers("rez/yc")
        groups = mat.numbers("rez/ops/kcoords")
        channels = None
        if x is not None and y is not None and x.size == y.size:
            rows = template_channels(mat, x.size)
            places = np.column_stack([x.reshape(-1), y.reshape(-1)])
            shanks = None if groups is None else whole_numbers(groups, "rez.ops.kcoords", path)
            channels = None if rows is None else _channels(rows, places, shanks)
        num_rows = positive_number(mat, "rez/ops/NchanTOT")
        return RecordingStatement(
            stated_in=path.name,
            raw_files=_found(texts, path.parent),
            num_rows=int(num_rows) if num_rows else None,
            sampling_frequency=positive_number(mat, "rez/ops/fs"),
            # Kilosort in MATLAB reads nothing else.
            data_type="int16",
            channels=channels,
        )


def _of_jrclust3(path: Path) -> RecordingStatement:
    with open_mat(path, ["P"]) as mat:
        site_map, places = mat.numbers("P/viSite2Chan"), mat.numbers("P/mrSiteXY")
        shanks = mat.numbers("P/viShank_site")
        num_rows = positive_number(mat, "P/nChans")
        types = mat.texts("P/vcDataType")
        channels = None
        if site_map is not None and places is not None:
            channels = _channels(
                whole_numbers(site_map, "P.viSite2Chan", path) - 1,
                places,
                None if shanks is None or not shanks.size else whole_numbers(shanks, "P.viShank_site", path),
            )
        return RecordingStatement(
            stated_in=path.name,
            raw_files=_found(mat.texts("P/csFile_merge") or mat.texts("P/vcFile"), path.parent),
            num_rows=int(num_rows) if num_rows else None,
            sampling_frequency=positive_number(mat, "P/sRateHz"),
            data_type=types[0] if types else None,
            channels=channels,
        )


def _of_jrclust4(path: Path) -> RecordingStatement:
    prm_path = find_prm(path)
    if prm_path is None:
        return RecordingStatement(stated_in=path.name)
    prm = read_prm(prm_path)
    channels = None
    if prm.site_map is not None and prm.site_positions is not None:
        shanks = None if prm.site_shanks is None else np.array(prm.site_shanks, dtype=np.int64)
        channels = _channels(np.array(prm.site_map, dtype=np.int64) - 1, np.array(prm.site_positions), shanks)
    return RecordingStatement(
        stated_in=prm_path.name,
        raw_files=_found(prm.recordings, prm_path.parent),
        num_rows=prm.num_rows,
        sampling_frequency=prm.sampling_frequency,
        data_type=prm.data_type,
        channels=channels,
    )


def _found(stated: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Find files that a sorting names; all of them, or none. Folders move between machines as a whole."""
    paths = []
    for text in filter(None, stated):
        written = text.replace("\\", "/")
        for candidate in (folder / written, folder / file_name(text), folder.parent / file_name(text)):
            if _is_file(candidate):
                paths.append(candidate.resolve())
                break
        else:
            return ()
    return tuple(paths)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # text that can be no path
        return False
