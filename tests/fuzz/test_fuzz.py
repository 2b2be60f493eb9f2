"""Some spoilt files for every reader, the same in every run. ``make fuzz`` tries a hundred thousand, and others."""

from collections.abc import Callable

import numpy as np
import pytest
from fuzz_targets import TARGET_NAMES, Target
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import EDITS

NUM_EXAMPLES = {"npy": 20, "mat": 1, "prm": 3, "run": 4}
"""By the first word of a target's name; others 40. A MATLAB file takes a process each, a run many steps."""

EDIT = st.tuples(st.sampled_from(range(len(EDITS))), st.integers(0, 2**32 - 1))


def spoilt(seed: bytes, edits: list[tuple[int, int]]) -> bytes:
    for kind, number in edits:
        seed = EDITS[kind](seed, np.random.default_rng(number))
    return seed


@pytest.fixture(params=TARGET_NAMES)
def target(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


def test_every_format_has_its_name(targets: dict[str, Target]) -> None:
    assert tuple(targets) == TARGET_NAMES


def test_valid_files_are_read(target: Target) -> None:
    assert target.check(target.seeds[0]) is None


@pytest.mark.filterwarnings("default")
def test_spoilt_files_are_read_or_refused_in_one_line(target: Target) -> None:
    count = NUM_EXAMPLES.get(target.name.split()[0], 40)
    _tries(target, count)()


def _tries(target: Target, count: int) -> Callable[[], None]:
    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.sampled_from(target.seeds), edits=st.lists(EDIT, min_size=1, max_size=4))
    def try_it(seed: bytes, edits: list[tuple[int, int]]) -> None:
        target.check(spoilt(seed, edits))

    return try_it


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 1000, b"\n" * 1000], ids=["empty", "null", "ones", "lines"])
def test_nothing_and_nonsense(target: Target, data: bytes) -> None:
    if not target.name.startswith("mat"):
        target.check(data)
