"""probeinterface's view of a probe (contacts wired to rows) turned into ours (every row of the file)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import ProbeError

__all__ = ["Contacts", "read_contacts"]

MOST_ROWS = 2**20
_UM_PER_UNIT = {"um": 1.0, "mm": 1e3, "m": 1e6}


@dataclass(frozen=True)
class Contacts:
    """The parts of a probe, one entry per row of the raw file: wired contacts first, then the other rows."""

    rows: NDArray[np.int64]
    connected: NDArray[np.bool_]
    positions: NDArray[np.float64]
    name: str
    shank_ids: tuple[str, ...] | None


def read_contacts(probe: Any, num_rows: int | None) -> Contacts:
    """Read the parts of a probeinterface probe or group, as ``Probe.from_probeinterface`` documents."""
    members: Sequence[Any] = probe.probes if hasattr(probe, "probes") else [probe]
    if not members:
        raise ProbeError("the probe group holds no probe")
    wired = [_wired_contacts(member) for member in members]
    rows = np.concatenate([part[0] for part in wired])
    positions = np.concatenate([part[1] for part in wired])
    if len(members) == 1:
        shanks = wired[0][2]
    else:
        shanks = [f"{number}:{shank}" for number, part in enumerate(wired) for shank in part[2]]
    if not rows.size:
        raise ProbeError(
            "no contact of the probeinterface probe is wired to a row of the raw file: set its "
            "device_channel_indices (contact k is stored in row device_channel_indices[k], 0-based)"
        )
    total = int(rows.max()) + 1 if num_rows is None else num_rows
    if total > MOST_ROWS:
        raise ProbeError(
            f"the probeinterface probe would need {total} rows, more than any raw file has: correct "
            "device_channel_indices, and raw_source_rows if it is set"
        )
    if rows.max() >= total:
        raise ProbeError(
            f"the probeinterface probe names row {rows.max()}, but the raw file has {total} rows "
            f"(0 to {total - 1}): correct device_channel_indices"
        )
    others = np.setdiff1d(np.arange(total), rows)
    return Contacts(
        rows=np.concatenate([rows, others]),
        connected=np.arange(rows.size + others.size) < rows.size,
        positions=np.concatenate([positions, np.full((others.size, 2), np.nan)]),
        name=_name_of(members),
        shank_ids=(*shanks, *[""] * others.size) if len(set(shanks)) > 1 else None,
    )


def _wired_contacts(member: Any) -> tuple[NDArray[np.int64], NDArray[np.float64], list[str]]:
    if member.ndim != 2:
        raise ProbeError("the probeinterface probe is three-dimensional: give a planar one, as its to_2d() makes it")
    if member.si_units not in _UM_PER_UNIT:
        raise ProbeError(
            f"the probeinterface probe is in {str(member.si_units)[:20]!r}: give its si_units as one of "
            f"{', '.join(_UM_PER_UNIT)}"
        )
    positions = np.asarray(member.contact_positions, dtype=np.float64) * _UM_PER_UNIT[member.si_units]
    shanks = [""] * len(positions) if member.shank_ids is None else [str(shank) for shank in member.shank_ids]
    indices = member.device_channel_indices
    rows = np.full(len(positions), -1) if indices is None else np.asarray(indices, dtype=np.int64)
    wired = np.flatnonzero(rows >= 0)
    return rows[wired], positions[wired], [shanks[contact] for contact in wired]


def _name_of(members: Sequence[Any]) -> str:
    names = []
    for member in members:
        known = [member.name, member.annotations.get("model_name"), member.annotations.get("name")]
        names.append(str(next((name for name in known if name), "probeinterface probe")))
    return " + ".join(names)
