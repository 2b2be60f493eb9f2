"""What every sorter-output reader hands on: spikes on one timeline, with labels, in one shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import SortingError

__all__ = ["Sorting"]


@dataclass(frozen=True, eq=False)
class Sorting:
    """A spike sorter's result.

    Parameters
    ----------
    spike_times : numpy.ndarray of int64, shape (num_spikes,)
        Sample indices on the sorting's timeline, 0-based, ascending.
    spike_labels : numpy.ndarray of int64, shape (num_spikes,)
        Unit labels. The first possible label is `label_base`; smaller values mark spikes that belong to no
        unit (noise, deleted, unassigned).
    label_base : int
        1: labels as the documented parameter files use them. 0: the ids that phy shows.
    source_format : str
        ``"phy"``, ``"kilosort"``, ``"jrc"`` or ``"spikeinterface"``.
    spike_templates : numpy.ndarray of int64, shape (num_spikes,), optional
        Index of the template each spike was found with, as the file gives it (0-based).
    spike_channel_index : numpy.ndarray of int64, shape (num_spikes,), optional
        JRCLUST only: 0-based index of the site each spike is assigned to.
    unit_main_rows : mapping of int to int
        Label → raw-file row on which the unit is largest, where the sorting knows it.
    sampling_frequency : float, optional
        Hz, where the sorting states it.
    num_rows : int, optional
        Rows of the raw file, where the sorting states it of the raw file itself.
    warnings : tuple of str
        What the user should know about how the file was read.
    spike_segments : numpy.ndarray of int64, shape (num_spikes,), optional
        SpikeInterface only: segment of each spike, whose time counts from that segment's start. None: times
        lie on one timeline.
    num_segments : int
    """

    spike_times: NDArray[np.int64]
    spike_labels: NDArray[np.int64]
    label_base: int
    source_format: str
    spike_templates: NDArray[np.int64] | None = None
    spike_channel_index: NDArray[np.int64] | None = None
    unit_main_rows: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    sampling_frequency: float | None = None
    num_rows: int | None = None
    warnings: tuple[str, ...] = ()
    spike_segments: NDArray[np.int64] | None = None
    num_segments: int = 1

    def on_timeline(self, starts: Sequence[int]) -> "Sorting":
        """Put segments where a recording's files lie; a sorting on one timeline stays as it is.

        Parameters
        ----------
        starts : sequence of int
            Timeline sample of each file's first sample.

        Raises
        ------
        SortingError
            If there are other numbers of segments and files.
        """
        if self.spike_segments is None:
            return self
        if len(starts) != self.num_segments:
            raise SortingError(
                f"the sorting has {self.num_segments} segments, but the recording {len(starts)}: give the sorting of "
                "this recording"
            )
        times = self.spike_times + np.asarray(starts, dtype=np.int64)[self.spike_segments]
        order = np.argsort(times, kind="stable")
        return replace(
            self, spike_times=times[order], spike_labels=self.spike_labels[order], spike_segments=None, num_segments=1
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the units that have spikes, ascending."""
        found: NDArray[np.int64] = np.unique(self.spike_labels)
        units: NDArray[np.int64] = found[found >= self.label_base]
        return units

    def spike_train(self, label: int) -> NDArray[np.int64]:
        """Spike times of one unit, in samples, ascending; empty for a label without spikes."""
        train: NDArray[np.int64] = self.spike_times[self.spike_labels == label]
        return train
