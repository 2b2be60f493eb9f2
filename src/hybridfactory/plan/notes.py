"""Notes on units, gathered: what holds for several is said once."""

from collections.abc import Iterable, Sequence

__all__ = ["gather_notes"]

UNITS_NAMED = 12


def gather_notes(notes: Iterable[tuple[str, Sequence[str]]], *, num_units: int) -> list[str]:
    """Put each note after the units that it holds for.

    Parameters
    ----------
    notes : iterable of (str, sequence of str)
        A unit's name and its notes, unit by unit.
    num_units : int
        How many units there are; a note on all of them does not list them.

    Returns
    -------
    list of str
        Such as ``"units 3, 5: moved by a rotation"``, in the order in which notes first occur.
    """
    units: dict[str, list[str]] = {}
    for name, texts in notes:
        for text in texts:
            named = units.setdefault(text, [])
            if name not in named:
                named.append(name)
    return [f"{_name(named, num_units)}: {text}" for text, named in units.items()]


def _name(units: list[str], num_units: int) -> str:
    if len(units) == 1:
        return f"unit {units[0]}"
    if len(units) == num_units:
        return f"all {num_units} units"
    hidden = len(units) - UNITS_NAMED
    return f"units {', '.join(units[:UNITS_NAMED])}" + f" and {hidden} more" * (hidden > 0)
