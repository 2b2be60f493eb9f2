"""Ctrl-C, a polite kill and a closed terminal end a run alike: as an exception, so that cleanup runs."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "stop_signals_raise"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_TRY_AGAIN = 0.02


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


def _raise_again(
    unraisable: "sys.UnraisableHookArgs", otherwise: Callable[["sys.UnraisableHookArgs"], object]
) -> None:
    """See that a signal is not lost that came where nothing can be raised: in a finalizer, or a callback from C."""
    error = unraisable.exc_value
    if not isinstance(error, Interrupted):
        otherwise(unraisable)
        return

    def alarm(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted(error.signal_number)

    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_TRY_AGAIN)


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Turn the signals that ask a process to stop into `Interrupted`, once, while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    # A signal that is ignored (nohup) or handled by an embedding program stays so.
    ours = [number for number in STOP_SIGNALS if earlier[number] in (signal.SIG_DFL, signal.default_int_handler)]
    hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    sys.unraisablehook = lambda unraisable: _raise_again(unraisable, hook)
    for number in ours:
        signal.signal(number, _raise_interrupted)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if signal.getsignal(signal.SIGALRM) is not alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
        for number in ours:
            signal.signal(number, earlier[number])
