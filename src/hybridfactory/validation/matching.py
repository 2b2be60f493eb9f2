"""Which found unit is which true one: counts, agreement and assignments by SpikeInterface's comparison."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.validation.spikes import Spikes

__all__ = ["Matching", "associated", "count_matches", "match_best", "match_units", "samples_of_delta"]

MATCH_SCORE = 0.5
CHANCE_SCORE = 0.1
PERFORMANCE = ("accuracy", "precision", "recall", "false_discovery_rate", "miss_rate")

MIN_COINCIDENCES = 3
MIN_DEVIATIONS = 5.0
MIN_RATIO = 2.0
MIN_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Matching:
    """True units against found units, by index.

    Parameters
    ----------
    counts : numpy.ndarray of int64, shape (num_true, num_found)
        Coincidences.
    hungarian, best : pandas.DataFrame
        One row per true unit: ``unit`` (index of the found unit, -1: none), ``num_tested``, ``tp``, ``fn``, ``fp``
        and the columns of `PERFORMANCE`.
    """

    counts: NDArray[np.int64]
    hungarian: pd.DataFrame
    best: pd.DataFrame

    @property
    def is_hungarian(self) -> NDArray[np.bool_]:
        """Whether the Hungarian assignment has a found unit for each true one; shape (num_true,)."""
        return np.asarray(self.hungarian["unit"].to_numpy() >= 0)

    @property
    def units(self) -> NDArray[np.int64]:
        """Match of each true unit: the Hungarian one, else the best one; -1: none."""
        hungarian, best = self.hungarian["unit"].to_numpy(), self.best["unit"].to_numpy()
        return np.where(hungarian >= 0, hungarian, best).astype(np.int64)

    @property
    def performance(self) -> pd.DataFrame:
        """Rows of `hungarian` where that has a match, else of `best`."""
        return self.hungarian.where(pd.Series(self.is_hungarian, self.hungarian.index), self.best)


def samples_of_delta(delta_time_ms: float, sampling_frequency: float) -> int:
    """Largest difference of two matching times in samples, cut off as SpikeInterface does."""
    return int(delta_time_ms / 1000 * sampling_frequency)


def count_matches(true: Spikes, found: Spikes, sampling_frequency: float, delta: int) -> NDArray[np.int64]:
    """Count coincidences of each true unit with each found unit; shape (num_true, num_found).

    ``spikeinterface.comparison.make_match_count_matrix``, as ``GroundTruthComparison`` calls it: each spike counts
    once, and no found unit more often than it has spikes.
    """
    from spikeinterface.comparison.comparisontools import make_match_count_matrix  # noqa: PLC0415

    first, second = (_as_sorting(spikes, sampling_frequency) for spikes in (true, found))
    counts = make_match_count_matrix(first, second, delta, ensure_symmetry=False)
    return np.asarray(counts.to_numpy(), dtype=np.int64)


def _as_sorting(spikes: Spikes, sampling_frequency: float) -> object:
    """SpikeInterface sorting whose ids are indices: its functions stumble over other types."""
    from spikeinterface.core import NumpySorting  # noqa: PLC0415
    from spikeinterface.core.basesorting import minimum_spike_dtype  # noqa: PLC0415

    vector = np.zeros(spikes.num_spikes, dtype=minimum_spike_dtype)
    vector["sample_index"] = spikes.places
    vector["unit_index"] = spikes.units
    return NumpySorting(vector, sampling_frequency, np.arange(spikes.num_units))


def match_units(true: Spikes, found: Spikes, counts: NDArray[np.int64]) -> Matching:
    """Assign found units to true ones from their coincidences, with SpikeInterface's functions and thresholds.

    Parameters
    ----------
    true, found : Spikes
    counts : numpy.ndarray of int64, shape (num_true, num_found)
        From `count_matches`.
    """
    from spikeinterface.comparison.comparisontools import make_hungarian_match  # noqa: PLC0415

    hungarian, _ = make_hungarian_match(_agreement(true, found, counts), MATCH_SCORE)
    return Matching(counts, _perform(true, found, hungarian, counts), match_best(true, found, counts))


def match_best(true: Spikes, found: Spikes, counts: NDArray[np.int64]) -> pd.DataFrame:
    """Make `Matching.best` alone."""
    from spikeinterface.comparison.comparisontools import make_best_match  # noqa: PLC0415

    best, _ = make_best_match(_agreement(true, found, counts), CHANCE_SCORE)
    return _perform(true, found, best, counts)


def _agreement(true: Spikes, found: Spikes, counts: NDArray[np.int64]) -> pd.DataFrame:
    from spikeinterface.comparison.comparisontools import make_agreement_scores_from_count  # noqa: PLC0415

    table = make_agreement_scores_from_count(pd.DataFrame(counts), pd.Series(true.counts), pd.Series(found.counts))
    return pd.DataFrame(table)


def _perform(true: Spikes, found: Spikes, match: pd.Series, counts: NDArray[np.int64]) -> pd.DataFrame:
    from spikeinterface.comparison.comparisontools import compute_performance, do_count_score  # noqa: PLC0415

    score = do_count_score(pd.Series(true.counts), pd.Series(found.counts), match, pd.DataFrame(counts))
    performance = compute_performance(score)
    table = pd.DataFrame({name: score[name].to_numpy(dtype=np.int64) for name in ("num_tested", "tp", "fn", "fp")})
    table.insert(0, "unit", match.to_numpy(dtype=np.int64))
    # compute_performance leaves 0 wherever nothing matched: right for all but the two rates of error.
    none = table["tp"].to_numpy() == 0
    for name in PERFORMANCE:
        values = performance[name].to_numpy(dtype=np.float64)
        table[name] = np.where(none, 1.0, values) if name in ("false_discovery_rate", "miss_rate") else values
    return table


def associated(
    counts: NDArray[np.int64],
    first_counts: NDArray[np.int64],
    second_counts: NDArray[np.int64],
    delta: int,
    num_samples: int,
) -> NDArray[np.bool_]:
    """Tell pairs of units that share spikes from pairs whose spikes coincide by chance.

    On a long probe some unit fires within any 0.4 ms. Two independent trains of n and m spikes coincide
    n · m · (2 · delta + 1) / num_samples times. A pair counts as associated with at least 3 coincidences, twice as
    many as that, 5 standard deviations more, and an excess of 2 % of the smaller unit.

    Parameters
    ----------
    counts : numpy.ndarray of int64, shape (num_first, num_second)
    first_counts, second_counts : numpy.ndarray of int64
        Spikes of each unit.
    delta : int
        Largest difference of coinciding spikes, samples.
    num_samples : int
        Length of the recording.
    """
    expected = first_counts[:, None] * second_counts[None, :] * ((2 * delta + 1) / max(num_samples, 1))
    excess = counts - expected
    smaller = np.minimum(first_counts[:, None], second_counts[None, :])
    return np.asarray(
        (counts >= MIN_COINCIDENCES)
        & (counts >= MIN_RATIO * expected)
        & (excess >= MIN_DEVIATIONS * np.sqrt(expected))
        & (excess >= MIN_SHARE * smaller)
    )
