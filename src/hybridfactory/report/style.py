"""How figures look, and how they become files and parts of a page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = [
    "DONOR",
    "FOUND",
    "GRID",
    "INJECTED",
    "INK",
    "MISSED",
    "MUTED",
    "SERIES",
    "SITE",
    "drawing",
    "how_many",
    "legend_above",
    "new_figure",
    "panel_figure",
    "save",
    "say_none",
    "settle",
    "short",
]

# Okabe and Ito's colours, which every eye tells apart.
DONOR = "#0072b2"
INJECTED = "#d55e00"
FOUND = "#009e73"
MISSED = "#cc79a7"
INK = "#30343b"
MUTED = "#767c86"
GRID = "#d5d8dd"
SITE = "#b4b8bf"

SERIES = (
    (DONOR, "-"),
    (INJECTED, (0.0, (5.0, 1.5))),
    (FOUND, "-."),
    (MISSED, (0.0, (1.5, 1.0))),
    ("#e69f00", (0.0, (6.0, 1.5, 1.0, 1.5, 1.0, 1.5))),
    ("#56b4e9", (0.0, (3.0, 3.0))),
)
"""Colour and line style of things that are compared; more are not told apart."""

STYLE = {
    "svg.hashsalt": "hybridfactory",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "text.parse_math": False,
    "path.simplify_threshold": 0.2,
}

LEFT_IN, RIGHT_IN, BETWEEN_IN = 0.62, 0.14, 0.55
BOTTOM_IN, TOP_IN, HEAD_IN = 0.46, 0.27, 0.24
FILE_DPI = 150
LONGEST_NAME = 18


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the project's style while the block runs; Matplotlib's own settings come back after it."""
    with mpl.rc_context(STYLE):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make an empty figure, with room for labels kept by itself."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_figure(
    width_in: float,
    height_in: float,
    layout: Sequence[Sequence[str]],
    width_ratios: Sequence[float] | None = None,
    *,
    head: str = "",
    foot_in: float = BOTTOM_IN,
) -> tuple[Figure, dict[str, Axes]]:
    """Make a figure with panels at fixed places, as every unit has one: quick to draw, and all alike.

    Parameters
    ----------
    width_in, height_in : float
    layout : sequence of sequences of str
        Names of the panels, row by row.
    width_ratios : sequence of float, optional
        Of the columns.
    head : str
        Title of the whole figure.
    foot_in : float
        Room below each panel for the label of its axis.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to matplotlib.axes.Axes
        By name.
    """
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    rows, columns = len(layout), len(layout[0])
    head_in = HEAD_IN if head else 0.0
    if head:
        figure.text(0.1 / width_in, 1 - 0.06 / height_in, head, va="top", fontsize=10)
    high = (height_in - head_in - TOP_IN - foot_in - (rows - 1) * (TOP_IN + foot_in)) / rows
    wide = (width_in - LEFT_IN - RIGHT_IN - (columns - 1) * BETWEEN_IN) / columns
    places = {
        "left": LEFT_IN / width_in,
        "right": 1 - RIGHT_IN / width_in,
        "bottom": foot_in / height_in,
        "top": 1 - (head_in + TOP_IN) / height_in,
        "wspace": BETWEEN_IN / wide,
        "hspace": (TOP_IN + foot_in) / high,
    }
    panels: dict[str, Axes] = figure.subplot_mosaic(
        [list(row) for row in layout], width_ratios=width_ratios, gridspec_kw=places
    )
    return figure, panels


def how_many(drawn: int, known: int) -> str:
    """Write how many of some things are drawn."""
    return f"{drawn:,}" if drawn >= known else f"{drawn:,} of {known:,}"


def say_none(axes: Axes, why: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.set_xticks([])
    axes.set_yticks([])


def short(name: object) -> str:
    """Text of a name that others have given, cut to what fits into a figure and its font."""
    text = str(name).encode("ascii", "replace").decode()
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def legend_above(axes: Axes) -> None:
    """Put the legend beside the title, where it covers no data."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=3,
        borderpad=0.1,
        handletextpad=0.4,
        columnspacing=0.9,
        handlelength=1.6,
        markerscale=2.0,
    )


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and as SVG, dark on white; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    stem : pathlib.Path
        Path without the ending.

    Returns
    -------
    list of pathlib.Path
    """
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    settle(figure)
    figure.savefig(png, dpi=FILE_DPI, facecolor="white", metadata={"Software": None})
    figure.savefig(svg, dpi=FILE_DPI, facecolor="white", metadata={"Date": None})
    return [png, svg]


def settle(figure: Figure) -> None:
    """Lay a figure out once; otherwise Matplotlib does so for every file."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
