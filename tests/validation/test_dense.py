"""On a long probe some unit fires within any 0.4 ms: what coincides by chance is no find, no merge and no piece."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import RATE, Known, Trains
from numpy.typing import NDArray

from hybridfactory.validation.matching import associated

LENGTH = 60 * 30_000


def poisson(rng: np.random.Generator, rate_hz: float) -> NDArray[np.int64]:
    count = rng.poisson(rate_hz * LENGTH / RATE)
    return np.sort(rng.integers(1000, LENGTH - 1000, count))


@pytest.fixture(scope="module")
def dense() -> tuple[Known, Trains]:
    """200 native units of 5 to 20 Hz: 2 spikes within 0.4 ms of any event. One of five injected units is lost."""
    rng = np.random.default_rng(0)
    natives = {label: poisson(rng, rng.uniform(5, 20)) for label in range(1, 201)}
    injected = {label: poisson(rng, 8) for label in range(1001, 1006)}
    known = Known(injected, natives, [LENGTH])
    found = natives | {label: train for label, train in injected.items() if label != 1003}
    return known, found


def test_missed_events_are_missed(dense: tuple[Known, Trains]) -> None:
    known, found = dense
    result = known.score(found)
    lost = result.events[result.events["new_unit"] == 1003]
    assert not lost["hit"].any()
    assert lost["assigned_to"].isna().all()
    assert result.confusion.loc[1003, "missed"] == len(lost)
    assert result.units["found_unit"].tolist() == [1001, 1002, None, 1004, 1005]
    assert result.units["num_pieces"].tolist() == [1, 1, 0, 1, 1]
    assert result.merges.empty


def test_false_positives_of_no_unit_stay_unknown(dense: tuple[Known, Trains]) -> None:
    known, found = dense
    rng = np.random.default_rng(1)
    extra = rng.integers(1000, LENGTH - 1000, 200)
    result = known.score(found | {1001: np.sort(np.concatenate([found[1001], extra]))})
    sources = result.false_positive_sources
    assert sources["new_unit"].tolist() == [1001]
    assert sources["kind"].tolist() == ["unknown"]
    assert sources["spikes"].sum() == 200


def test_a_native_unit_s_spikes_are_told_among_many(dense: tuple[Known, Trains]) -> None:
    known, found = dense
    both = np.sort(np.concatenate([found[1002], found[77]]))
    rest = {label: train for label, train in found.items() if label != 77}
    result = known.score(rest | {1002: both})
    assert result.merges[["new_unit", "partner_kind", "partner"]].to_numpy().tolist() == [[1002, "native", 77]]
    sources = result.false_positive_sources.set_index("belongs_to")
    # A native spike that falls on an event of the injected unit counts as that event.
    assert sources.loc[77, "spikes"] >= 0.98 * found[77].size
    assert (sources.drop(index=77)["spikes"] <= 5).all()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    first=st.integers(1, 50_000),
    second=st.integers(1, 50_000),
    delta=st.integers(1, 30),
)
def test_independent_trains_are_not_associated(seed: int, first: int, second: int, delta: int) -> None:
    num_samples = 3600 * 30_000
    expected = first * second * (2 * delta + 1) / num_samples
    counts = np.random.default_rng(seed).poisson(expected, size=(1, 200))
    counts = np.minimum(counts, min(first, second))
    sizes = (np.array([first]), np.full(200, second))
    assert associated(counts, *sizes, delta, num_samples).mean() <= 0.02
    shared = np.array([[min(first, second)]])
    if min(first, second) >= 3 and shared > 3 * expected:
        assert associated(shared, np.array([first]), np.array([second]), delta, num_samples).all()
