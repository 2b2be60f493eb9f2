"""Pieces of work on several threads, their results in order, and never more of them under way than fit in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["NUM_WORKERS", "side_by_side"]

NUM_WORKERS = 2
"""Results do not depend on it; memory does."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], *, num_workers: int | None = None
) -> Iterator[Iterator[Result]]:
    """Call a function on each item, some at a time.

    No more are begun than fit in memory. Where the block is left, by an error too, it waits for the few calls under
    way, and for none that were to come: what they use may be closed then.

    Parameters
    ----------
    function : callable
        Spends its time where the interpreter's lock is not held: reading, writing, compiled loops, BLAS.
    items : iterable
    num_workers : int, optional

    Yields
    ------
    iterator
        The results, in the items' order.
    """
    workers = num_workers or NUM_WORKERS
    under_way: deque[Future[Result]] = deque()

    def results() -> Iterator[Result]:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) > workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    with ThreadPoolExecutor(workers) as pool:
        try:
            yield results()
        finally:
            for future in under_way:
                future.cancel()
