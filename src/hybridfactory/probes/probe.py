"""The probe: which row of the raw file is which recording site, and where that site lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import ProbeError
from hybridfactory.probes.arrays import (
    one_line,
    read_flags,
    read_positions,
    read_rows,
    read_shank_ids,
    some,
)
from hybridfactory.probes.wiring import read_contacts

__all__ = ["Probe"]


@dataclass(frozen=True, eq=False)
class Probe:
    """Recording sites and the raw-file rows they are stored in.

    Lists are accepted wherever arrays are; the arrays of a probe are copies and read-only.

    Parameters
    ----------
    channel_map : numpy.ndarray of int64, shape (num_channels,)
        Entry k is the raw-file row of channel k, 0-based.
    connected : numpy.ndarray of bool, shape (num_channels,)
        Whether channel k records and was sorted. False for references, dead sites and the sync row; 0 and 1
        are accepted.
    channel_positions : numpy.ndarray of float64, shape (num_channels, 2)
        x and y of channel k, µm. NaN where channel k is not connected and has no place.
    name : str
        For people only.
    shank_ids : tuple of str, length num_channels, optional
        The shank of channel k; without it, all sites lie on one shank.

    Raises
    ------
    ProbeError
        If the parts do not fit each other, a row is named twice or is negative, a connected channel has no
        position, or no channel is connected.
    """

    channel_map: NDArray[np.int64]
    connected: NDArray[np.bool_]
    channel_positions: NDArray[np.float64]
    name: str = "Custom"
    shank_ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        channel_map = read_rows(self.channel_map)
        connected = read_flags(self.connected, channel_map.size)
        positions = read_positions(self.channel_positions, channel_map.size)
        if not connected.any():
            raise ProbeError("connected is False for every channel: mark the rows that were sorted as True")
        placeless = channel_map[connected & np.isnan(positions).any(axis=1)]
        if placeless.size:
            raise ProbeError(
                f"channel_positions is NaN for connected row(s) {some(placeless)}: "
                "give them a position, or set connected to False for them"
            )
        if not isinstance(self.name, str):
            raise ProbeError(f"name must be text, got {self.name!r}")
        for part in (channel_map, connected, positions):
            part.setflags(write=False)
        object.__setattr__(self, "channel_map", channel_map)
        object.__setattr__(self, "connected", connected)
        object.__setattr__(self, "channel_positions", positions)
        object.__setattr__(self, "name", str(self.name))
        object.__setattr__(self, "shank_ids", read_shank_ids(self.shank_ids, channel_map.size))

    def __eq__(self, other: object) -> bool:
        """Whether every part is equal, NaN positions counting as equal to each other."""
        if not isinstance(other, Probe):
            return NotImplemented
        return (
            self.name == other.name
            and self.shank_ids == other.shank_ids
            and np.array_equal(self.channel_map, other.channel_map)
            and np.array_equal(self.connected, other.connected)
            and np.array_equal(self.channel_positions, other.channel_positions, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.shank_ids, self.channel_map.tobytes(), self.connected.tobytes()))

    def __repr__(self) -> str:
        return f"<Probe {self.name!r}: {self.connected.sum()} of {self.num_channels} channels connected>"

    @property
    def num_channels(self) -> int:
        """Channels listed, connected or not."""
        return int(self.channel_map.size)

    @property
    def connected_rows(self) -> NDArray[np.int64]:
        """Raw-file rows of the connected channels, in channel order; shape (num_connected,)."""
        return self.channel_map[self.connected]

    @property
    def connected_positions(self) -> NDArray[np.float64]:
        """Positions of the connected channels, in channel order, µm; shape (num_connected, 2)."""
        return self.channel_positions[self.connected]

    @property
    def connected_shanks(self) -> NDArray[np.str_]:
        """Shank of each connected channel; all empty where the probe names no shanks."""
        shanks = self.shank_ids or ("",) * self.num_channels
        return np.array(shanks, dtype=np.str_)[self.connected]

    def to_probeinterface(self) -> Any:
        """Give the connected channels as a probeinterface probe.

        Returns
        -------
        probeinterface.Probe
            One contact per connected channel, in channel order; ``device_channel_indices`` are raw-file rows.

        Raises
        ------
        ProbeError
            If probeinterface refuses the geometry, as it does two contacts in one place.
        """
        import probeinterface  # noqa: PLC0415

        probe = probeinterface.Probe(ndim=2, si_units="um", name=self.name)
        shanks = None if self.shank_ids is None else self.connected_shanks
        try:
            probe.set_contacts(positions=self.connected_positions, shank_ids=shanks)
            probe.set_device_channel_indices(self.connected_rows)
            probe.set_contact_ids(self.connected_rows.astype(np.str_))
        except ValueError as error:
            raise ProbeError(f"probe {self.name!r} cannot be given to probeinterface: {one_line(error)}") from error
        return probe

    @classmethod
    def from_probeinterface(cls, probe: Any, num_rows: int | None = None) -> "Probe":
        """Take over a probeinterface probe or probe group.

        Parameters
        ----------
        probe : probeinterface.Probe or probeinterface.ProbeGroup
            Two-dimensional. ``device_channel_indices`` are raw-file rows; contacts without one, or with -1,
            are not recorded and are left out.
        num_rows : int, optional
            Rows of the raw file. Rows that no contact names are appended, unconnected and without a
            position, up to this number, or up to the highest row named.

        Returns
        -------
        Probe
            Wired contacts in their order, then the other rows ascending. The shanks of a group of several
            probes carry the probe's number, so that they stay apart.

        Raises
        ------
        ProbeError
            If the probe is three-dimensional, no contact is wired to a row, a row is named twice, or a row
            lies beyond `num_rows`.
        """
        contacts = read_contacts(probe, num_rows)
        return cls(contacts.rows, contacts.connected, contacts.positions, contacts.name, contacts.shank_ids)
