"""Figures as parts of a page: small, self-contained, and in the page's own colours and font."""

import base64
import io
import re

from matplotlib.figure import Figure
from PIL import Image

from hybridfactory.report.style import DONOR, FOUND, GRID, INJECTED, INK, MISSED, MUTED, SITE, settle

__all__ = ["inline_svg"]

# On a page, the page's scheme decides; the names are those of its style sheet.
THEMED = {
    DONOR: "--donor",
    INJECTED: "--injected",
    FOUND: "--found",
    MISSED: "--missed",
    "#e69f00": "--fifth",
    "#56b4e9": "--sixth",
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    SITE: "--site",
}

PAGE_DPI = 130


def inline_svg(figure: Figure, prefix: str, description: str) -> str:
    """Turn a figure into an SVG element that takes its colours and font from the page around it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    prefix : str
        Letters, digits and hyphens; keeps the identifiers of a page's figures apart.
    description : str
        What a reader who cannot see the figure is told.

    Returns
    -------
    str
        Self-contained: raster parts are embedded, and no address is named.
    """
    stream = io.StringIO()
    settle(figure)
    figure.savefig(stream, format="svg", dpi=PAGE_DPI, transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    opening = rf'<svg \1 role="img" aria-label="{_quoted(description)}">'
    text = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", opening, text, count=1)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"\s*font-family: [^;\"]*;?", "", text)
    text = re.sub(r"(font: [\d.]+px) [^;\"]*", r"\1 inherit", text)
    text = _few_colours(_short_numbers(text))
    text = _own_identifiers(text, prefix)
    for colour, name in THEMED.items():
        text = text.replace(colour, f"var({name})")
    return re.sub(r">\s+<", "><", text)


def _quoted(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text.replace("\\", "\\\\")


def _short_numbers(svg: str) -> str:
    """Cut coordinates to what can be seen: it makes paths half as long."""

    def path(match: re.Match[str]) -> str:
        return f' d="{_rounded(" ".join(match[1].split()), 1)}"'

    def place(match: re.Match[str]) -> str:
        return f'{match[1]}{_rounded(match[2], 2)}"'

    svg = re.sub(r" d=\"([^\"]*)\"", path, svg)
    return re.sub(r"( (?:x|y|x1|x2|y1|y2|width|height|transform)=\")([^\"]*)\"", place, svg)


def _rounded(numbers: str, digits: int) -> str:
    def shorten(match: re.Match[str]) -> str:
        return f"{float(match[0]):.{digits}f}".rstrip("0").rstrip(".")

    return re.sub(r"-?\d+\.\d+", shorten, numbers)


def _few_colours(svg: str) -> str:
    """Store embedded pictures with a palette: thin lines in one colour need no more."""

    def smaller(match: re.Match[str]) -> str:
        with Image.open(io.BytesIO(base64.b64decode(match[1]))) as picture:
            few = picture.convert("RGBA").quantize(32, method=Image.Quantize.FASTOCTREE)
        stream = io.BytesIO()
        few.save(stream, format="png", optimize=True)
        return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"

    return re.sub(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)", smaller, svg)


def _own_identifiers(svg: str, prefix: str) -> str:
    """Drop identifiers that nothing refers to, and give the others a prefix."""
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))

    def identifier(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r" id=\"([^\"]+)\"", identifier, svg)
    return re.sub(r"(url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)
