"""One sorting against the truth and the native units: lag, matching, pieces, merges, and whose each spike is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.validation.attribution import (
    Assignment,
    Origins,
    assign_events,
    attribute_to_natives,
    find_merges,
    trace_false_positives,
)
from hybridfactory.validation.greedy import Piece, merge_greedily
from hybridfactory.validation.lag import Lag, estimate_lag
from hybridfactory.validation.matching import (
    Matching,
    associated,
    count_matches,
    match_best,
    match_units,
    samples_of_delta,
)
from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.tested import Tested
from hybridfactory.validation.truth import Natives, Truth

__all__ = ["Comparison", "compare"]

NUM_STEPS = 5


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a sorter made of the hybrid, in indices of units and spikes.

    Parameters
    ----------
    tested : Tested
    spikes : Spikes
        The found spikes with the lag taken off.
    lag, native_lag : Lag
        Against the injected and the native spikes.
    matching : Matching
        Of the injected units with the found ones.
    native_best : pandas.DataFrame
        Best matches of the native units; see `Matching.best`.
    matches : numpy.ndarray of int64, shape (num_injected,)
        Found unit that each injected one is matched with; -1: none.
    pieces : list of list of Piece
        Greedy merge of each injected unit.
    assignment : Assignment
    origins : Origins
        False positives.
    merges : pandas.DataFrame
        From `find_merges`.
    """

    tested: Tested
    spikes: Spikes
    lag: Lag
    native_lag: Lag
    matching: Matching
    native_best: pd.DataFrame
    matches: NDArray[np.int64]
    pieces: list[list[Piece]]
    assignment: Assignment
    origins: Origins
    merges: pd.DataFrame


def compare(
    truth: Truth,
    natives: Natives,
    tested: Tested,
    *,
    delta_time_ms: float,
    progress: ProgressCallback = no_progress,
) -> Comparison:
    """Compare a sorting with the truth.

    Parameters
    ----------
    truth : Truth
    natives : Natives
    tested : Tested
    delta_time_ms : float
        Largest difference of matching times.
    progress : ProgressCallback
    """
    frequency, num_samples = truth.timeline.sampling_frequency, truth.timeline.num_samples
    delta = samples_of_delta(delta_time_ms, frequency)
    step = f"comparing {tested.name} with the truth"
    progress(step, 0, NUM_STEPS)
    lag = estimate_lag(truth.spikes, tested.spikes, frequency, truth.donor_places)
    spikes = tested.spikes.shifted(-lag.samples)
    progress(step, 1, NUM_STEPS)
    matching = match_units(truth.spikes, spikes, count_matches(truth.spikes, spikes, frequency, delta))
    matches = matching.units
    is_associated = associated(matching.counts, truth.spikes.counts, spikes.counts, delta, num_samples)
    matched = np.flatnonzero(matches >= 0)
    is_candidate = is_associated.copy()
    is_candidate[matched, matches[matched]] = True
    progress(step, 2, NUM_STEPS)
    pieces = merge_greedily(truth.spikes, spikes, matching.counts, is_candidate, delta)
    progress(step, 3, NUM_STEPS)
    assignment = assign_events(truth.spikes, spikes, matches, np.where(is_associated, matching.counts, 0), delta)
    native_lag, native_best, native_of_spike = _compare_natives(
        natives, tested.spikes, assignment.owner, frequency, delta, num_samples
    )
    progress(step, 4, NUM_STEPS)
    comparison = Comparison(
        tested=tested,
        spikes=spikes,
        lag=lag,
        native_lag=native_lag,
        matching=matching,
        native_best=native_best,
        matches=matches,
        pieces=pieces,
        assignment=assignment,
        origins=trace_false_positives(spikes, assignment, matches, native_of_spike),
        merges=find_merges(truth.spikes, spikes, natives.spikes, assignment, native_of_spike),
    )
    progress(step, NUM_STEPS, NUM_STEPS)
    return comparison


def _compare_natives(
    natives: Natives,
    found: Spikes,
    owner: NDArray[np.int32],
    frequency: float,
    delta: int,
    num_samples: int,
) -> tuple[Lag, pd.DataFrame, NDArray[np.int64]]:
    """Lag, matching, and the native unit of each found spike that is no injected event.

    The native spikes' times are those of the first sorter: its lag may differ from that against the troughs.
    """
    lag = estimate_lag(natives.spikes, found, frequency)
    spikes = found.shifted(-lag.samples)
    counts = count_matches(natives.spikes, spikes, frequency, delta)
    is_associated = associated(counts, natives.spikes.counts, spikes.counts, delta, num_samples)
    priority = np.where(is_associated, counts, 0).T
    native_of_spike = attribute_to_natives(spikes, natives.spikes, owner, priority, delta)
    return lag, match_best(natives.spikes, spikes, counts), native_of_spike
