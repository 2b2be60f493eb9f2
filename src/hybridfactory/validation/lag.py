"""A sorter's constant lag: some state a spike's time some samples before or after its trough."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.validation.kernel import lag_counts
from hybridfactory.validation.spikes import Spikes

__all__ = ["Lag", "estimate_lag"]

REACH_MS = 2.0
SMOOTHING_MS = 0.2
MIN_SHARE = 0.02
MIN_DEVIATIONS = 6.0


@dataclass(frozen=True, eq=False)
class Lag:
    """Lag of the found times behind the true ones.

    Parameters
    ----------
    samples : int
        0 where none stands out.
    is_clear : bool
        Whether a peak stands out.
    counts : numpy.ndarray of int64, shape (2 * reach + 1,)
        Correlogram, from -reach to +reach samples.
    sampling_frequency : float
        Hz.
    """

    samples: int
    is_clear: bool
    counts: NDArray[np.int64]
    sampling_frequency: float

    @property
    def milliseconds(self) -> float:
        """The lag in ms."""
        return self.samples / self.sampling_frequency * 1000

    @property
    def table(self) -> pd.DataFrame:
        """Correlogram with ``lag_ms`` and ``count``."""
        reach = self.counts.size // 2
        lags = np.arange(-reach, reach + 1) / self.sampling_frequency * 1000
        return pd.DataFrame({"lag_ms": lags, "count": self.counts})


def estimate_lag(
    truth: Spikes, found: Spikes, sampling_frequency: float, away_from: NDArray[np.int64] | None = None
) -> Lag:
    """Measure the lag from the correlogram of all true events with all found spikes.

    Spikes that have nothing to do with an event lie anywhere and make a floor; units that are found make a peak,
    however many others are not. The peak of the correlogram, averaged over 0.2 ms, says where to look; the median
    of the counts above the floor, within 0.2 ms of there, is the lag. A peak of less than 2 % of the events, or
    of less than 6 standard deviations of the floor, is none.

    Parameters
    ----------
    truth, found : Spikes
    sampling_frequency : float
        Hz.
    away_from : numpy.ndarray of int64, shape (num_events,), optional
        Place of each event's donor spike. Where events lie at a nearly constant distance from those, the
        donor's own spikes would make a peak of their own.
    """
    reach = round(REACH_MS / 1000 * sampling_frequency)
    far = np.iinfo(np.int64).max // 4
    donors = np.full(truth.num_spikes, far) if away_from is None else away_from
    counts = lag_counts(truth.places, donors, found.places, reach)
    width = 2 * (max(round(SMOOTHING_MS / 1000 * sampling_frequency), 1) // 2) + 1
    floor = float(np.median(counts))
    smooth = np.convolve(counts, np.ones(width), mode="same")
    # Between plateaus of equal height, the least lag.
    lags = np.arange(-reach, reach + 1)
    peak = int(np.lexsort((np.abs(lags), -smooth))[0])
    excess = smooth[peak] - width * floor
    is_clear = excess >= max(MIN_SHARE * truth.num_spikes, MIN_DEVIATIONS * np.sqrt(width * floor), 1)
    if not is_clear:
        return Lag(0, False, counts, sampling_frequency)
    window = slice(max(peak - width, 0), peak + width + 1)
    above = np.cumsum(np.maximum(counts[window] - floor, 0))
    middle = int(np.searchsorted(above, above[-1] / 2))
    return Lag(int(lags[window][middle]), True, counts, sampling_frequency)
