"""Which sample of which file a found time means, and which times mean none."""

import numpy as np
import pytest
from known import RATE, Known, as_found, make_known

from hybridfactory.errors import SortingError
from hybridfactory.sorting import FoundSorting, FoundSpikes
from hybridfactory.validation.tested import lay_on_timeline
from hybridfactory.validation.timeline import Timeline

STARTS, LENGTHS = [500, 100_000, 300_000], [80_000, 150_000, 60_000]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(np.array(STARTS), np.array(LENGTHS), RATE)


def in_files(known: Known, offsets: list[int]) -> dict[int, np.ndarray]:
    """Trains counted from other first samples of the files."""
    moved = {}
    for label, train in known.injected.items():
        file = np.searchsorted(STARTS, train, side="right") - 1
        moved[label] = train - np.array(STARTS)[file] + np.array(offsets)[file]
    return moved


@pytest.fixture
def known() -> Known:
    rng = np.random.default_rng(0)
    inside = [start + 200 + np.cumsum(rng.integers(150, 700, 90)) for start in STARTS]
    times = np.concatenate(inside)
    owners = rng.permutation(np.resize([101, 102], times.size))
    return Known({label: times[owners == label] for label in (101, 102)}, {}, LENGTHS, STARTS)


def test_there_and_back(timeline: Timeline) -> None:
    samples = np.array([500, 80_499, 100_000, 249_999, 300_000, 359_999])
    places = timeline.place(samples, timeline.starts, 0)
    assert np.all(np.diff(places) > 0)
    assert timeline.to_run(places).tolist() == samples.tolist()
    assert (timeline.to_seconds(places) * RATE).round().tolist() == [0, 79_999, 80_000, 229_999, 230_000, 289_999]
    assert timeline.edge_distance(places).tolist() == [0] * 6
    assert timeline.file_of(places).tolist() == [0, 0, 1, 1, 2, 2]
    assert timeline.file_of(places - 20).tolist() == [0, 0, 1, 1, 2, 2]
    assert timeline.duration_s == 290_000 / RATE
    assert timeline.place(np.array([0, 499, 80_500, 99_999, 360_000]), timeline.starts, 0).tolist() == [-1] * 5


def test_files_are_too_far_apart_for_a_match_across(timeline: Timeline) -> None:
    last, first = timeline.place(np.array([80_499, 100_000]), timeline.starts, 0)
    assert first - last > RATE


@pytest.mark.parametrize("source_format", ["phy", "kilosort", "jrc"])
def test_a_sorter_that_counts_on_without_gaps(known: Known, source_format: str) -> None:
    found = as_found(in_files(known, [0, 80_000, 230_000]), source_format=source_format)
    tested = lay_on_timeline(found, "x", known.truth)
    assert any("without gaps" in note for note in tested.notes)
    assert (known.score_found(found).units["accuracy"] == 1).all()


def test_a_sorter_that_follows_the_stated_timeline(known: Known) -> None:
    found = as_found(known.injected, source_format="phy")
    result = known.score_found(found)
    assert any("start_time" in note for note in result.notes)
    assert (result.units["accuracy"] == 1).all()
    assert result.events["timestep"].isin(np.concatenate(list(known.injected.values()))).all()


def test_a_timeline_is_told_apart_by_what_fits_the_events() -> None:
    """Both could hold all spikes: one file that starts late, and a sorting that counts from its first sample."""
    known = make_known(0)
    known.starts = [5_000]
    known.injected = {label: train + 5_000 for label, train in known.injected.items()}
    known.natives = {label: train + 5_000 for label, train in known.natives.items()}
    trains = {label: train[:-30] for label, train in known.injected.items()}
    stated = known.score_found(as_found(trains, source_format="phy"))
    from_zero = known.score_found(as_found({k: v - 5_000 for k, v in trains.items()}, source_format="phy"))
    assert stated.units["accuracy"].tolist() == from_zero.units["accuracy"].tolist()
    assert (stated.units["precision"] == 1).all()
    assert any("start_time" in note for note in stated.notes)
    assert any("without gaps" in note for note in from_zero.notes)


@pytest.mark.parametrize("num_segments", [1, 3])
def test_spikeinterface_has_a_segment_per_file_or_one_for_all(known: Known, num_segments: int) -> None:
    if num_segments == 1:
        found = as_found(in_files(known, [0, 80_000, 230_000]))
    else:
        segments = []
        trains = in_files(known, [0, 0, 0])
        for start, length in zip(STARTS, LENGTHS, strict=True):
            kept = {
                k: v[(known.injected[k] >= start) & (known.injected[k] < start + length)] for k, v in trains.items()
            }
            part = as_found(kept).segments[0]
            segments.append(FoundSpikes(part.samples, part.units))
        found = FoundSorting(np.array([101, 102]), tuple(segments), RATE, "x", "spikeinterface")
    assert (known.score_found(found).units["accuracy"] == 1).all()


def test_two_segments_for_three_files_are_refused(known: Known) -> None:
    part = FoundSpikes(np.array([100]), np.array([0], dtype=np.int32))
    found = FoundSorting(np.array([1]), (part, part), RATE, "x", "spikeinterface")
    with pytest.raises(SortingError, match=r"2 segments, but the hybrid 3 file"):
        lay_on_timeline(found, "x", known.truth)


@pytest.mark.parametrize("source_format", ["phy", "spikeinterface"])
def test_times_beyond_the_end_are_refused(known: Known, source_format: str) -> None:
    found = as_found({5: np.array([100, 400_000])}, source_format=source_format)
    with pytest.raises(SortingError, match=r"a spike at sample 400000, but the hybrid ends at"):
        lay_on_timeline(found, "x", known.truth)


def test_times_beyond_the_end_of_one_segment_are_refused(known: Known) -> None:
    part, beyond = (FoundSpikes(np.array([last]), np.array([0], dtype=np.int32)) for last in (100, 150_100))
    found = FoundSorting(np.array([1]), (part, beyond, part), RATE, "x", "spikeinterface")
    with pytest.raises(SortingError, match=r"file 2 of the hybrid ends at 150000"):
        lay_on_timeline(found, "x", known.truth)


@pytest.mark.parametrize(("rate", "fits"), [(30_010.0, True), (25_000.0, False)])
def test_the_sampling_rate_is_that_of_the_hybrid(known: Known, rate: float, fits: bool) -> None:
    found = FoundSorting(np.array([1]), (FoundSpikes(np.array([100]), np.zeros(1, np.int32)),), rate, "x", "phy")
    if fits:
        assert lay_on_timeline(found, "x", known.truth).spikes.num_spikes == 1
    else:
        with pytest.raises(SortingError, match=r"sampling rate of 25000 Hz, the hybrid one of 30000"):
            lay_on_timeline(found, "x", known.truth)


def test_spikes_in_a_gap_are_counted_in_a_note(known: Known) -> None:
    gap = {101: np.sort(np.append(known.injected[101], [90_000, 95_000])), 102: known.injected[102]}
    result = known.score_found(as_found(gap, source_format="phy"))
    assert any(note.startswith("2 spikes lie in gaps") for note in result.notes)
    assert (result.units["accuracy"] == 1).all()
