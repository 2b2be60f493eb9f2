"""The mean over a unit's clean spikes, while it grows, and the waveform that it tells of."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD
from hybridfactory.events.mean import denoise_mean
from hybridfactory.events.noise import NoiseModel
from hybridfactory.events.screening import SNIPPETS_AT_ONCE
from hybridfactory.events.snippets import baseline_ramp

__all__ = ["Average"]

MIN_LASTING_ERRORS = 4.0


class Average:
    """Sums over snippets that were shifted to their troughs.

    Parameters
    ----------
    num_samples : int
        Of a snippet without padding.
    rise_deviation : numpy.ndarray of float64, shape (num_rows,)
        Standard deviation of what the background rises by within a window, by chance and in slow potentials.

    Attributes
    ----------
    count : int
        Snippets added so far.
    """

    def __init__(self, num_samples: int, rise_deviation: NDArray[np.float64]) -> None:
        self.count = 0
        self._total = np.zeros((num_samples, rise_deviation.size))
        self._rise = np.zeros(rise_deviation.size)
        self._rise_deviation = rise_deviation

    def add(self, aligned: NDArray[np.float32], rises: NDArray[np.float64], is_clean: NDArray[np.bool_]) -> None:
        """Add the clean ones of some snippets.

        Parameters
        ----------
        aligned : numpy.ndarray of float32, shape (num_snippets, num_samples, num_rows)
            Without baselines.
        rises : numpy.ndarray of float64, shape (num_snippets, num_rows)
            What each ended higher than it began, before its baseline was taken off.
        is_clean : numpy.ndarray of bool, shape (num_snippets,)
        """
        for first in range(0, len(aligned), SNIPPETS_AT_ONCE):
            some = slice(first, first + SNIPPETS_AT_ONCE)
            self._total += aligned[some][is_clean[some]].sum(axis=0)
        self._rise += rises[is_clean].sum(axis=0)
        self.count += int(np.count_nonzero(is_clean))

    @property
    def mean(self) -> NDArray[np.float32]:
        """Plain mean; shape (num_samples, num_rows)."""
        return np.asarray(self._total / max(self.count, 1), dtype=np.float32)

    def waveform(self, noise: NoiseModel) -> NDArray[np.float32]:
        """Best guess of the unit's waveform: freed from noise, and with what it ends higher than it begins.

        Removing baselines takes a slow after-potential that outlasts the window for a trend, and would make the
        trough deeper by part of it. What the mean over all spikes shows of it, on rows where that is more than slow
        potentials can do, goes back.
        """
        rise = self._rise / max(self.count, 1)
        is_lasting = np.abs(rise) > MIN_LASTING_ERRORS * self._rise_deviation / np.sqrt(max(self.count, 1))
        ramp = baseline_ramp(len(self._total) + 2 * PAD)[PAD:-PAD, None]
        whole = denoise_mean(self.mean, noise, self.count) + ramp * np.where(is_lasting, rise, 0)
        return np.asarray(whole, dtype=np.float32)
