"""Sortings that were made from the truth by a known change score exactly what the change makes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known import DELTA, RATE, as_found, make_known

seeds = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None)
COUNTS = ["hits", "missed", "false"]


@few
@given(seed=seeds, num_injected=st.integers(1, 4), num_natives=st.integers(0, 4))
def test_a_perfect_sorting_scores_one_everywhere(seed: int, num_injected: int, num_natives: int) -> None:
    known = make_known(seed, num_injected, num_natives)
    result = known.score(known.injected | known.natives)
    units = result.units
    for prefix in ("", "hungarian_", "best_", "merged_"):
        for name in ("accuracy", "precision", "recall"):
            assert (units[prefix + name] == 1).all(), prefix + name
    assert (units[["false_discovery_rate", "miss_rate", "missed", "false"]] == 0).all(axis=None)
    assert units["found_unit"].tolist() == units["new_unit"].tolist() == sorted(known.injected)
    assert (units["num_pieces"] == 1).all()
    assert result.median_accuracy == 1
    assert result.events["hit"].all()
    assert (result.events["found_timestep"] == result.events["timestep"]).all()
    assert (result.events["reason"] == "").all()
    assert (result.recall_curves["recall"] == 1).all()
    assert result.merges.empty
    assert result.false_positives.empty
    assert (result.baseline[["accuracy", "precision", "recall"]] == 1).all(axis=None)
    assert result.lag_ms == 0
    counts = [train.size for _, train in sorted(known.injected.items())]
    matrix = result.confusion.to_numpy()
    assert np.array_equal(np.diag(matrix)[:num_injected], counts)
    assert matrix[:num_injected].sum() == sum(counts)
    assert (result.confusion["missed"] == 0).all()
    assert (
        result.verdict
        == f"tested found {num_injected} of {num_injected} unit{'s' * (num_injected > 1)} at accuracy ≥ 0.8 "
        "(median 1.00). No event was missed."
    )


@few
@given(seed=seeds, share=st.floats(0.3, 0.95))
def test_dropped_events_are_missed_and_nothing_else(seed: int, share: float) -> None:
    known = make_known(seed)
    rng = np.random.default_rng(seed)
    keep = {
        label: np.sort(rng.permutation(train.size)[: max(int(share * train.size), 3)])
        for label, train in known.injected.items()
    }
    found = {label: train[keep[label]] for label, train in known.injected.items()} | known.natives
    result = known.score(found)
    for unit in result.units.to_dict("records"):
        label = unit["new_unit"]
        kept, total = keep[label].size, known.injected[label].size
        assert unit["recall"] == unit["accuracy"] == kept / total
        assert unit["precision"] == 1
        assert [unit[name] for name in COUNTS] == [kept, total - kept, 0]
        mine = result.events[result.events["new_unit"] == label]
        assert np.array_equal(mine.loc[mine["hit"], "timestep"], known.injected[label][keep[label]])
    missed = result.events[~result.events["hit"]]
    assert missed["assigned_to"].isna().all()
    assert missed["found_timestep"].isna().all()
    assert (missed["reason"] != "").all()
    assert result.confusion["missed"].sum() == len(missed)


@few
@given(seed=seeds, lag=st.integers(-60, 60))
def test_a_constant_lag_is_measured_and_costs_nothing(seed: int, lag: int) -> None:
    known = make_known(seed)
    shifted = {label: train + lag for label, train in (known.injected | known.natives).items()}
    result = known.score(shifted)
    assert result.lag_ms == pytest.approx(lag / RATE * 1000)
    assert result.native_lag_ms == pytest.approx(lag / RATE * 1000)
    assert (result.units["accuracy"] == 1).all()
    assert (result.baseline["accuracy"] == 1).all()
    assert (result.units["offset_ms"] == 0).all()
    assert result.events["found_timestep"].tolist() == result.events["timestep"].tolist()
    assert (
        int(
            result.lag_correlogram.loc[result.lag_correlogram["count"].idxmax(), "lag_ms"] / 1000 * RATE
            + 0.5 * np.sign(lag)
        )
        == lag
    )


@few
@given(seed=seeds)
def test_jitter_within_the_tolerance_costs_nothing_and_beyond_it_everything(seed: int) -> None:
    known = make_known(seed)
    rng = np.random.default_rng(seed)
    found, far = {}, {}
    for label, train in known.injected.items():
        # Most at the true time, as many early as late, so that no lag arises; every fifth spike is too far off.
        jitter = rng.permutation(np.resize([-DELTA, 0, 0, 0, DELTA], train.size))
        far[label] = np.arange(train.size) % 5 == 4
        jitter[far[label]] = (DELTA + 1) * rng.choice([-1, 1], far[label].sum())
        found[label] = train + jitter
    result = known.score(found | known.natives)
    assert result.lag_ms == 0
    for unit in result.units.to_dict("records"):
        hits, lost = (~far[unit["new_unit"]]).sum(), far[unit["new_unit"]].sum()
        assert [unit[name] for name in COUNTS] == [hits, lost, lost]
        assert unit["accuracy"] == hits / (hits + 2 * lost)


@few
@given(seed=seeds, num_pieces=st.integers(2, 4))
def test_a_split_unit_is_put_together_again(seed: int, num_pieces: int) -> None:
    known = make_known(seed, num_spikes=900)
    train = known.injected[101]
    # Pieces of different sizes, so that the order in which they are added is known.
    sizes = np.sort(np.random.default_rng(seed).permutation(np.arange(5, 5 + 4 * num_pieces, 4)))[::-1]
    bounds = np.round(np.cumsum(sizes)[:-1] / sizes.sum() * train.size).astype(int)
    order = np.random.default_rng(seed).permutation(train.size)
    pieces = {901 + index: np.sort(train[part]) for index, part in enumerate(np.split(order, bounds))}
    ranked = sorted(pieces, key=lambda piece: -pieces[piece].size)
    result = known.score({102: known.injected[102], 103: known.injected[103]} | known.natives | pieces)
    unit = result.units.set_index("new_unit").loc[101]
    assert unit["accuracy"] == max(piece.size for piece in pieces.values()) / train.size
    assert unit["merged_accuracy"] == unit["merged_recall"] == unit["merged_precision"] == 1
    assert unit["num_pieces"] == num_pieces
    table = result.pieces[result.pieces["new_unit"] == 101]
    assert sorted(table["found_unit"]) == sorted(pieces)
    assert [pieces[piece].size for piece in table["found_unit"]] == [pieces[piece].size for piece in ranked]
    assert table["accuracy"].tolist() == list(np.cumsum([pieces[piece].size for piece in ranked]) / train.size)
    events = result.events[result.events["new_unit"] == 101]
    for piece, spikes in pieces.items():
        assert np.array_equal(events.loc[events["assigned_to"] == piece, "timestep"], spikes)
    assert result.confusion.loc[101, "missed"] == 0
    assert "1 (101) was split" in result.verdict
    assert result.merges.empty


@few
@given(seed=seeds)
def test_a_unit_merged_with_a_native_one_is_named(seed: int) -> None:
    known = make_known(seed)
    both = np.sort(np.concatenate([known.injected[101], known.natives[2]]))
    found = {102: known.injected[102], 103: known.injected[103], 1: known.natives[1], 3: known.natives[3], 900: both}
    result = known.score(found)
    mine, others = known.injected[101].size, known.natives[2].size
    unit = result.units.set_index("new_unit").loc[101]
    assert unit["found_unit"] == 900
    assert unit["recall"] == 1
    assert unit["precision"] == unit["accuracy"] == mine / (mine + others)
    assert unit["merged_with"] == "native 2"
    merge = result.merges.to_dict("records")
    assert len(merge) == 1
    assert (merge[0]["partner_kind"], merge[0]["partner"], merge[0]["found_unit"]) == ("native", 2, 900)
    assert (merge[0]["share_of_unit"], merge[0]["share_of_partner"]) == (1, 1)
    assert merge[0]["share_of_found"] == others / (mine + others)
    source = result.false_positive_sources.to_dict("records")
    assert len(source) == 1
    assert (source[0]["kind"], source[0]["belongs_to"], source[0]["spikes"], source[0]["share"]) == (
        "native",
        2,
        others,
        1,
    )
    assert np.array_equal(result.false_positives["timestep"], known.natives[2])
    assert result.confusion.loc["other", 900] == others
    assert "1 (101) was merged with native neighbours" in result.verdict
    refound = result.baseline.set_index("native_unit")
    assert refound.loc[2, "accuracy"] == others / (mine + others)
    assert (refound.loc[[1, 3], "accuracy"] == 1).all()


@few
@given(seed=seeds)
def test_two_injected_units_merged_name_each_other(seed: int) -> None:
    known = make_known(seed)
    both = np.sort(np.concatenate([known.injected[101], known.injected[103]]))
    result = known.score({7: known.injected[102], 8: both} | known.natives)
    assert result.units.set_index("new_unit")["merged_with"].to_dict() == {
        101: "injected 103",
        102: "",
        103: "injected 101",
    }
    first, third = known.injected[101].size, known.injected[103].size
    units = result.units.set_index("new_unit")
    assert units.loc[101, "best_accuracy"] == first / (first + third)
    assert units.loc[103, "best_accuracy"] == third / (first + third)
    assert (units["found_unit"] == [8, 7, 8]).all()
    assert result.confusion.loc[[101, 103], 8].tolist() == [first, third]
    assert result.confusion.loc["other", 8] == 0
    sources = result.false_positive_sources.set_index("new_unit")
    assert sources["kind"].tolist() == ["injected", "injected"]
    assert sources["belongs_to"].to_dict() == {101: 103, 103: 101}
    assert "2 (101, 103) were merged with each other" in result.verdict


def test_spikes_of_no_unit_count_against_precision_alone() -> None:
    known = make_known(1)
    train = known.injected[102]
    extra = train[:20] + 70  # where nothing else is
    found = known.injected | known.natives | {102: np.sort(np.concatenate([train, extra]))}
    unit = known.score(found).units.set_index("new_unit").loc[102]
    assert unit["recall"] == 1
    assert unit["precision"] == unit["accuracy"] == train.size / (train.size + 20)
    assert (known.score(found).false_positives["kind"] == "unknown").all()


def test_native_units_are_no_false_positives() -> None:
    known = make_known(2, num_injected=2, num_natives=6)
    result = known.score(known.injected | known.natives)
    assert (result.units["false"] == 0).all()
    assert result.confusion.loc["other"].sum() == sum(train.size for train in known.natives.values())


def test_nothing_found_at_all() -> None:
    known = make_known(3)
    result = known.score(known.natives)
    assert (result.units[["accuracy", "precision", "recall"]] == 0).all(axis=None)
    assert (result.units["miss_rate"] == 1).all()
    assert result.units["found_unit"].tolist() == [None, None, None]
    assert not result.events["hit"].any()
    assert "3 (101, 102, 103) were not found at all" in result.verdict
    assert any("no lag stands out" in note for note in result.notes)
    assert (result.baseline["accuracy"] == 1).all()
    assert result.pieces.empty
    assert result.correlograms.empty
    assert result.confusion["missed"].sum() == len(result.events)


@pytest.mark.parametrize("kind", ["text", "object", "uint"])
def test_ids_of_any_type(kind: str) -> None:
    known = make_known(4)
    trains = known.injected | known.natives
    ids: dict[int, object] = {label: f"unit-{label}" if kind != "uint" else label for label in trains}
    found = as_found(trains, ids)
    if kind == "object":
        found = replace(found, unit_ids=found.unit_ids.astype(object))
    result = known.score_found(found)
    assert (result.units["accuracy"] == 1).all()
    assert result.units["found_unit"].tolist() == [ids[label] for label in sorted(known.injected)]
    assert set(result.confusion.columns) == {*ids.values(), "missed"}
