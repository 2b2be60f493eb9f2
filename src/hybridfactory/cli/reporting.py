"""What a command shows on stderr while it works: progress, the library's messages, warnings; or nothing."""

import io
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hybridfactory.cli.streams import say
from hybridfactory.errors import printable
from hybridfactory.progress import ProgressCallback, no_progress

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Reporter", "reporting"]

SECONDS_BETWEEN_LINES = 10.0
MOST_SECONDS_BETWEEN_LINES = 300.0


class _Display(Protocol):
    def progress(self, step: str, done: int, total: int) -> None: ...

    def print(self, line: str) -> None: ...


class _Bar:
    """One live line on a terminal, replaced from step to step."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._step: str | None = None

    def progress(self, step: str, done: int, total: int) -> None:
        if step != self._step:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(step)
            self._step = step
        self._bar.update(self._bar.task_ids[-1], completed=done, total=total)

    def print(self, line: str) -> None:
        from rich.text import Text

        self._bar.console.print(Text(printable(line)), soft_wrap=True)


@dataclass
class _Step:
    """What was heard of a step, and how many lines it was worth."""

    done: int
    total: int
    part: int = 1
    lines: int = 1

    def hear(self, done: int, total: int) -> None:
        # What does not fit into memory at once is done in parts, each from 0 to its own total.
        self.part += done < self.done or total != self.total
        self.done, self.total = done, total


class _Lines:
    """Plain lines for logs and pipes: one when a step begins, and ever fewer in a long step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: dict[str, _Step] = {}
        self._last = 0.0

    def progress(self, step: str, done: int, total: int) -> None:
        heard = self._steps.get(step)
        if heard is None:
            self._steps[step] = _Step(done, total)
            self.print(step)
            self._last = self._clock()
            return
        heard.hear(done, total)
        pause = min(SECONDS_BETWEEN_LINES * 2 ** (heard.lines - 1), MOST_SECONDS_BETWEEN_LINES)
        now = self._clock()
        if done < total and now - self._last >= pause:
            part = f", part {heard.part}" * (heard.part > 1)
            self.print(f"{step}{part}: {100 * done // total} %")
            heard.lines += 1
            self._last = now

    def print(self, line: str) -> None:
        say(line, err=True)


class Reporter:
    """Hands what the library tells to whatever displays it.

    Parameters
    ----------
    display : object with ``progress`` and ``print``, or None
        None shows nothing.
    """

    def __init__(self, display: _Display | None) -> None:
        self._display = display
        self._warned: set[str] = set()

    @property
    def progress(self) -> ProgressCallback:
        """The callback for long work."""
        return no_progress if self._display is None else self._display.progress

    def note(self, text: str) -> None:
        """Show a line that the user should know."""
        if self._display is not None:
            self._display.print(text)

    def warn(self, text: str) -> None:
        """Show a warning, unless the same was shown before."""
        if text not in self._warned:
            self._warned.add(text)
            self.note(f"hybridfactory: warning: {text}")


class _ReporterHandler(logging.Handler):
    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        show = self._reporter.warn if record.levelno >= logging.WARNING else self._reporter.note
        show(record.getMessage())


@contextmanager
def reporting(*, silent: bool) -> Iterator[Reporter]:
    """Show the library's progress and messages on stderr while the block runs.

    Parameters
    ----------
    silent : bool
        Show nothing.
    """
    with _display(silent) as display:
        reporter = Reporter(display)
        # What a parameter file prints must not get into a summary that a machine reads.
        elsewhere = redirect_stdout(io.StringIO() if silent else sys.stderr)
        with elsewhere, _log_goes_to(_ReporterHandler(reporter)), _foreign_warnings_hidden():
            yield reporter


@contextmanager
def _display(silent: bool) -> Iterator[_Display | None]:
    if silent:
        yield None
    elif not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
        yield _Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield _Bar(bar)


@contextmanager
def _log_goes_to(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("hybridfactory")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


@contextmanager
def _foreign_warnings_hidden() -> Iterator[None]:
    """Keep other libraries' Python warnings off the user's screen, unless Python was told to show them."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        yield
