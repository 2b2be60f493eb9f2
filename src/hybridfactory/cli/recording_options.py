"""Options that say of a recording what cannot be found by itself; commands that look for one share them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hybridfactory.pipeline.inputs import Ask, Known

__all__ = ["FilesCommand", "Stated", "asker", "known_from", "recording_options"]

RAW = "--raw"


class FilesCommand(click.Command):
    """A command whose ``--raw`` takes several files, as a shell's glob gives them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat ``--raw`` before each file; a folder among them is the sorting."""
        return super().parse_args(ctx, _repeated(args))


def _repeated(arguments: Sequence[str]) -> list[str]:
    result: list[str] = []
    takes_files = False
    for position, word in enumerate(arguments):
        is_first = position > 0 and arguments[position - 1] == RAW
        if word.startswith("-") and not is_first:
            takes_files = word == RAW
        elif takes_files and not is_first:
            if Path(word).is_dir():
                takes_files = False
            else:
                result.append(RAW)
        result.append(word)
    return result


@dataclass(frozen=True)
class Stated:
    """What the options say of a recording."""

    raw: tuple[Path, ...]
    sample_rate: float | None
    probe: str | None
    data_type: str | None
    rows: int | None


def recording_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a recording; the function is given them together, as ``stated``."""

    @wraps(function)
    def gathered(
        *,
        raw: tuple[Path, ...],
        sample_rate: float | None,
        probe: str | None,
        data_type: str | None,
        rows: int | None,
        **others: Any,
    ) -> None:
        function(stated=Stated(raw, sample_rate, probe, data_type, rows), **others)

    path = click.Path(path_type=Path)
    for option in (
        click.option("--rows", type=click.IntRange(min=1), help="Rows (saved channels) of the raw files."),
        click.option("--data-type", metavar="TYPE", help="NumPy type of the samples, such as int16."),
        click.option(
            "--probe", metavar="PROBE", help="neuropixels3a, eMouse, or a probeinterface .json or .npz file."
        ),
        click.option("--sample-rate", metavar="HZ", type=float, help="Sampling rate of the raw files."),
        click.option(RAW, metavar="FILE...", multiple=True, type=path, help="Raw recording, one file or several."),
    ):
        option(gathered)
    return gathered


def known_from(place: Path, stated: Stated, *, may_ask: bool) -> "Known":
    """Put together what these options say, and on a terminal, ask for what is missing.

    Not to be called while progress is shown: a question would be painted over.

    Raises
    ------
    ParameterError
        If the sampling rate is no rate.
    """
    from hybridfactory.errors import ParameterError
    from hybridfactory.pipeline.inputs import Known, ask_for_missing

    rate = stated.sample_rate
    if rate is not None and not 0 < rate < float("inf"):
        raise ParameterError(f"--sample-rate: {rate:g} is no number above 0")
    known = Known(stated.raw, sample_rate=rate, data_type=stated.data_type, probe=stated.probe, num_rows=stated.rows)
    ask = asker(silent=not may_ask)
    return known if ask is None else ask_for_missing(place, known, ask)


def asker(silent: bool) -> "Ask | None":
    """Return what asks the user on a terminal; None where there is nobody to ask."""
    if silent or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda option, question: str(click.prompt(f"{question} [{option}]", err=True))
