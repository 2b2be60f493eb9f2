"""One axis for all spikes: the files of a recording end to end, so far apart that nothing matches across."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Timeline"]

SECONDS_APART = 2.0


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where each file lies: on the run's timeline, in the concatenated recording, and on the axis of *places*.

    A place is a sample on an axis on which the files follow each other with two seconds between them. Spikes of
    different files never come near each other there, as with one segment per file, and one sorted array will do.

    Parameters
    ----------
    starts : numpy.ndarray of int64, shape (num_files,)
        First sample of each file on the run's timeline, ascending.
    lengths : numpy.ndarray of int64, shape (num_files,)
        Samples.
    sampling_frequency : float
        Hz.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    sampling_frequency: float

    @cached_property
    def concatenated(self) -> NDArray[np.int64]:
        """First sample of each file in the concatenated recording."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Place of each file's first sample."""
        apart = round(SECONDS_APART * self.sampling_frequency)
        return self.concatenated + apart * np.arange(self.lengths.size)

    @property
    def num_samples(self) -> int:
        """Samples of all files together."""
        return int(self.lengths.sum())

    @property
    def duration_s(self) -> float:
        """Length of all files together."""
        return self.num_samples / self.sampling_frequency

    @property
    def is_concatenated(self) -> bool:
        """Whether the run's timeline and the concatenated recording count alike."""
        return bool(np.array_equal(self.starts, self.concatenated))

    def place(self, samples: NDArray[np.int64], starts: NDArray[np.int64], slack: int) -> NDArray[np.int64]:
        """Places of samples on a timeline on which the files begin at `starts`; -1 outside every file.

        Up to `slack` samples beyond a file's end still belong to it.
        """
        index = np.maximum(np.searchsorted(starts, samples, side="right") - 1, 0)
        within = samples - starts[index]
        inside = (within >= 0) & (within < self.lengths[index] + slack)
        return np.where(inside, within + self.offsets[index], -1)

    def file_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """File of each place, the nearest one for places beside them."""
        half = round(SECONDS_APART * self.sampling_frequency / 2)
        index: NDArray[np.int64] = np.maximum(np.searchsorted(self.offsets, places + half, side="right") - 1, 0)
        return index

    def to_run(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples on the run's timeline."""
        index = self.file_of(places)
        return np.asarray(places - self.offsets[index] + self.starts[index])

    def to_seconds(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Time in the concatenated recording."""
        index = self.file_of(places)
        return np.asarray((places - self.offsets[index] + self.concatenated[index]) / self.sampling_frequency)

    def edge_distance(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples to the nearer end of the file."""
        index = self.file_of(places)
        within = places - self.offsets[index]
        return np.asarray(np.minimum(within, self.lengths[index] - 1 - within))
