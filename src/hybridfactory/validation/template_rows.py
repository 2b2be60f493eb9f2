"""Stored templates on the run's probe: which channel is which row, and what a template is at another place."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hybridfactory.errors import SortingError
from hybridfactory.plan.placement import ProbeSites, valid_moves
from hybridfactory.probes import Probe
from hybridfactory.sorting import StoredTemplates

__all__ = ["moved_template", "on_probe"]

TOLERANCE_UM = 1.0
MIN_SHARE_OF_PEAK = 0.05


def on_probe(templates: StoredTemplates, probe: Probe) -> NDArray[np.float32]:
    """Bring templates onto the connected sites of the probe, in its order.

    Channels are taken for raw rows, or for the connected sites counted from 0 (Kilosort and SpikeInterface sort
    copies that hold only those); the first reading counts that fits the positions which the sorter stored, shifts
    of all of them aside. If neither does, the positions alone decide.

    Returns
    -------
    numpy.ndarray of float32, shape (num_templates, num_samples, num_connected)

    Raises
    ------
    SortingError
        The channels are not this probe's.
    """
    sites = _sites_of_channels(templates, probe)
    waveforms = np.zeros((*templates.waveforms.shape[:2], probe.connected_rows.size), dtype=np.float32)
    waveforms[:, :, sites] = templates.waveforms
    return waveforms


def _sites_of_channels(templates: StoredTemplates, probe: Probe) -> NDArray[np.int64]:
    """Index of the connected site of each channel."""
    num_channels = templates.waveforms.shape[2]
    rows = np.arange(num_channels) if templates.rows is None else templates.rows
    for sites in _readings(rows, probe):
        if np.unique(sites).size == sites.size and _fits(sites, templates.positions_um, probe):
            return sites
    if templates.positions_um is not None and num_channels:
        apart, sites = cKDTree(probe.connected_positions).query(templates.positions_um)
        if apart.max() <= TOLERANCE_UM and np.unique(sites).size == sites.size:
            return np.asarray(sites, dtype=np.int64)
    raise SortingError(
        f"{templates.path}: its templates have {num_channels} channels that are not those of this run's probe "
        f"({probe.connected_rows.size} connected sites); give a sorting of this hybrid"
    )


def _readings(rows: NDArray[np.int64], probe: Probe) -> list[NDArray[np.int64]]:
    """Sites that channels may stand for: as raw rows, and as numbers of connected sites."""
    readings = []
    connected = {int(row): site for site, row in enumerate(probe.connected_rows)}
    if all(int(row) in connected for row in rows):
        readings.append(np.array([connected[int(row)] for row in rows], dtype=np.int64))
    if rows.size and rows.min() >= 0 and rows.max() < probe.connected_rows.size:
        readings.append(rows)
    return readings


def _fits(sites: NDArray[np.int64], positions: NDArray[np.float64] | None, probe: Probe) -> bool:
    if positions is None or not len(positions):
        return True
    difference = positions - probe.connected_positions[sites]
    return bool(np.ptp(difference, axis=0).max() <= TOLERANCE_UM)


def moved_template(
    template: NDArray[np.float32], unit: pd.Series, probe: Probe, injected_mean: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Move a donor's template to the place where its unit was injected.

    Parameters
    ----------
    template : numpy.ndarray of float32, shape (num_samples, num_connected)
        The donor's, on the connected sites.
    unit : pandas.Series
        Its line of the run's table of units.
    probe : Probe
    injected_mean : numpy.ndarray of float32, shape (num_samples_of_event, num_connected)
        Mean of the injected events. Where the move was a rotation or a reflection, it tells which one.

    Returns
    -------
    numpy.ndarray of float32, shape (num_samples, num_connected)
        Zero on sites to which no site was carried.
    """
    if unit["move"] == "translation":
        displacement = np.array([unit["displacement_x_um"], unit["displacement_y_um"]], dtype=np.float64)
        apart, source = cKDTree(probe.connected_positions).query(probe.connected_positions - displacement)
        return np.where(apart <= TOLERANCE_UM, template[:, source], np.float32(0))
    return _turned(template, unit, probe, injected_mean)


def _turned(
    template: NDArray[np.float32], unit: pd.Series, probe: Probe, injected_mean: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Of all moves that carry the donor's main site to the new centre, the one whose result fits best."""
    rows = probe.connected_rows
    height = np.abs(template).max(axis=0)
    shown = np.flatnonzero(height >= MIN_SHARE_OF_PEAK * height.max())
    _, shanks = np.unique(np.array(probe.shank_ids or [""] * probe.num_channels), return_inverse=True)
    sites = ProbeSites(probe.channel_map, probe.channel_positions, shanks.astype(np.int64), probe.connected)
    target = np.abs(injected_mean).max(axis=0)
    best, closest = np.zeros_like(template), -np.inf
    for move in valid_moves(sites, rows[shown], template[:, shown]):
        if probe.channel_map[move.center] != unit["center_channel"] or move.kind != unit["move"]:
            continue
        landed = np.searchsorted(np.sort(rows), probe.channel_map[move.channels])
        moved = np.zeros_like(template)
        moved[:, np.argsort(rows)[landed]] = template[:, shown[move.footprint]]
        likeness = float(np.abs(moved).max(axis=0) @ target)
        if likeness > closest:
            best, closest = moved, likeness
    return best
