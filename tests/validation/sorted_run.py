"""A finished run, and what a perfect sorter would find in its hybrid."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hybridfactory

compare = partial(hybridfactory.validate, report=False)
"""Without figures, which take seconds."""


@dataclass(frozen=True, eq=False)
class Sorted:
    """A run, and what a perfect sorter would find in its hybrid.

    Parameters
    ----------
    run : hybridfactory.HybridRun
    world : World
    trains : dict of int to numpy.ndarray
        Native units by their 1-based label, injected ones by theirs.
    """

    run: hybridfactory.HybridRun
    world: Any
    trains: dict[int, NDArray[np.int64]]

    @property
    def folder(self) -> Path:
        return self.run.output_directory

    @property
    def injected(self) -> list[int]:
        return sorted(int(label) for label in self.run.artificial_units["new_unit"].unique())


def sorted_run(world: Any, output: Path, **changes: object) -> Sorted:
    result = world.run(output, **({"ground_truth_units": [1, 2, 3, 4, 5]} | changes))
    run = hybridfactory.load(result.output_directory)
    events = run.artificial_units
    injected = {int(label): part["timestep"].to_numpy() for label, part in events.groupby("new_unit")}
    return Sorted(run, world, dict(world.stated) | injected)
