"""What the shared run looks like to the tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from hybrid_world import World
from numpy.typing import NDArray

from hybridfactory import GenerateResult


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run of the world, with what it wrote."""

    world: World
    result: GenerateResult
    hybrid: NDArray[np.int16]

    @property
    def folder(self) -> Path:
        return self.result.output_directory

    @property
    def difference(self) -> NDArray[np.int32]:
        return self.hybrid.astype(np.int32) - self.world.source

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / f"{name}-e2e.csv")
