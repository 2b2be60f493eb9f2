"""A recording of a second in two files, with two units: a run on it takes a fraction of a second."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 20_000.0
NUM_ROWS = 10
CUT = 9_000
NUM_SAMPLES = 20_000
WINDOW = np.arange(-40, 41)
PITCH_UM = 20.0

# Row, peak in counts, and width in samples of each unit.
UNITS = {1: (3, -300.0, 4.0), 2: (6, -260.0, 5.0)}


@dataclass(frozen=True, eq=False)
class TinyWorld:
    """The files in a folder of their own."""

    folder: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """All that a run reads and may never write."""
        inputs = (*self.folder.glob("t*.*"), *(self.folder / "sorted").iterdir())
        return tuple(sorted(inputs))

    @property
    def raw(self) -> tuple[Path, Path]:
        return self.folder / "t1.bin", self.folder / "t2.bin"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def write_params(self, name: str, **changes: object) -> Path:
        """Write a parameter file; its values as they stand in TOML."""
        given: dict[str, Any] = {
            "data_directory": "'sorted'",
            "raw_source_file": "'t*.bin'",
            "data_type": "'int16'",
            "sample_rate": RATE,
            "ground_truth_units": "[1, 2]",
            "start_time": f"[0, {CUT}]",
            "session_name": f"'{name}'",
            "random_seed": 7,
            "output_directory": "'out'",
            "samples_before": 40,
            "samples_after": 40,
        } | changes
        lines = [f"{key} = {value}" for key, value in given.items()]
        lines += ["[probe]", f"channel_map = {list(range(NUM_ROWS))}", f"connected = {[1] * NUM_ROWS}"]
        lines += [f"channel_positions = {[[0.0, PITCH_UM * row] for row in range(NUM_ROWS)]}", "name = 'tiny'"]
        path = self.folder / f"{name}.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def waveform(width: float) -> NDArray[np.float64]:
    times = WINDOW.astype(float)
    late = np.exp(-(((times - 3 * width) / (1.6 * width)) ** 2))
    return np.exp(-((times / width) ** 2)) - 0.3 * late


def make_traces(
    num_samples: int = NUM_SAMPLES, num_rows: int = NUM_ROWS, seed: int = 0
) -> tuple[NDArray[np.float64], dict[int, NDArray[np.int64]]]:
    """Noise with spikes, in counts, and each unit's spike times."""
    rng = np.random.default_rng(seed)
    traces = rng.normal(0, 9, (num_samples, num_rows))
    trains = {}
    for label, (row, peak, width) in UNITS.items():
        train = np.cumsum(rng.integers(150, 450, num_samples // 250))
        train = train[(train > 100) & (train < num_samples - 100)]
        sites = np.exp(-np.abs(np.arange(num_rows) - row) * PITCH_UM / 24)
        sites[sites < 0.1] = 0
        for sample in train:
            traces[sample + WINDOW] += peak * rng.normal(1, 0.12) * waveform(width)[:, None] * sites
        trains[label] = train
    return traces, trains


def write_phy(folder: Path, trains: dict[int, NDArray[np.int64]]) -> None:
    """Write the trains as phy does; labels there count from 0."""
    folder.mkdir(parents=True)
    times = np.concatenate(list(trains.values()))
    labels = np.repeat(list(trains), [train.size for train in trains.values()]).astype(np.int32) - 1
    order = np.argsort(times, kind="stable")
    np.save(folder / "spike_times.npy", times[order])
    np.save(folder / "spike_clusters.npy", labels[order])
    np.save(folder / "spike_templates.npy", labels[order])


def make_tiny_world(folder: Path) -> TinyWorld:
    traces, trains = make_traces()
    samples = np.rint(traces).astype("<i2")
    folder.mkdir(parents=True, exist_ok=True)
    for name, start, piece in (("t1", 0, samples[:CUT]), ("t2", CUT, samples[CUT:])):
        piece.tofile(folder / f"{name}.bin")
        (folder / f"{name}.meta").write_text(
            f"nSavedChans={NUM_ROWS}\nimSampRate={RATE:.0f}\nfirstSample={start}\nfileSizeBytes={piece.nbytes}\n"
            f"snsApLfSy={NUM_ROWS},0,0\ntypeThis=imec\n"
        )
    write_phy(folder / "sorted", trains)
    return TinyWorld(folder)
