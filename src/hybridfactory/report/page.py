"""Tables and pages: what a template is filled with, and how it becomes one file without references elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from hybridfactory._version import __version__

__all__ = ["MAX_FIGURE_BYTES", "Cell", "Column", "PageFigure", "Table", "cell", "number", "render"]

MAX_FIGURE_BYTES = 8_500_000
"""What all figures of a page may weigh, so that it stays below 10 MB with its tables."""

UNKNOWN = "–"
LONG_TEXT = 28


@dataclass(frozen=True)
class Column:
    """A column of a page's table.

    Parameters
    ----------
    title : str
    help : str
        Shown when the pointer rests on the title.
    is_text : bool
        Aligned left; numbers are aligned right.
    """

    title: str
    help: str = ""
    is_text: bool = False


@dataclass(frozen=True)
class Cell:
    """What stands in a table's cell.

    Parameters
    ----------
    text : str
    value : str
        By what the column is sorted.
    href : str
        Link within the page; empty without one.
    tone : str
        Name of a style; empty for the plain one.
    """

    text: str
    value: str = ""
    href: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a page, which sorts when a title is clicked.

    Parameters
    ----------
    caption : str
    columns : sequence of Column
    rows : sequence of sequences of Cell
    is_worth_saying : bool
        Whether the caption tells something even where there are no rows.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    is_worth_saying: bool = False


@dataclass(frozen=True)
class PageFigure:
    """A figure on a page.

    Parameters
    ----------
    svg : str
        As `inline_svg` returns it.
    caption : str
    """

    svg: str
    caption: str = ""

    @property
    def markup(self) -> Markup:
        """The figure, exempt from escaping: it is drawn by this program, which escapes what it writes into it."""
        return Markup(self.svg)  # noqa: S704 - see above


def number(value: Any, digits: int = 0, *, sign: bool = False) -> str:
    """Write a number with thousands set apart; a dash for one that is not known."""
    if value is None or value is pd.NA or not math.isfinite(value):
        return UNKNOWN
    rounded = round(float(value), digits) + 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "−")


def cell(value: Any, digits: int | None = None, *, href: str = "", tone: str = "", sign: bool = False) -> Cell:
    """Make a cell of a number (with `digits` given) or of text."""
    if digits is None:
        text = str(value)
        return Cell(text, text, href, f"{tone} long".strip() if len(text) > LONG_TEXT else tone)
    known = value is not None and value is not pd.NA and math.isfinite(value)
    return Cell(number(value, digits, sign=sign), f"{float(value):.9g}" if known else "", href, tone)


def render(template: str, **values: Any) -> str:
    """Fill one of the package's templates. Whatever is filled in is escaped, figures excepted.

    Parameters
    ----------
    template : str
        Name of a file in ``report/templates``.
    **values : object

    Returns
    -------
    str
        HTML.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hybridfactory.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template(template).render(version=__version__, **values)
