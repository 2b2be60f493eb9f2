"""Ctrl-C, a polite kill and a closed terminal end a run alike: as an exception, so that cleanup runs."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "stop_signals_raise"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user or the system asked the process to stop.

    Parameters
    ----------
    signal_number : int
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def _raise_interrupted(signal_number: int, _frame: FrameType | None) -> None:
    # A second signal must not break into the cleanup that the first one started.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted(signal_number)


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Turn the signals that ask a process to stop into `Interrupted`, once, while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    # A signal that is ignored (nohup) or handled by an embedding program stays so.
    ours = [number for number in STOP_SIGNALS if earlier[number] in (signal.SIG_DFL, signal.default_int_handler)]
    for number in ours:
        signal.signal(number, _raise_interrupted)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, earlier[number])
