"""The synthetic world in formats that SpikeInterface opens: its own, and small files written by hand."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from hybrid_world import NUM_ROWS, RATE, World
from numpy.typing import NDArray
from spikeinterface.core import BinaryRecordingExtractor

GAIN_UV = 0.195
BLACKROCK_RATE = 30_000.0


def spikeinterface_recording(world: World, *, with_probe: bool = True) -> Any:
    """The raw file as SpikeInterface opens it, with gains; with the probe, only connected channels are wired."""
    recording = BinaryRecordingExtractor(
        [world.raw], sampling_frequency=RATE, dtype="<i2", num_channels=NUM_ROWS, gain_to_uV=GAIN_UV, offset_to_uV=0
    )
    if not with_probe:
        return recording
    rows = world.probe.connected_rows
    recording = recording.select_channels([int(row) for row in rows])
    contacts = world.probe.to_probeinterface()
    contacts.set_device_channel_indices(np.arange(rows.size))
    attached = recording.set_probe(contacts)
    return recording if attached is None else attached


def save(recording: Any, folder: Path, file_format: str = "binary") -> Path:
    recording.save(folder=folder, format=file_format, n_jobs=1, progress_bar=False, verbose=False)
    return folder


def write_open_ephys(folder: Path, parts: list[NDArray[np.int16]], *, streams: tuple[str, ...] = ("A",)) -> Path:
    """A recording of Open Ephys in its binary format: one folder per segment, one per stream in it."""
    for number, traces in enumerate(parts, start=1):
        place = folder / "Record Node 101" / "experiment1" / f"recording{number}"
        for stream in streams:
            inside = place / "continuous" / f"Rhythm-100.{stream}"
            inside.mkdir(parents=True)
            traces.tofile(inside / "continuous.dat")
            np.save(inside / "sample_numbers.npy", np.arange(len(traces), dtype=np.int64))
            np.save(inside / "timestamps.npy", np.arange(len(traces)) / RATE)
        described = [
            {
                "folder_name": f"Rhythm-100.{stream}/",
                "sample_rate": RATE,
                "source_processor_name": "Rhythm",
                "source_processor_id": 100,
                "stream_name": stream,
                "recorded_processor": "Record Node",
                "recorded_processor_id": 101,
                "num_channels": traces.shape[1],
                "channels": [
                    {
                        "channel_name": f"CH{row + 1}",
                        "description": "",
                        "identifier": "",
                        "history": "",
                        "bit_volts": GAIN_UV,
                        "units": "uV",
                        "source_processor_index": row,
                        "recorded_processor_index": row,
                    }
                    for row in range(traces.shape[1])
                ],
            }
            for stream in streams
        ]
        content = {"GUI version": "0.6.4", "continuous": described, "events": [], "spikes": []}
        (place / "structure.oebin").write_text(json.dumps(content))
    (folder / "Record Node 101" / "settings.xml").write_text("<SETTINGS></SETTINGS>")
    return folder


def write_blackrock(path: Path, traces: NDArray[np.int16]) -> Path:
    """A Blackrock .ns6 of version 2.2 and 30 kHz: basic header, one extended header per channel, one packet."""
    count = traces.shape[1]
    size = 314 + 66 * count
    basic = struct.pack(
        "<8sBBI16s256sII8HI",
        *(b"NEURALCD", 2, 2, size, b"30 kS/s", b"", 1, 30_000),
        *(2026, 1, 4, 1, 12, 0, 0, 0),
        count,
    )
    channels = [
        struct.pack(
            "<2sH16sBBhhhh16sIIHIIH",
            *(b"CC", row + 1, f"chan{row + 1}".encode(), 1, row % 32, -32764, 32764, -8191, 8191, b"uV"),
            *(300, 1, 1, 7500000, 3, 1),
        )
        for row in range(count)
    ]
    packet = struct.pack("<BII", 1, 0, len(traces))
    path.write_bytes(basic + b"".join(channels) + packet + traces.astype("<i2").tobytes())
    return path
