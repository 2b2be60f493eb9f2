"""The makers of sortings and recordings live with the tests of their rooms."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / room) for room in ("sorting", "pipeline") if str(TESTS / room) not in sys.path]

from fuzz_targets import Target, make_targets  # noqa: E402


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return make_targets(tmp_path_factory.mktemp("fuzz"))
