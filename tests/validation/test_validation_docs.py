"""docs/validation.md names every table, every column, and the constants that the code uses."""

import re
from pathlib import Path

import pandas as pd
from sorted_run import Sorted, compare

from hybridfactory.validation import (
    attribution,
    curves,
    hybrid,
    lag,
    matching,
    reasons,
    surroundings,
    tables,
    verdict,
)

PAGE = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"\n### {heading}\n")[1].split("\n### ")[0].split("\n## ")[0]


def described(heading: str) -> set[str]:
    firsts = re.findall(r"^\| (`[^|]*) \|", section(heading), re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_every_table_and_column_is_described(hybrid: Sorted, perfect: Path, tmp_path: Path) -> None:
    folder = compare(hybrid.folder, perfect, output_directory=tmp_path / "out").output_directory
    names = {re.sub("-perfect", "-NAME", path.name) for path in folder.iterdir()}
    assert names == set(re.findall(r"^\| \[`([^`]+)`\]\(", PAGE, re.MULTILINE))
    for path in folder.glob("*.csv"):
        if not path.name.startswith("confusion"):
            assert set(pd.read_csv(path).columns) == described(path.name), path.name


def test_numbers_on_the_page_are_those_of_the_code() -> None:
    for text in (
        f"within ±{lag.REACH_MS:g} ms",
        f"less than {lag.MIN_SHARE:.0%}".replace("%", " %") + " of the events",
        f"less than {lag.MIN_DEVIATIONS:g} standard deviations",
        f"agreements from {matching.MATCH_SCORE:g}",
        f"at least {matching.CHANCE_SCORE:g}",
        f"at least {matching.MIN_COINCIDENCES} coincidences",
        f"{matching.MIN_DEVIATIONS:g} standard deviations more",
        f"at least {attribution.MERGE_SHARE * 100:.0f} % of an injected unit's events",
        f"rises by {verdict.SPLIT_GAIN:g} or more",
        f"accuracy ≥ {verdict.WELL_FOUND:g}",
        f"not found at all below {verdict.NOT_FOUND:g}",
        f"within {surroundings.NEAR_UM:g} µm",
        f"up to {surroundings.REACH_MS:g} ms away",
        f"another unit within {surroundings.NEAR_UM:g} µm has",
        f"events with one within {reasons.COLLISION_MS:g} ms",
        f"each, within ±{tables.CORRELOGRAM_MS:g} ms",
        f"whether that is within {tables.DISTURBED_UM:g} µm",
        f"within {surroundings.RATE_WINDOW_S:g} s",
        f"up to {curves.NUM_BINS} bins",
        f"of {curves.MIN_EVENTS_PER_BIN} events or more",
        f"within {reasons.EDGE_MS:g} ms of an end",
        f"a spike within {reasons.COLLISION_MS:g} ms",
        f"SNR below {reasons.SMALL_SNR:g}",
        f"below {reasons.SMALL_SHARE * 100:.0f} % of the unit's median",
        f"shift above {reasons.DRIFT_UM:g} µm",
        f"stretch of {reasons.EVENTS_PER_REGION} of its unit's events",
        f"lower by {verdict.DISTURBED_LOSS:g} or more",
        hybrid.FIRINGS_NAME,
    ):
        assert text in PAGE, text
