"""Write the table of docs/parameters.md anew, from the class that holds the parameters.

    python docs/parameter_table.py

A test fails where the page and the class differ.
"""

from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from hybridfactory.parameters import Parameters

PAGE = Path(__file__).with_name("parameters.md")
HEAD = ["| Parameter | Default | Unit | Meaning |", "|---|---|---|---|"]


def table() -> list[str]:
    """Lines of the table, one per parameter after the head."""
    return [*HEAD, *map(_row, fields(Parameters))]


def _row(item: "Field[Any]") -> str:
    choices = item.metadata["choices"]
    meaning = item.metadata["doc"]
    if any(isinstance(choice, str) for choice in choices):
        quoted = [f'`"{choice}"`' for choice in choices]
        meaning += f" One of {', '.join(quoted)}."
    return f"| `{item.name}` | {_default(item)} | {item.metadata['unit'] or '—'} | {meaning} |"


def _default(item: "Field[Any]") -> str:
    if item.default is MISSING:
        return "*required*"
    if item.default is None:
        return "see right"
    return f"`{list(item.default) if isinstance(item.default, tuple) else repr(item.default)}`"


def with_table(page: str) -> str:
    """Put the table in the place of the one that a page holds."""
    lines = page.split("\n")
    first = lines.index(HEAD[0])
    last = next(number for number in range(first, len(lines)) if not lines[number].startswith("|"))
    return "\n".join([*lines[:first], *table(), *lines[last:]])


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
