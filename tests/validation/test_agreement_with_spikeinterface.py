"""Where SpikeInterface's GroundTruthComparison says something, validation says the same, to the last digit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import DELTA, RATE, Known, as_found
from numpy.typing import NDArray
from spikeinterface.comparison import GroundTruthComparison
from spikeinterface.core import NumpySorting

from hybridfactory.sorting import FoundSorting, FoundSpikes
from hybridfactory.validation.kernel import match_events
from hybridfactory.validation.matching import PERFORMANCE, count_matches, match_units
from hybridfactory.validation.spikes import Spikes

few = settings(max_examples=15, deadline=None)


def messy(
    rng: np.random.Generator, num_units: int, num_spikes: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Bursts, coincidences and duplicates."""
    times = np.sort(rng.integers(500, length - 500, num_spikes))
    return times, rng.integers(0, num_units, num_spikes).astype(np.int32)


def noisy_copy(
    rng: np.random.Generator, times: NDArray[np.int64], units: NDArray[np.int32], num_units: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Jittered, thinned, confused, with spikes of other units among them."""
    kept = rng.random(times.size) < rng.uniform(0.3, 1)
    copy = times[kept] + rng.integers(-15, 16, kept.sum())
    labels = np.where(rng.random(kept.sum()) < 0.1, rng.integers(0, num_units, kept.sum()), units[kept])
    others, names = messy(rng, num_units + 3, times.size, length)
    every = np.concatenate([copy, others])
    order = np.argsort(every, kind="stable")
    return every[order], np.concatenate([labels, names])[order].astype(np.int32)


def compared(truth: NumpySorting, tested: NumpySorting, mode: str) -> GroundTruthComparison:
    return GroundTruthComparison(truth, tested, exhaustive_gt=False, match_mode=mode, delta_time=0.4)


@few
@given(seed=st.integers(0, 10_000), num_units=st.integers(1, 6), num_spikes=st.integers(5, 400))
def test_counts_matches_and_performance(seed: int, num_units: int, num_spikes: int) -> None:
    rng = np.random.default_rng(seed)
    length = 20_000
    times, units = messy(rng, num_units, num_spikes, length)
    found_times, found_units = noisy_copy(rng, times, units, num_units, length)
    num_found = num_units + 3
    true, found = Spikes(times, units, num_units), Spikes(found_times, found_units, num_found)
    matching = match_units(true, found, count_matches(true, found, RATE, DELTA))
    reference = [
        NumpySorting.from_samples_and_labels(
            [spikes.places], [spikes.units], RATE, unit_ids=np.arange(spikes.num_units)
        )
        for spikes in (true, found)
    ]
    for mode, table in (("hungarian", matching.hungarian), ("best", matching.best)):
        comparison = compared(*reference, mode)
        assert np.array_equal(comparison.match_event_count.to_numpy(), matching.counts)
        assert comparison.count_score["tested_id"].tolist() == table["unit"].tolist()
        performance = comparison.get_performance()
        is_matched = table["tp"].to_numpy() > 0
        for name in PERFORMANCE:
            ours, theirs = table[name].to_numpy(), performance[name].to_numpy(dtype=np.float64)
            assert np.array_equal(ours[is_matched], theirs[is_matched]), name
            # A unit without a match is missed altogether; SpikeInterface leaves its two error rates at 0.
            assert (ours[~is_matched] == (name in ("false_discovery_rate", "miss_rate"))).all()


@few
@given(seed=st.integers(0, 10_000))
def test_events_are_hit_as_spikeinterface_counts_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times, units = messy(rng, 3, 300, 9_000)  # so dense that one spike is near many events
    found_times, found_units = noisy_copy(rng, times, units, 3, 9_000)
    true, found = Spikes(times, units, 3), Spikes(found_times, found_units, 6)
    counts = count_matches(true, found, RATE, DELTA)
    matches = rng.integers(-1, 6, 3)
    spikes = match_events(true.places, true.units, found.places, found.units, matches, DELTA)
    for unit, match in enumerate(matches):
        hit = spikes[units == unit]
        hit = hit[hit >= 0]
        assert min(hit.size, found.counts[match] if match >= 0 else 0) == (counts[unit, match] if match >= 0 else 0)
        assert (found_units[hit] == match).all()
        assert (np.abs(found_times[hit] - times[units == unit][spikes[units == unit] >= 0]) <= DELTA).all()


@pytest.mark.parametrize("lag", [0, 25, -40])
def test_the_whole_way_with_gaps_text_ids_and_a_lag(lag: int) -> None:
    rng = np.random.default_rng(5)
    lengths, starts = [60_000, 45_000], [1_000, 200_000]
    known = Known({}, {}, lengths, starts)
    segments, reference, truth_segments = [], [], []
    trains: dict[int, list[NDArray[np.int64]]] = {101: [], 102: [], 103: []}
    for start, length in zip(starts, lengths, strict=True):
        times, units = messy(rng, 3, 250, length)
        truth_segments.append((times, units + 101))
        for unit in range(3):
            trains[101 + unit].append(times[units == unit] + start)
        found_times, found_units = noisy_copy(rng, times, units, 3, length)
        reference.append((found_times, found_units))
        segments.append(FoundSpikes(found_times + lag, found_units))
    known.injected = {label: np.concatenate(parts) for label, parts in trains.items()}
    names = np.array([f"unit {index}" for index in range(6)])
    result = known.score_found(FoundSorting(names, tuple(segments), RATE, "somewhere", "spikeinterface"))
    measured = round(result.lag_ms / 1000 * RATE)
    truth = NumpySorting.from_samples_and_labels(*map(list, zip(*truth_segments, strict=True)), RATE)
    shifted = [(times + lag - measured, units) for times, units in reference]
    tested = NumpySorting.from_samples_and_labels(*map(list, zip(*shifted, strict=True)), RATE)
    for mode in ("hungarian", "best"):
        comparison = compared(truth, tested, mode)
        performance = comparison.get_performance()
        for unit in result.units.to_dict("records"):
            label = unit["new_unit"]
            theirs = comparison.count_score.loc[label, "tested_id"]
            ours = unit[f"{mode}_unit"]
            assert ours == (None if theirs == -1 else f"unit {theirs}")
            if ours is not None:
                for name in PERFORMANCE:
                    assert unit[f"{mode}_{name}"] == performance.loc[label, name]


def test_the_matched_cells_of_the_confusion_matrix() -> None:
    rng = np.random.default_rng(8)
    times, units = messy(rng, 4, 800, 400_000)
    kept = rng.random(times.size) < 0.85
    extra_times, extra_units = messy(rng, 7, 150, 400_000)
    confused = np.where(rng.random(kept.sum()) < 0.1, rng.integers(0, 7, kept.sum()), units[kept])
    found_times = np.concatenate([times[kept] + rng.integers(-8, 9, kept.sum()), extra_times])
    found_units = np.concatenate([confused, extra_units]).astype(np.int32)
    order = np.argsort(found_times, kind="stable")
    found_times, found_units = found_times[order], found_units[order]
    known = Known({101 + unit: times[units == unit] for unit in range(4)}, {}, [400_000])
    result = known.score(dict(enumerate(found_times[found_units == unit] for unit in range(7))))
    measured = round(result.lag_ms / 1000 * RATE)
    truth = NumpySorting.from_samples_and_labels([times], [units + 101], RATE)
    tested = NumpySorting.from_samples_and_labels([found_times - measured], [found_units], RATE)
    comparison = compared(truth, tested, "hungarian")
    theirs = comparison.get_confusion_matrix()
    matched = comparison.hungarian_match_12[comparison.hungarian_match_12 >= 0]
    assert len(matched) == 4
    for place, (label, found) in enumerate(matched.items()):
        assert result.confusion.loc[label, found] == theirs.loc[label, found]
        assert result.confusion.iloc[place, place] == theirs.loc[label, found]
    # Rows hold every event once, columns every found spike once.
    rows = result.confusion.drop(index="other").sum(axis=1)
    assert rows.to_dict() == {101 + unit: (units == unit).sum() for unit in range(4)}
    columns = result.confusion.drop(columns="missed").sum()
    assert columns.to_dict() == {unit: (found_units == unit).sum() for unit in range(7)}


def test_more_than_one_id_type_is_kept_apart() -> None:
    known = Known({101: np.arange(1000, 9000, 100)}, {}, [10_000])
    for name in ("7", "07"):
        result = known.score_found(as_found({7: known.injected[101]}, {7: name}))
        assert result.units["found_unit"].tolist() == [name]
