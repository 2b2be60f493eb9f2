"""Work on several threads at once."""

import threading
import time

import pytest

from hybridfactory.recording.side_by_side import side_by_side


@pytest.mark.parametrize("num_workers", [1, 2, 5, None])
def test_results_come_in_order(num_workers):
    def work(item):
        time.sleep(0.01 if item % 3 == 0 else 0)
        return item * item

    assert list(side_by_side(work, range(30), num_workers=num_workers)) == [item * item for item in range(30)]


def test_nothing_to_do():
    assert list(side_by_side(str, [])) == []


def test_no_more_than_a_few_are_begun():
    """Who takes results slowly must not find all of them waiting in memory."""
    begun = []
    results = side_by_side(begun.append, range(100), num_workers=2)
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 4
    results.close()
    assert len(begun) <= 5


def test_errors_come_through_and_end_the_work():
    begun = []

    def work(item):
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(side_by_side(work, range(100), num_workers=2))
    assert max(begun) <= 7
    assert threading.active_count() < 5
