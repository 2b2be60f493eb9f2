"""Flat hybrid files described for SpikeInterface: probe, gains, and what it must know to open them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory.probes import Probe

__all__ = ["attach_probe", "open_flat_hybrid", "write_description"]


def open_flat_hybrid(
    paths: Sequence[Path], sampling_frequency: float, dtype: str, num_rows: int, rows: NDArray[np.int64]
) -> Any:
    """Open flat files as a SpikeInterface recording of some of their rows, one segment per file."""
    from spikeinterface.core import BinaryRecordingExtractor  # noqa: PLC0415

    whole = BinaryRecordingExtractor(
        file_paths=list(paths), sampling_frequency=sampling_frequency, dtype=dtype, num_channels=num_rows
    )
    return whole.select_channels([int(row) for row in rows])


def attach_probe(
    recording: Any, probe: Probe, gains: NDArray[np.float64] | None, offsets: NDArray[np.float64] | None
) -> Any:
    """Attach probe and gains to a recording whose channels are the connected rows, in the probe's order.

    Parameters
    ----------
    recording : spikeinterface.BaseRecording
    probe : Probe
    gains, offsets : numpy.ndarray of float64, shape (num_connected,), or None
        µV per count, and µV at a count of 0 (0 where it is not known).
    """
    if gains is not None:
        recording.set_channel_gains(gains)
        recording.set_channel_offsets(np.zeros(gains.size) if offsets is None else offsets)
    contacts = probe.to_probeinterface()
    contacts.set_device_channel_indices(np.arange(probe.connected_rows.size))
    attached = recording.set_probe(contacts)
    # SpikeInterface attaches in place since 0.105, and to a copy before.
    return recording if attached is None else attached


def write_description(path: Path, recording: Any) -> None:
    """Write a .json that SpikeInterface loads; it names the flat files by their place beside it.

    ``spikeinterface.load(path, base_folder=True)`` opens it.

    Parameters
    ----------
    path : pathlib.Path
    recording : spikeinterface.BaseRecording
        Of flat files in the same folder.
    """
    recording.dump_to_json(path, relative_to=path.parent)
