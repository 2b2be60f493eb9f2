"""The makers of sortings and recordings live with the tests of their rooms."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / room) for room in ("sorting", "pipeline") if str(TESTS / room) not in sys.path]

from bench import Workshop  # noqa: E402


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop.build(tmp_path_factory.mktemp("workshop"))
