"""Probes by name, and a probe from arrays: the functions that parameter files call."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridfactory.probes.probe import Probe

__all__ = [
    "NEUROPIXELS_3A_REFERENCE_ROWS",
    "custom_probe",
    "eMouse",
    "neuropixels3a",
    "neuropixels3a_positions",
]

NEUROPIXELS_3A_REFERENCE_ROWS = (36, 75, 112, 151, 188, 227, 264, 303, 340, 379)


def custom_probe(
    channel_map: ArrayLike,
    connected: ArrayLike,
    channel_positions: ArrayLike,
    name: str = "Custom",
    *,
    shank_ids: Sequence[str] | None = None,
) -> Probe:
    """Describe a probe by arrays, as parameter files do.

    Parameters
    ----------
    channel_map : array_like of int, shape (num_channels,)
        Raw-file row of each channel, 0-based.
    connected : array_like of bool, shape (num_channels,)
        Whether each channel was sorted.
    channel_positions : array_like of float, shape (num_channels, 2)
        x and y of each channel, µm; NaN allowed where not connected.
    name : str
    shank_ids : sequence of str, optional
        Shank of each channel.

    Returns
    -------
    Probe

    Raises
    ------
    ProbeError
        As :class:`Probe` does.
    """
    return Probe(
        cast("NDArray[np.int64]", channel_map),
        cast("NDArray[np.bool_]", connected),
        cast("NDArray[np.float64]", channel_positions),
        name,
        cast("tuple[str, ...] | None", shank_ids),
    )


def neuropixels3a(sync_channel: bool = True) -> Probe:
    """Neuropixels Phase 3A with its standard reference channels.

    Parameters
    ----------
    sync_channel : bool
        Whether the raw file holds the sync row (385 rows) or not (384).

    Returns
    -------
    Probe
        Reference channels and the sync row are unconnected; the sync row has no position.
    """
    num_rows = 385 if sync_channel else 384
    rows = np.arange(num_rows)
    positions = np.full((num_rows, 2), np.nan)
    positions[:384] = neuropixels3a_positions(rows[:384])
    connected = (rows < 384) & ~np.isin(rows, NEUROPIXELS_3A_REFERENCE_ROWS)
    return Probe(rows, connected, positions, "Neuropixels Phase 3A")


def neuropixels3a_positions(electrodes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Place the electrodes of a Phase 3A shank: two per line of 20 µm, in a checkerboard of four columns.

    Parameters
    ----------
    electrodes : numpy.ndarray of int64, shape (n,)
        Counted from the tip, 0-based.

    Returns
    -------
    numpy.ndarray of float64, shape (n, 2)
        µm.
    """
    columns_um = np.array([43.0, 11.0, 59.0, 27.0])
    return np.column_stack([columns_um[electrodes % 4], 20.0 * (electrodes // 2 + 1)])


def eMouse() -> Probe:
    """Kilosort's 34-row probe of the simulated eMouse recording.

    Returns
    -------
    Probe
        32 connected sites in two columns 20 µm apart; rows 32 and 33 are unconnected.
    """
    rows = [32, 33, *range(7, 32, 2), *range(6, 31, 2), *range(6)]
    left, right = 0, 1
    # Most lines hold a site in both columns; 7, 8, 16 and 24 hold one.
    sites = [(right, 7), (left, 8)]
    sites += [(column, line) for line in range(9, 16) for column in (left, right)]
    sites += [(right, 16)]
    sites += [(column, line) for line in range(17, 24) for column in (left, right)]
    sites += [(left, 24)]
    positions = np.full((34, 2), np.nan)
    positions[2:] = 20.0 * np.array(sites)
    return Probe(np.array(rows), np.array(rows) < 32, positions, "eMouse")
