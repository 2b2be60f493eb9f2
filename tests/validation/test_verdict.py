"""The sentences: their figures are those of the tables, and their words fit them."""

import numpy as np
import pandas as pd
import pytest
from known import RATE, make_known

from hybridfactory.validation.verdict import judge_baseline, make_verdict

NO_MERGES = pd.DataFrame({"partner_kind": pd.Series(dtype=object), "new_unit": pd.Series(dtype=np.int64)})


def verdict(reasons: list[str], *, false: int = 0) -> str:
    """Of two units of 50 events each; an empty reason is a hit."""
    events = pd.DataFrame({"reason": [*reasons, *[""] * (100 - len(reasons))]})
    events["hit"] = events["reason"] == ""
    units = pd.DataFrame({"new_unit": [101, 102], "accuracy": [0.9, 0.84], "merged_accuracy": [0.9, 0.84]})
    missed = len([reason for reason in reasons if reason])
    units["events"], units["missed"], units["found_spikes"] = 50, [missed, 0], [100, 0]
    units["false"] = [false, 0]
    return make_verdict("ks", units, NO_MERGES, events)


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], "No event was missed."),
        (["small"], "1 % of the events were missed, all of them because they are small."),
        (["collision"] * 6 + ["other"] * 2, "8 % of the events were missed, most of them in collisions with other"),
        (["edge"] * 2 + ["small", "other", "drifted"], "5 % of the events were missed, 40 % of them at the ends"),
    ],
)
def test_it_tells_the_share_missed_and_the_main_reason(reasons: list[str], expected: str) -> None:
    text = verdict(reasons)
    assert text.startswith("ks found 2 of 2 units at accuracy ≥ 0.8 (median 0.87). ")
    assert expected in text
    assert "false" not in text


def test_many_false_spikes_are_told() -> None:
    assert verdict([], false=5).endswith("No event was missed; 5 % of the matched units' spikes are false.")
    assert "false" not in verdict([], false=4)


def baseline(near: list[float], far: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"accuracy": near + far, "near_injected": [True] * len(near) + [False] * len(far)})


def test_whether_the_injection_disturbed_anything() -> None:
    same = judge_baseline(baseline([0.9, 0.7], [0.8, 0.8, 0.2]))
    assert same == (
        "No sign of a disturbance: 1 of 2 native units (median 0.80) near injected units were found again at "
        "accuracy ≥ 0.8, 2 of 3 native units (median 0.80) elsewhere."
    )
    assert judge_baseline(baseline([0.7], [0.9])).startswith("Found worse near injected units: 0 of 1 native unit (")
    assert "nothing to tell a disturbance by" in judge_baseline(baseline([0.7], []))
    assert judge_baseline(baseline([], [])) == ""


def test_a_correlogram_has_a_bin_per_sample_around_zero() -> None:
    known = make_known(0)
    late = {label: train + 3 for label, train in known.injected.items()}
    late[101] = late[101] + 2 * (np.arange(late[101].size) % 4 == 0)
    train = known.injected[101]
    on_the_edge = train[[10, 20, 30]] + 3 + np.array([60, -60, 61])  # the third lies beyond the last bin
    late[101] = np.sort(np.append(late[101], on_the_edge))
    result = known.score(late | known.natives)
    table = result.correlograms[result.correlograms["new_unit"] == 101]
    assert len(table) == 2 * round(0.002 * RATE) + 1
    centres = (table["low_ms"] + table["high_ms"]).to_numpy() / 2 * RATE / 1000
    np.testing.assert_allclose(centres, np.arange(-60, 61), atol=1e-9)
    counts = table["count"].to_numpy()
    assert counts[60] >= train.size - -(-train.size // 4)
    assert counts[62] >= -(-train.size // 4)
    apart = np.subtract.outer(late[101] - 3, train).ravel()
    expected = np.bincount(apart[np.abs(apart) <= 60] + 60, minlength=121)
    assert (expected[[0, -1]] > 0).all()  # the outermost bins are not left out
    np.testing.assert_array_equal(counts, expected)
    assert table["high_ms"].to_numpy()[:-1] == pytest.approx(table["low_ms"].to_numpy()[1:])
