"""Every row of docs/errors.md is a case that is tried, and says what the program says."""

import re
from pathlib import Path

import pytest
from bench import Bench, Case, Workshop, answer, shown
from errors_page import INTRODUCTION, PAGE, cell, rows_of
from hybrid_world import contents
from registry import SECTIONS

ADVICE = re.compile(
    r"\b(check|choose|copy|correct|count|describe|detect|export|fix|free|give|keep|leave|list|make|mark|mean|must|needs|put|remove|restore"
    r"|run|save|set|sort|use)\b"
)
OWN_LINE = re.compile(r"^params\.(py|toml)(, line \d+)?: (\w+Error: |syntax error: )")
"""Python's own words about a file that is a program of its user's; file and line are what is to be corrected."""

CASES = [(title, case) for title, cases in SECTIONS.items() for case in cases]
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = rows_of(TEXT)


def test_the_page_has_a_row_for_every_case_and_no_other() -> None:
    assert TEXT.startswith(INTRODUCTION)
    assert {title: list(rows) for title, rows in ROWS.items()} == {
        title: [case.what for case in cases] for title, cases in SECTIONS.items()
    }


@pytest.mark.parametrize(("title", "case"), CASES, ids=[f"{title}: {case.what}" for title, case in CASES])
def test_the_message(title: str, case: Case, workshop: Workshop, tmp_path: Path) -> None:
    """One line, exit code 2, nothing left behind, as the page says, and it tells what to do."""
    bench = Bench(tmp_path, workshop)
    arguments = case.make(bench)
    before = contents(tmp_path)
    code, lines, out = answer(arguments, tmp_path)
    assert code == 2, lines
    assert not out
    assert len(lines) == 1, lines
    assert lines[0].startswith("hybridfactory: error: ")
    assert lines[0].isprintable()
    assert contents(tmp_path) == before
    message = shown(lines[0], tmp_path, case.varies)
    assert cell(message) == ROWS[title][case.what]
    assert ADVICE.search(message) or OWN_LINE.search(message), message


def test_the_source_of_the_workshop_was_never_touched(workshop: Workshop) -> None:
    assert workshop.world.raw.read_bytes() == workshop.world.source.tobytes()
