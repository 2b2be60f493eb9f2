"""Names of parameters as people type them: aliases of 2018, the nearest known name, and slips of the pen."""

import difflib
from collections.abc import Collection, Iterable

__all__ = ["ALIASES", "did_you_mean", "find_slip", "nearest_name"]

ALIASES = {"probe_type": "probe", "jitter_factor": "time_jitter"}


def nearest_name(name: str, known: Collection[str]) -> str:
    """Known name most like `name`."""
    best = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.0)
    return best[0]


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """End an error message with the known name that was probably meant, if one is like it."""
    if not isinstance(name, str):
        return ""
    by_folded = {other.lower(): other for other in known if isinstance(other, str)}
    near = difflib.get_close_matches(name.lower(), by_folded, n=1)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""


def find_slip(name: str, known: Collection[str], present: Collection[str]) -> str | None:
    """Tell which parameter a variable of a Python file was most likely meant to be.

    Letter case and underscores count for nothing; one letter off in a short name, two in a longer one, or
    three in a very long one are a slip. A variable that only extends the name of a parameter which the file
    also sets (``start_times`` beside ``start_time``) is a helper.

    Parameters
    ----------
    name : str
    known : collection of str
        Names of all parameters.
    present : collection of str
        Parameters that the file sets.

    Returns
    -------
    str or None
        None for a name that is none of our business.
    """
    typed = _folded(name)
    near: list[tuple[int, str]] = []
    for parameter in known:
        if parameter in present and name.startswith(parameter):
            continue
        meant = _folded(parameter)
        distance = _edit_distance(typed, meant)
        if distance <= _allowed_slips(len(meant)):
            near.append((distance, parameter))
    return min(near)[1] if near else None


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _allowed_slips(length: int) -> int:
    if length < 7:
        return 1
    return 2 if length < 16 else 3


def _edit_distance(first: str, second: str) -> int:
    """Letters to insert, drop, replace, or swap with their neighbour, to turn one word into the other."""
    before_last: list[int] = []
    last = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        row = [i]
        for j, other in enumerate(second, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            swapped = i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other
            row.append(min(cost, before_last[j - 2] + 1) if swapped else cost)
        before_last, last = last, row
    return last[-1]
