"""Who is recommended, and the reason for every refusal."""

from dataclasses import replace

import numpy as np
import pytest

from hybridfactory.donors.candidate import Candidate, Measures
from hybridfactory.donors.judgement import judged, ranked

GOOD = Measures(
    num_spikes=2000,
    firing_rate_hz=8.0,
    snr=12.0,
    amplitude=150.0,
    isi_violations_ratio=0.01,
    num_isi_violations=1,
    presence_ratio=1.0,
    amplitude_cutoff=0.01,
    drift_um=2.0,
    isolation=0.7,
    clean_share=0.95,
    end_share=0.01,
)


def candidate(label: int = 1, curation: str = "good", num_moves: int = 5, **changes: float) -> Candidate:
    return judged(Candidate(label, curation, replace(GOOD, **changes), main_row=3, num_moves=num_moves))  # type: ignore[arg-type]


def test_a_good_unit_is_recommended() -> None:
    unit = candidate()
    assert unit.is_recommended
    assert unit.expected_realism == "good"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_spikes": 99}, "only 99 spikes"),
        ({"snr": 3.9}, "SNR only 3.9"),
        ({"isi_violations_ratio": 0.3, "num_isi_violations": 3}, "ISI violations 0.30"),
        ({"presence_ratio": 0.7}, "present only 70% of the time"),
        ({"amplitude_cutoff": 0.25}, "about 25% of its spikes missed"),
        ({"drift_um": 31.0}, "drifts 31 µm"),
        ({"isolation": 0.1}, "isolation only 0.10"),
        ({"clean_share": 0.4}, "only 40% clean spikes"),
        ({"num_moves": 0}, "no place to move to"),
        ({"curation": "noise"}, "labelled noise"),
        ({"curation": "MUA"}, "labelled MUA"),
    ],
)
def test_one_thing_wrong_is_one_reason(changes: dict[str, object], reason: str) -> None:
    unit = candidate(**changes)  # type: ignore[arg-type]
    assert unit.refusals == (reason,)


def test_few_violations_may_be_chance() -> None:
    assert candidate(isi_violations_ratio=0.9, num_isi_violations=2).is_recommended


def test_what_could_not_be_measured_speaks_against_nobody() -> None:
    assert candidate(amplitude_cutoff=np.nan, drift_um=np.nan).is_recommended


def test_a_unit_without_a_model_is_refused_for_that_alone() -> None:
    unit = judged(Candidate(4, "", Measures(5, 0.1), model_refusal="only 5 spikes; 25 are missing"))
    assert unit.refusals == ("only 5 spikes",)
    assert unit.expected_realism == ""
    assert unit.quality == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "good"),
        ({"num_spikes": 200}, "fair"),
        ({"end_share": 0.2}, "fair"),
        ({"end_share": 0.2, "clean_share": 0.6, "drift_um": 15}, "poor"),
    ],
)
def test_expected_realism(changes: dict[str, float], expected: str) -> None:
    assert candidate(**changes).expected_realism == expected  # type: ignore[arg-type]


def test_ranking() -> None:
    refused, small, large, unlucky = candidate(1, isolation=0), candidate(2, snr=5), candidate(3), candidate(4)
    order = [unit.label for unit in ranked([refused, small, unlucky, large])]
    assert order == [3, 4, 2, 1]


def test_records_are_plain() -> None:
    record = candidate(amplitude_cutoff=np.nan).as_record()
    assert record["amplitude_cutoff"] is None
    assert record["num_spikes"] == 2000
    assert record["reasons"] == []
