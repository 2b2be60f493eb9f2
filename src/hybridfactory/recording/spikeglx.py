"""SpikeGLX recordings: start times of the files of a run, and the probe as the .meta file describes it."""

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError, ProbeError, RecordingError
from hybridfactory.probes import Probe
from hybridfactory.probes.presets import NEUROPIXELS_3A_REFERENCE_ROWS, neuropixels3a_positions
from hybridfactory.recording.natural_order import files_in_natural_order, natural_key
from hybridfactory.recording.spikeglx_meta import (
    SpikeGLXMeta,
    meta_path_of,
    read_fields,
    read_meta,
    whole_number,
    write_hybrid_meta,
)

__all__ = [
    "SpikeGLXMeta",
    "get_start_times",
    "meta_path_of",
    "read_gains_uV",
    "read_meta",
    "read_probe_from_meta",
    "write_hybrid_meta",
]

_RESTORE = "restore the meta file as SpikeGLX wrote it"
_GIVE_PROBE = "give the probe in the parameter file"
_LARGEST_ENTRY = 10**9  # neither channels nor coordinates in µm come near


def get_start_times(filename: str | PathLike[str] | Iterable[str | PathLike[str]]) -> NDArray[np.int64]:
    """Start times of the files of one run, from their .meta files.

    Parameters
    ----------
    filename : path-like or iterable of path-like
        One .meta file, a glob that matches several, or the files themselves.

    Returns
    -------
    numpy.ndarray of int64, shape (num_files,)
        Samples since the first file's first sample, in natural order of the file names; the first is 0.

    Raises
    ------
    MissingFileError
        If a file does not exist, or nothing matches.
    RecordingError
        If a file does not state ``firstSample``, or the natural order of the names is not the order in time.
    """
    if isinstance(filename, str | PathLike):
        paths = files_in_natural_order(filename)
    else:
        paths = sorted((Path(path) for path in filename), key=natural_key)
    if not paths:
        raise MissingFileError("get_start_times was given no .meta file")
    first_samples = [_read_first_sample(path) for path in paths]
    for later in range(1, len(paths)):
        before, after = first_samples[later - 1], first_samples[later]
        if after < before:
            raise RecordingError(
                f"{paths[later].name} (firstSample {after}) began before {paths[later - 1].name} "
                f"(firstSample {before}), against the natural order of their names: "
                "name only files of one stream of one run, or give start_time by hand"
            )
    return np.array(first_samples, dtype=np.int64) - first_samples[0]


def read_probe_from_meta(meta_path: str | PathLike[str]) -> Probe:
    """Describe the probe of an .ap recording by its .meta file.

    Parameters
    ----------
    meta_path : path-like

    Returns
    -------
    Probe
        One channel per row of the .bin file, in file order. Sites that the file marks as not used
        (references) and the sync rows are unconnected; the latter have no position. `shank_ids` only where
        the sites lie on several shanks.

    Raises
    ------
    MissingFileError
        If the file does not exist.
    RecordingError
        If the file describes no spike band of a Neuropixels probe, or its tables are damaged or unknown.
    """
    meta = read_meta(meta_path)
    if meta.fields.get("typeThis", "imec") != "imec" or not meta.num_ap_rows:
        raise RecordingError(
            f"{meta_path} describes no spike band of a Neuropixels probe (typeThis="
            f"{meta.fields.get('typeThis', '')}, snsApLfSy={meta.fields.get('snsApLfSy', '')}): "
            f"use the .ap file, or {_GIVE_PROBE}"
        )
    is_phase_3a = "imProbeOpt" in meta.fields
    positions, shanks = _phase_3a_sites(meta) if is_phase_3a else _catalogue_sites(meta)
    used = _used_flags(meta)
    if is_phase_3a:
        used &= ~np.isin(meta.saved_channels[: meta.num_ap_rows], NEUROPIXELS_3A_REFERENCE_ROWS)
    num_other = meta.num_rows - meta.num_ap_rows
    shank_ids = (*shanks, *[""] * num_other) if len(set(shanks)) > 1 else None
    part_number = meta.fields.get("imDatPrb_pn") or "probe"
    try:
        return Probe(
            channel_map=np.arange(meta.num_rows),
            connected=np.concatenate([used, np.zeros(num_other, dtype=np.bool_)]),
            channel_positions=np.concatenate([positions, np.full((num_other, 2), np.nan)]),
            name="Neuropixels Phase 3A" if is_phase_3a else f"Neuropixels {part_number}",
            shank_ids=shank_ids,
        )
    except ProbeError as error:
        raise RecordingError(f"{meta_path}: {error}") from error


