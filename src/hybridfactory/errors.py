"""Every exception that hybridfactory raises on purpose.

Each is a user error: the message is one line that says what is wrong, where, and what to do. Each also
inherits the builtin that fits, so that callers who know nothing of hybridfactory can catch it.
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
]


class HybridFactoryError(Exception):
    """Base of all user errors."""


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
