"""Run by the tool of 2018 in its own environment: events it would add for one unit. Called by realism.py only.

    python realism_original.py RECORDING FREQUENCY POSITIONS.npy SPIKES.npy SEED EVENTS.npy

It goes the way of that tool's `generate` with its default parameters: which rows the unit is on, six singular
values of the differences (SVDGenerator.construct_events), the triangular envelope (scale_events at scale 1), the
cast to the recording's data type. The channel shift and the jitter of times are left out: its events stay on the
unit's own rows, at times that the benchmark chooses, as everybody's do.
"""

import sys

import numpy as np
import pandas as pd
from hybridfactory.generate.generator import SVDGenerator

from hybridfactory.data.dataset import AnnotatedDataSet, HybridDataSet
from hybridfactory.probes import custom_probe

BEFORE = AFTER = 40
NUM_SINGULAR_VALUES = 6
UNIT = 1


def main() -> None:
    path, frequency, positions_path, spikes_path, seed, events_path = sys.argv[1:]
    positions, spikes = np.load(positions_path), np.load(spikes_path)
    np.random.seed(int(seed))  # noqa: NPY002 - the tool draws from the global generator
    rows = np.arange(len(positions))
    probe = custom_probe(rows, np.ones(rows.size, dtype=bool), positions)
    table = pd.DataFrame({"timestep": spikes, "cluster": UNIT, "template": 0})
    source = AnnotatedDataSet(path, np.int16, int(float(frequency)), probe, [0], table)
    target = HybridDataSet(source, [path])
    target.open_raw("r")
    generator = SVDGenerator(target, samples_before=BEFORE, samples_after=AFTER)
    found = target.unit_channels(unit=UNIT, samples_before=BEFORE, samples_after=AFTER)
    events = generator.construct_events(unit=UNIT, num_singular_values=NUM_SINGULAR_VALUES)
    scaled = generator.scale_events(events=events, scale_min=1.0, scale_max=1.0)
    whole = np.zeros((spikes.size, BEFORE + 1 + AFTER, rows.size), dtype=np.int16)
    whole[:, :, found] = scaled.astype(np.int16).transpose(2, 1, 0)
    np.save(events_path, whole)


if __name__ == "__main__":
    main()
