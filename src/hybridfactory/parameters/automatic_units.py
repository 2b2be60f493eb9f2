"""Donor units that the program is to choose: ``ground_truth_units = "auto"`` or ``"auto:10"``."""

import re
from typing import Any

from hybridfactory.parameters.rules import Rule

__all__ = ["AutomaticUnits", "automatic_or"]


class AutomaticUnits(tuple[int, ...]):
    """No labels yet, and how many there are to be at most.

    It is empty, so that whatever goes through labels finds none before they are chosen.

    Parameters
    ----------
    limit : int, optional
        Default: all that are recommended.
    """

    limit: int | None

    def __new__(cls, limit: int | None = None) -> "AutomaticUnits":
        """Make the empty tuple, and let it carry the limit."""
        units = super().__new__(cls)
        units.limit = limit
        return units

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AutomaticUnits) and self.limit == other.limit

    def __hash__(self) -> int:
        return hash(("auto", self.limit))

    def __repr__(self) -> str:
        """Give the value as a parameter file writes it."""
        return repr("auto" if self.limit is None else f"auto:{self.limit}")


def automatic_or(labels: Rule) -> Rule:
    """Accept ``"auto"`` and ``"auto:10"`` as well."""

    def read(value: Any) -> Any:
        if isinstance(value, AutomaticUnits):
            return value
        if not isinstance(value, str):
            return labels.read(value)
        match = re.fullmatch(r"auto(?::([1-9][0-9]{0,5}))?", value.strip())
        if match is None:
            raise ValueError
        return AutomaticUnits(int(match[1]) if match[1] else None)

    return Rule(labels.expects, read)
