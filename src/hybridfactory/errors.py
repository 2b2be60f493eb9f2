"""Every exception that hybridfactory raises on purpose.

Each is a user error: the message is one line that says what is wrong, where, and what to do. Each also
inherits the builtin that fits, so that callers who know nothing of hybridfactory can catch it.

Messages quote names and values out of files. Whatever these hold, a message stays one line of moderate length that
a terminal can show: line breaks become spaces, and control characters (a terminal would obey them) are spelt out.
"""

__all__ = [
    "HybridFactoryError",
    "MissingExtraError",
    "MissingFileError",
    "NothingInjectedError",
    "OutputError",
    "ParameterError",
    "PlacementError",
    "ProbeError",
    "RecordingError",
    "SorterError",
    "SortingError",
    "printable",
    "printable_line",
]

LONGEST_LINE = 1200
KEPT_AT_END = 400  # what to do stands there


def printable_line(text: str) -> str:
    """Put a text on one line that is not too long, its control characters spelt out."""
    line = printable(text).strip()
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE - KEPT_AT_END]} … {line[-KEPT_AT_END:]}"


def printable(text: str) -> str:
    """Spell out control characters, and turn line breaks and tabs into spaces."""
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


class HybridFactoryError(Exception):
    """Base of all user errors."""

    def __str__(self) -> str:
        return printable_line(super().__str__())


class MissingExtraError(HybridFactoryError, ImportError):
    """A package that only some commands need is not installed."""


class MissingFileError(HybridFactoryError, FileNotFoundError):
    """A file or folder that the user named does not exist."""


class ParameterError(HybridFactoryError, ValueError):
    """A parameter, or the file that holds it, is wrong."""


class ProbeError(HybridFactoryError, ValueError):
    """A probe description is wrong, or does not fit the recording."""


class RecordingError(HybridFactoryError, ValueError):
    """A raw recording, or its metadata, cannot be read as described."""


class SorterError(HybridFactoryError, RuntimeError):
    """A spike sorter was started and did not come to an end."""


class SortingError(HybridFactoryError, ValueError):
    """A spike sorter's output cannot be read, or does not fit the recording."""


class PlacementError(HybridFactoryError, ValueError):
    """A unit cannot be moved as asked."""


class OutputError(HybridFactoryError, OSError):
    """The output cannot be written where it was asked for."""


class NothingInjectedError(HybridFactoryError, RuntimeError):
    """No unit could be injected."""
