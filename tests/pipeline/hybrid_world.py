"""A small recording of units whose waveforms are known exactly, and its sorting, written as phy does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridfactory import GenerateResult, generate
from hybridfactory.probes import Probe, eMouse

RATE = 20_000.0
NUM_ROWS = 34
NUM_SAMPLES = 200_000
WINDOW = np.arange(-40, 41)
AMPLITUDE_SPREAD = 0.12
NOISE_COUNTS = 9.0
REACH_UM = 62.0

# Entry of the eMouse probe's channel list, peak in counts, width in samples, and how late the sorter states it.
UNITS = {
    1: (9, -330, 3.6, 0),
    2: (14, -260, 4.4, 0),
    3: (19, -420, 3.2, 5),
    4: (24, -300, 5.0, 0),
    5: (28, 380, 4.0, 0),
}
DONORS = [1, 2, 3, 4, 5]
SPARSE_UNIT = 6
"""A label with a handful of spikes: nothing can be learnt of it."""


@dataclass(frozen=True, eq=False)
class WorldFolder:
    """A raw recording and its sorting, and runs on them: what synthetic worlds have in common."""

    folder: Path

    @property
    def raw(self) -> Path:
        return self.folder / "raw.bin"

    @property
    def sorting(self) -> Path:
        return self.folder / "sorted"

    def parameters(self, output: Path, **changes: object) -> dict[str, Any]:
        """Parameters of a run, with some changed or added."""
        given: dict[str, Any] = {
            "data_directory": self.sorting,
            "raw_source_file": self.raw,
            "sample_rate": RATE,
            "start_time": 0,
            "random_seed": 7,
            "output_directory": output,
            "samples_before": 40,
            "samples_after": 40,
        }
        return given | changes

    def run(self, output: Path, **changes: object) -> GenerateResult:
        return generate(self.parameters(output, **changes))


@dataclass(frozen=True, eq=False)
class World(WorldFolder):
    """The recording in a folder of its own, with everything that is true of it."""

    source: NDArray[np.int16]
    templates: dict[int, NDArray[np.float64]]
    troughs: dict[int, NDArray[np.int64]]
    stated: dict[int, NDArray[np.int64]]
    probe: Probe

    def parameters(self, output: Path, **changes: object) -> dict[str, Any]:
        """Parameters of a run that injects all donors, with some changed; None takes a parameter away."""
        own = {
            "data_type": np.int16,
            "ground_truth_units": DONORS,
            "probe": self.probe,
            "session_name": "e2e",
        }
        given = super().parameters(output, **(own | changes))
        return {name: value for name, value in given.items() if value is not None}


def read_rows(path: Path, num_rows: int = NUM_ROWS, dtype: object = "<i2") -> NDArray[Any]:
    return np.fromfile(path, dtype=dtype).reshape(-1, num_rows)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def waveform(times: NDArray[np.float64], peak: float, width: float) -> NDArray[np.float64]:
    """Value of a spike at some times, in samples since its peak."""
    return peak * (np.exp(-((times / width) ** 2)) - 0.3 * np.exp(-(((times - 3 * width) / (1.6 * width)) ** 2)))


def make_sites(probe: Probe, channel: int) -> NDArray[np.float64]:
    """How much of a unit each raw row sees."""
    distance = np.linalg.norm(probe.channel_positions - probe.channel_positions[channel], axis=1)
    share = np.where(distance < REACH_UM, np.exp(-distance / 24.0), 0.0)
    rows = np.zeros(NUM_ROWS)
    rows[probe.channel_map] = np.nan_to_num(share)
    return rows


def make_traces(
    rng: np.random.Generator, probe: Probe, num_samples: int
) -> tuple[NDArray[np.int16], dict[int, NDArray[np.float64]], dict[int, NDArray[np.int64]]]:
    """Noise and spikes; mean waveforms (81 × rows) and troughs of each unit."""
    traces = rng.standard_normal((num_samples, NUM_ROWS), dtype=np.float32) * NOISE_COUNTS
    traces += rng.standard_normal((num_samples, 1), dtype=np.float32) * 3
    traces[:, 33] = (np.arange(num_samples) // 1000 % 2) * 64  # a row like a sync channel
    templates, troughs = {}, {}
    for label, (channel, peak, width, _) in UNITS.items():
        sites = make_sites(probe, channel)
        templates[label] = waveform(WINDOW.astype(float), peak, width)[:, None] * sites
        steps = 60 + rng.exponential(1000, size=2 * num_samples // 1000)
        times = np.cumsum(steps) + 200
        times = times[times < num_samples - 200]
        if label == 1:  # spikes whose windows lie over the file's ends
            times = np.concatenate([[15.0], times, [num_samples - 12.0]])
        factors = rng.normal(1, AMPLITUDE_SPREAD, times.size)
        troughs[label] = np.rint(times).astype(np.int64)
        rows = np.flatnonzero(sites)
        for time, whole, factor in zip(times, troughs[label], factors, strict=True):
            index = whole + WINDOW
            inside = (index >= 0) & (index < num_samples)
            event = factor * waveform(index - time, peak, width)[:, None] * sites[rows]
            traces[index[inside, None], rows] += event[inside]
    return np.rint(traces).astype("<i2"), templates, troughs


def write_phy(
    folder: Path,
    spikes: dict[int, NDArray[np.int64]],
    *,
    raw: str = "../raw.bin",
    num_rows: int = NUM_ROWS,
    rate: float = RATE,
) -> None:
    """Write spike trains by 1-based label, as phy reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.concatenate(list(spikes.values()))
    labels = np.repeat(list(spikes), [train.size for train in spikes.values()])
    order = np.argsort(times, kind="stable")
    np.save(folder / "spike_times.npy", times[order].astype(np.int64))
    np.save(folder / "spike_clusters.npy", (labels[order] - 1).astype(np.int32))
    np.save(folder / "spike_templates.npy", (labels[order] - 1).astype(np.int32))
    (folder / "params.py").write_text(
        f"dat_path = r'{raw}'\nn_channels_dat = {num_rows}\ndtype = 'int16'\noffset = 0\n"
        f"sample_rate = {rate}\nhp_filtered = False\n"
    )


def make_world(folder: Path, num_samples: int = NUM_SAMPLES, seed: int = 0) -> World:
    rng = np.random.default_rng(seed)
    probe = eMouse()
    source, templates, troughs = make_traces(rng, probe, num_samples)
    stated = {label: train + UNITS[label][3] for label, train in troughs.items()}
    stated[SPARSE_UNIT] = np.sort(rng.integers(1000, num_samples - 1000, 12))
    folder.mkdir(parents=True, exist_ok=True)
    source.tofile(folder / "raw.bin")
    write_phy(folder / "sorted", stated)
    return World(folder, source, templates, troughs, stated, probe)
