"""The lag is that of the units which are found, however many are not."""

import numpy as np
import pytest

from hybridfactory.validation.lag import estimate_lag
from hybridfactory.validation.spikes import Spikes, sorted_spikes

RATE = 30_000.0


def spikes(rng: np.random.Generator, count: int, length: int) -> Spikes:
    return Spikes(np.sort(rng.integers(0, length, count)), np.zeros(count, np.int32), 1)


def found_from(*parts: np.ndarray) -> Spikes:
    places = np.concatenate(parts)
    return sorted_spikes(np.maximum(places, 0), np.zeros(places.size, np.int32), 1)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("lag", [-55, -8, 0, 3, 59])
def test_most_units_may_be_missing(share: float, lag: int) -> None:
    rng = np.random.default_rng(0)
    length = 60 * 30_000
    truth = spikes(rng, 3000, length)
    kept = truth.places[rng.random(3000) < share]
    estimate = estimate_lag(truth, found_from(kept + lag, rng.integers(0, length, 30_000)), RATE)
    assert estimate.is_clear
    assert estimate.samples == lag


def test_half_of_the_spread_lies_on_either_side() -> None:
    rng = np.random.default_rng(1)
    truth = spikes(rng, 4000, 60 * 30_000)
    jitter = np.rint(rng.normal(11, 2, 4000)).astype(np.int64)
    estimate = estimate_lag(truth, found_from(truth.places + jitter), RATE)
    assert abs(estimate.samples - 11) <= 1


def test_chance_is_no_lag() -> None:
    rng = np.random.default_rng(2)
    length = 60 * 30_000
    for _ in range(20):
        estimate = estimate_lag(spikes(rng, 2000, length), spikes(rng, 40_000, length), RATE)
        assert (estimate.samples, estimate.is_clear) == (0, False)


def test_a_lag_beyond_the_reach_is_not_seen() -> None:
    rng = np.random.default_rng(3)
    truth = spikes(rng, 500, 600 * 30_000)
    assert not estimate_lag(truth, found_from(truth.places + 200), RATE).is_clear


def test_the_donors_own_spikes_make_no_lag() -> None:
    """Events that all lie just over 1 ms from their donor spikes, of a sorter that found the donors alone."""
    rng = np.random.default_rng(4)
    length = 120 * 30_000
    donors = np.arange(1000, length - 1000, 3000)
    events = donors + rng.choice([-31, 31], donors.size)
    truth = Spikes(events, np.zeros(events.size, np.int32), 1)
    found = found_from(donors)
    assert estimate_lag(truth, found, RATE).is_clear
    assert not estimate_lag(truth, found, RATE, donors).is_clear
    both = found_from(donors + 4, events + 4)
    assert estimate_lag(truth, both, RATE, donors).samples == 4


def test_the_table_names_every_lag() -> None:
    truth = Spikes(np.array([1000, 2000]), np.zeros(2, np.int32), 1)
    table = estimate_lag(truth, found_from(truth.places + 6), RATE).table
    assert table["lag_ms"].iloc[0] == -2
    assert table["lag_ms"].iloc[-1] == 2
    assert len(table) == 121
    assert table.loc[np.isclose(table["lag_ms"], 0.2), "count"].tolist() == [2]
    assert table["count"].sum() == 2
