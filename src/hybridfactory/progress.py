"""How long work tells the caller where it stands, without knowing who draws it."""

from collections.abc import Callable

__all__ = ["ProgressCallback", "no_progress"]

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of the step, the amount done, and the total amount (same unit, 0 < total)."""


def no_progress(step: str, done: int, total: int) -> None:
    """Draw nothing."""
