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

    with side_by_side(work, range(30), num_workers=num_workers) as results:
        assert list(results) == [item * item for item in range(30)]


def test_nothing_to_do():
    with side_by_side(str, []) as results:
        assert list(results) == []


def test_no_more_than_a_few_are_begun():
    """Who takes results slowly must not find all of them waiting in memory."""
    begun = []
    with side_by_side(begun.append, range(100), num_workers=2) as results:
        next(results)
        time.sleep(0.1)
        assert len(begun) <= 4
    assert len(begun) <= 4


def test_nothing_is_under_way_once_the_block_is_left():
    """What the work uses is closed then: a file's number may be another file's by now."""
    under_way = []

    def work(item):
        under_way.append(item)
        time.sleep(0.05)
        under_way.remove(item)
        return item

    with pytest.raises(KeyboardInterrupt), side_by_side(work, range(100), num_workers=2) as results:
        next(results)
        raise KeyboardInterrupt
    assert not under_way


def test_errors_come_through_and_end_the_work():
    begun = []

    def work(item):
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"), side_by_side(work, range(100), num_workers=2) as results:
        list(results)
    assert max(begun) <= 7
    assert threading.active_count() < 5