def read_gains_uV(meta_path: str | PathLike[str]) -> NDArray[np.float64]:
    """Read µV per count of every row of a SpikeGLX recording.

    Parameters
    ----------
    meta_path : path-like

    Returns
    -------
    numpy.ndarray of float64, shape (num_rows,)

    Raises
    ------
    RecordingError
        If the .meta file does not tell.
    """
    from neo.rawio.spikeglxrawio import extract_stream_info, read_meta_file  # noqa: PLC0415

    try:
        stated = extract_stream_info(meta_path, read_meta_file(meta_path))["channel_gains"]
        return np.asarray(stated, dtype=np.float64)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(f"{meta_path} does not tell µV per count ({reason}): {_RESTORE}") from error


def _read_first_sample(path: Path) -> int:
    first_sample = whole_number(read_fields(path), "firstSample", path)
    if first_sample is None:
        raise RecordingError(f"{path}: firstSample is missing: give start_time by hand in the parameter file")
    return first_sample


def _entries(meta: SpikeGLXMeta, key: str) -> list[list[int]] | None:
    """Numbers of each parenthesised entry of a table after its header, or None without that table."""
    text = meta.fields.get(key, "")
    if not text:
        return None
    groups = re.findall(r"\(([^()]*)\)", text)
    try:
        # Positions may be written with a fraction; channels, banks and flags are whole either way.
        entries = [[int(float(part)) for part in re.split(r"[\s:]+", group)] for group in groups[1:]]
        if any(abs(part) > _LARGEST_ENTRY for entry in entries for part in entry):
            raise ValueError
        return entries
    except (ValueError, OverflowError) as error:
        raise RecordingError(f"{meta.path}: {key} is damaged: {_GIVE_PROBE}") from error


def _used_flags(meta: SpikeGLXMeta) -> NDArray[np.bool_]:
    """Whether each row of the spike band is a site in use; the map lists the rows in file order."""
    for key in ("snsShankMap", "snsGeomMap"):
        entries = _entries(meta, key)
        if entries:
            if len(entries) != meta.num_ap_rows or any(len(entry) != 4 for entry in entries):
                raise RecordingError(
                    f"{meta.path}: {key} describes {len(entries)} sites, but the file has {meta.num_ap_rows} "
                    f"rows of the spike band: {_GIVE_PROBE}"
                )
            return np.array([entry[3] != 0 for entry in entries])
    return np.ones(meta.num_ap_rows, dtype=np.bool_)


def _phase_3a_sites(meta: SpikeGLXMeta) -> tuple[NDArray[np.float64], list[str]]:
    """Sites of a Phase 3A probe, which states no part number for a catalogue to know."""
    entries = _entries(meta, "imroTbl")
    if not entries or any(len(entry) < 2 for entry in entries):
        raise RecordingError(f"{meta.path}: imroTbl is missing or damaged: give the probe in the parameter file")
    # Option 4 reads 276 channels out of a bank and not 384; the table has one entry per channel of a bank.
    electrode_of = {channel: bank * len(entries) + channel for channel, bank, *_ in entries}
    try:
        electrodes = np.array([electrode_of[channel] for channel in meta.saved_channels[: meta.num_ap_rows]])
    except KeyError as error:
        raise RecordingError(
            f"{meta.path}: imroTbl does not list channel {error.args[0]}, which was saved: {_GIVE_PROBE}"
        ) from error
    return neuropixels3a_positions(electrodes), [""] * meta.num_ap_rows


def _catalogue_sites(meta: SpikeGLXMeta) -> tuple[NDArray[np.float64], list[str]]:
    """Sites as probeinterface's catalogue of part numbers knows them."""
    import probeinterface  # noqa: PLC0415

    try:
        found: Any = probeinterface.read_spikeglx(meta.path)
        positions = np.asarray(found.contact_positions, dtype=np.float64)
    except Exception as error:
        part_number = meta.fields.get("imDatPrb_pn") or "without part number"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f"{meta.path}: the geometry of probe {part_number} is not known ({reason}): {_GIVE_PROBE}"
        ) from error
    if len(positions) != meta.num_ap_rows:
        raise RecordingError(
            f"{meta.path}: imroTbl describes {len(positions)} saved sites, but the file has "
            f"{meta.num_ap_rows} rows of the spike band: {_GIVE_PROBE}"
        )
    shanks = [""] * len(positions) if found.shank_ids is None else [str(shank) for shank in found.shank_ids]
    return positions, shanks
