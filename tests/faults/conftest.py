"""One stage for all faults, and how many of them there are to be."""

from collections.abc import Iterator

import pytest
from stories import NUM_KILLS, Stage, quick_folder, set_stage


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=NUM_KILLS, help="kill runs at so many random moments, and at every step if more"
    )


@pytest.fixture(scope="session")
def num_kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("kills", NUM_KILLS))


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with quick_folder() as folder, set_stage(folder) as ready:
        yield ready
