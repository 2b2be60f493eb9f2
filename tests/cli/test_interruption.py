"""A signal ends the run wherever it comes."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from hybridfactory.cli import entry
from hybridfactory.cli.interruption import Interrupted, stop_signals_raise


class Interrupting:
    """Gets a signal where Python can raise nothing."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)
        time.sleep(0.01)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is not ignored: a shell has what runs in the background ignore Ctrl-C."""
    earlier = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, earlier)


def test_a_signal_in_a_finalizer_is_not_lost(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)
    thing = Interrupting(number)
    with pytest.raises(Interrupted) as caught, stop_signals_raise():
        del thing
        time.sleep(10)
    assert caught.value.signal_number == number
    assert capsys.readouterr().err == ""
    assert (sys.unraisablehook, signal.getsignal(signal.SIGALRM)) == (hook, alarm)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_block_that_ends_before_the_second_try_is_left_in_peace() -> None:
    thing = Interrupting(signal.SIGTERM)
    with stop_signals_raise():
        del thing
    time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_other_errors_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __del__(self) -> None:
            raise ValueError

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_type))
    thing = Failing()
    with stop_signals_raise():
        del thing
    assert seen == [ValueError]


def test_what_breaks_because_of_a_signal_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Python's own locks do, when a signal comes while one is taken."""

    def broken(_arguments: object) -> int:
        try:
            raise Interrupted(15)
        except Interrupted:
            raise RuntimeError("release unlocked lock")  # noqa: B904

    monkeypatch.setattr(entry, "_run", broken)
    assert entry.main([]) == 143
    assert capsys.readouterr().err == "hybridfactory: interrupted\n"
