"""What surrounds an event, by brute force; why it was missed; and how sure a recall is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import RATE, Known, make_known
from scipy.stats import binomtest

from hybridfactory.validation.curves import recall_curve, wilson_interval
from hybridfactory.validation.surroundings import survey


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_nearest_spike_of_a_unit_nearby(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [101, 102, 1, 2, 3]
    trains = {label: np.sort(rng.integers(0, 200_000, 60)) for label in labels}
    positions = {label: (0.0, float(rng.integers(0, 400))) for label in labels}
    known = Known(
        {k: trains[k] for k in (101, 102)}, {k: trains[k] for k in (1, 2, 3)}, [200_000], positions=positions
    )
    surroundings = survey(known.truth, known.hybrid.natives)
    truth = known.truth
    for event, (place, unit) in enumerate(zip(truth.spikes.places, truth.spikes.units, strict=True)):
        own = 101 + unit
        near = {
            other: abs(positions[other][1] - positions[own][1])
            for other in labels
            if other != own and abs(positions[other][1] - positions[own][1]) <= 200
        }
        times = {other: np.abs(trains[other] - place).min() / RATE * 1000 for other in near}
        nearest = min(times.values(), default=np.inf)
        if nearest > 100:
            assert np.isnan(surroundings.other_times_ms[event])
            assert surroundings.other_units[event] == ""
            continue
        assert surroundings.other_times_ms[event] == pytest.approx(nearest)
        kind, label = surroundings.other_units[event].split()
        assert kind == ("injected" if int(label) > 100 else "native")
        assert times[int(label)] == pytest.approx(nearest)
        assert surroundings.other_distances_um[event] == near[int(label)]


def test_local_rate_counts_other_events_within_half_a_second() -> None:
    train = np.array([3_000, 10_000, 18_001, 25_000, 200_000])
    known = Known({101: train}, {}, [215_000])
    rates = survey(known.truth, known.hybrid.natives).local_rates_hz
    # At 3,000 the window reaches from the file's start to 18,000; the third event lies one sample beyond.
    assert rates[0] == pytest.approx(1 / (18_000 / RATE))
    assert rates[1] == pytest.approx(3 / (25_000 / RATE))
    assert rates[4] == 0


def known_with_misses() -> tuple[Known, dict[str, np.ndarray]]:
    """A unit with events of every class, each missed, among 400 that are found."""
    train = 2_000 + 3_000 * np.arange(400)
    length = int(train[-1]) + 3_000
    edge = np.array([100, length - 100])
    collision = train[50:60]
    small = train[100:110]
    other = train[200:205]
    amplitudes = np.full(402, 100.0)
    known = Known(
        {101: np.sort(np.append(train, edge))},
        {1: np.sort(np.append(collision + 15, other[:2] - 16)), 2: other + 10},
        [length],
    )
    amplitudes[np.isin(known.injected[101], small)] = 60.0
    known.amplitudes = {101: amplitudes}
    # The first native unit is near, but now and then a sample too late; the second is not.
    known.positions = {101: (0.0, 0.0), 1: (0.0, 199.0), 2: (0.0, 201.0)}
    return known, {"edge": edge, "collision": collision, "small": small, "other": other}


def test_reasons_of_missed_events() -> None:
    known, classes = known_with_misses()
    missed = np.concatenate(list(classes.values()))
    found = known.injected[101][~np.isin(known.injected[101], missed)]
    events = known.score({7: found} | known.natives).events.set_index("timestep")
    for name, times in classes.items():
        assert (events.loc[times, "reason"] == name).all(), name
        assert not events.loc[times, "hit"].any()
    assert (events.loc[found, "reason"] == "").all()


def test_events_below_the_noise_are_small() -> None:
    known = make_known(0, num_injected=1)
    known.amplitudes = {101: np.full(known.injected[101].size, 49.0, np.float32)}
    assert (known.score(known.natives).events["reason"] == "small").all()


def test_a_stretch_without_hits_is_drift() -> None:
    known = Known({101: 5_000 + 1_000 * np.arange(500)}, {}, [600_000])
    train = known.injected[101]
    lost = np.concatenate([np.arange(250, 350), [20, 120]])
    events = known.score({7: np.delete(train, lost)}).events
    assert (events["reason"].iloc[250:350] == "drifted").all()
    assert (events["reason"].iloc[[20, 120]] == "other").all()
    # Missed everywhere is no drift.
    thin = known.score({7: train[::3]}).events
    assert set(thin["reason"]) == {"", "other"}


@given(hits=st.integers(0, 60), more=st.integers(0, 60))
def test_wilson_interval(hits: int, more: int) -> None:
    low, high = wilson_interval(hits, hits + more)
    if hits + more == 0:
        assert (low, high) == (0, 1)
        return
    expected = binomtest(hits, hits + more).proportion_ci(0.95, method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert low <= hits / (hits + more) <= high


def test_a_curve_has_equal_bins_and_counts_each_event_once() -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(2, 5, 1000)
    is_hit = rng.random(1000) < 1 / (1 + np.exp(5 - values))
    curve = recall_curve(np.append(values, np.nan), np.append(is_hit, True))
    assert curve["events"].tolist() == [100] * 10
    assert curve["hits"].sum() == is_hit.sum()
    assert curve["low"].iloc[0] == values.min()
    assert curve["high"].iloc[-1] == values.max()
    assert (curve["low"].iloc[1:].to_numpy() == curve["high"].iloc[:-1].to_numpy()).all()
    assert curve["recall"].is_monotonic_increasing
    for row in curve.to_dict("records"):
        inside = (values >= row["low"]) & ((values < row["high"]) | (row["high"] == values.max()))
        assert row["events"] == inside.sum()
        assert row["hits"] == is_hit[inside].sum()
        assert row["centre"] == pytest.approx(np.median(values[inside]))
    assert (curve["recall_low"] <= curve["recall"]).all()
    assert (curve["recall_high"] >= curve["recall"]).all()


@pytest.mark.parametrize("values", [[3.0] * 50, [1.0] * 80 + [2.0] * 50, [5.0]])
def test_few_values_make_a_bin_each(values: list[float]) -> None:
    curve = recall_curve(np.array(values), np.ones(len(values), dtype=bool))
    assert curve["centre"].tolist() == sorted(set(values))
    assert curve["events"].sum() == len(values)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([60, 60, 60], [60, 60, 60]),
        ([10, 60, 60], [70, 60]),  # the first takes its neighbour in
        ([60, 30, 30, 60], [60, 60, 60]),
        ([60, 60, 20], [60, 80]),  # the last is joined to the one before
        ([20, 20], [40]),  # never enough
    ],
)
def test_every_bin_has_enough_events(counts: list[int], expected: list[int]) -> None:
    """Distances between sites have few values, some of them rare."""
    values = np.repeat(np.arange(len(counts)) * 20.0, counts)
    curve = recall_curve(values, np.arange(values.size) % 3 > 0)
    assert curve["events"].sum() == values.size
    assert curve["events"].tolist() == expected
    assert (curve["low"].iloc[1:].to_numpy() == curve["high"].iloc[:-1].to_numpy()).all()
    assert (curve["low"].iloc[0], curve["high"].iloc[-1]) == (values.min(), values.max())
    assert ((curve["low"] <= curve["centre"]) & (curve["centre"] <= curve["high"])).all()


@given(
    values=st.lists(st.integers(0, 12) | st.floats(0, 12), min_size=1, max_size=700),
)
def test_no_bin_is_small(values: list[float]) -> None:
    curve = recall_curve(np.array(values, dtype=float), np.ones(len(values), dtype=bool))
    assert curve["events"].sum() == len(values)
    assert len(curve) == 1 or curve["events"].min() >= 50


def test_no_values_make_no_curve() -> None:
    curve = recall_curve(np.full(5, np.nan), np.ones(5, dtype=bool))
    assert curve.empty
    assert curve.columns.tolist() == [
        "low",
        "high",
        "centre",
        "events",
        "hits",
        "recall",
        "recall_low",
        "recall_high",
    ]


def test_curves_for_all_and_for_each_unit() -> None:
    known = make_known(0)
    curves = known.score(known.injected | known.natives).recall_curves
    whole = curves[curves["new_unit"].isna() & (curves["covariate"] == "time_s")]
    assert whole["events"].sum() == sum(train.size for train in known.injected.values())
    for label, train in known.injected.items():
        one = curves[(curves["new_unit"] == label) & (curves["covariate"] == "time_s")]
        assert one["events"].sum() == train.size
    assert isinstance(curves["new_unit"].dtype, pd.Int64Dtype)
