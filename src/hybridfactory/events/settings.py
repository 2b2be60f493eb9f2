"""What a caller has to say before events are modelled: the sites, and how."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ModelSettings", "Sites"]

LOOKED_AT_S = 3.1e-3


@dataclass(frozen=True, eq=False)
class Sites:
    """The connected sites of the probe.

    Parameters
    ----------
    rows : numpy.ndarray of int64, shape (num_sites,)
    positions_um : numpy.ndarray of float64, shape (num_sites, 2)
    shanks : numpy.ndarray of int64, shape (num_sites,)
    """

    rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    shanks: NDArray[np.int64]


@dataclass(frozen=True)
class ModelSettings:
    """How events are modelled; see the parameters of the same names."""

    samples_before: int
    samples_after: int
    max_rank: int | None
    construction: str
    seed: int
    label_base: int = 1

    def fade_samples(self, sampling_frequency: float) -> int:
        """Samples at an event's end over which it fades out: all that a sorter hardly looks at, and at least 2.

        A spike that outlasts its window would end in a step, which a high-pass turns into a spike of its own. Within
        the time that sorters look at, nothing is taken off: there a fade is seen more easily than a step.
        """
        return max(self.samples_after - math.ceil(LOOKED_AT_S * sampling_frequency), 2)
