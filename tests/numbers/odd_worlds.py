"""A recording of any numbers, its sorting, and what a run's script says was added to it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hybrid_world import WorldFolder
from numpy.typing import NDArray

from hybridfactory import GenerateResult
from hybridfactory.injection.script import load_script
from hybridfactory.probes import Probe, custom_probe

PITCH_UM = 20.0


def linear_probe(num_rows: int) -> Probe:
    positions = [[0.0, PITCH_UM * row] for row in range(num_rows)]
    return custom_probe(range(num_rows), [True] * num_rows, positions, "tiny")


@dataclass(frozen=True, eq=False)
class OddWorld(WorldFolder):
    """One of these recordings."""

    num_rows: int
    dtype: np.dtype[Any]
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> NDArray[Any]:
        return np.fromfile(self.raw, self.dtype).reshape(-1, self.num_rows)

    def parameters(self, output: Path, **changes: object) -> dict[str, Any]:
        own: dict[str, Any] = {
            "data_type": self.dtype,
            "ground_truth_units": [1, 2],
            "probe": linear_probe(self.num_rows),
            "session_name": "odd",
        }
        return super().parameters(output, **(own | self.changes | changes))

    def hybrid(self, result: GenerateResult) -> NDArray[Any]:
        return np.fromfile(result.recording_paths[0], self.dtype).reshape(-1, self.num_rows)


def planned(result: GenerateResult, num_samples: int, num_rows: int, start: int = 0) -> NDArray[np.float32]:
    """What the run's script adds to samples [start, start + num_samples), from its documented fields alone."""
    [path] = [path for path in result.truth_paths if path.name.startswith("injection-")]
    script = load_script(path)
    patch = np.zeros((num_samples, num_rows), np.float32)
    before, after = script.window
    width = before + 1 + after
    for event, sample in enumerate(script.samples):
        unit = script.units[event]
        count, columns = script.num_waveforms[unit], script.num_columns[unit]
        waveforms = script.waveforms[script.waveform_starts[unit] :][: count * width * columns]
        waveforms = waveforms.reshape(count, width, columns)
        weights = script.weights[script.weight_starts[event] :][:count]
        total = weights[0] * waveforms[0]
        for weight, waveform in zip(weights[1:], waveforms[1:], strict=True):
            total += weight * waveform
        taps = script.filters.reshape(9, -1)[script.phases[event]]
        values = np.zeros_like(total)
        for tap, move in zip(taps, range(-(taps.size // 2), taps.size // 2 + 1), strict=True):
            begin, end = max(0, -move), min(width, width - move)
            values[begin:end] += tap * total[begin + move : end + move]
        rows = script.rows[script.row_starts[unit] :][:columns]
        first = int(sample) - int(before) - start
        inside = slice(max(0, -first), min(width, num_samples - first))
        if inside.start < inside.stop:
            patch[first + inside.start : first + inside.stop, rows] += values[inside]
    return patch


def clipped_per_event(result: GenerateResult, is_clipped: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each event in the script's order, how many of its samples are clipped ones."""
    [path] = [path for path in result.truth_paths if path.name.startswith("injection-")]
    script = load_script(path)
    counts = []
    for sample, unit in zip(script.samples, script.units, strict=True):
        rows = script.rows[script.row_starts[unit] :][: script.num_columns[unit]]
        window = is_clipped[sample - script.samples_before : sample + script.samples_after + 1, rows]
        counts.append(int(window.sum()))
    return np.array(counts)
