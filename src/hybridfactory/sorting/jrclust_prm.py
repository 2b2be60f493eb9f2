"""JRCLUST's parameter file: MATLAB assignments, of which a few are needed. Nothing is executed."""

import re
from dataclasses import dataclass
from pathlib import Path

from hybridfactory.errors import SortingError

__all__ = ["JrclustPrm", "find_prm", "read_prm"]

LARGEST_SITE = 1_000_000

# Brackets may span lines; text in quotes may hold a percent sign or a bracket.
ASSIGNMENT = re.compile(
    r"^[ \t]*(?P<name>\w+)[ \t]*=[ \t]*(?P<value>'(?:[^'\n]|'')*'|\{[^{}]*\}|\[[^\[\]]*\]|[^;%\n]*)",
    re.MULTILINE,
)
COMMENT = re.compile(r"('(?:[^'\n]|'')*')|(?:%|\.\.\.)[^\n]*")
QUOTED = re.compile(r"'((?:[^'\n]|'')*)'")
RANGE = re.compile(r"(\d{1,9})(?::(-?\d{1,9}))?(?::(\d{1,9}))?")


@dataclass(frozen=True)
class JrclustPrm:
    """What a .prm states; None or empty where it does not.

    Parameters
    ----------
    path : pathlib.Path
    site_map : tuple of int, optional
        Recording channel of each site, both counted from 1; None as well if it is computed, not listed.
    recordings : tuple of str
        The raw files, as written.
    num_rows : int, optional
        Rows of the raw files.
    sampling_frequency : float, optional
        Hz.
    data_type : str, optional
        MATLAB's name of the samples' type.
    site_positions : tuple of (float, float), optional
        µm, in the order of the sites; None as well if they are computed.
    site_shanks : tuple of int, optional
    """

    path: Path
    site_map: tuple[int, ...] | None = None
    recordings: tuple[str, ...] = ()
    num_rows: int | None = None
    sampling_frequency: float | None = None
    data_type: str | None = None
    site_positions: tuple[tuple[float, float], ...] | None = None
    site_shanks: tuple[int, ...] | None = None


def find_prm(result_path: Path) -> Path | None:
    """Find the .prm of a ``*_res.mat``: the session's own, or else the only one in the folder."""
    own = result_path.with_name(result_path.name.removesuffix("_res.mat") + ".prm")
    if own.is_file():
        return own
    others = [path for path in result_path.parent.glob("*.prm") if not path.name.startswith(".")]
    return others[0] if len(others) == 1 else None


def read_prm(path: Path) -> JrclustPrm:
    """Read a .prm; of a name assigned twice, the last counts, as in MATLAB.

    Raises
    ------
    SortingError
        The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise SortingError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    bare = COMMENT.sub(lambda match: match.group(1) or " ", text)
    values = {match["name"]: match["value"].strip() for match in ASSIGNMENT.finditer(bare)}
    site_map = values.get("siteMap") or values.get("viSite2Chan")
    recordings = values.get("rawRecordings") or values.get("vcFile") or ""
    num_rows = _number(values.get("nChans"))
    types = QUOTED.findall(values.get("dataType") or values.get("vcDataType") or "")
    shanks = values.get("shankMap") or values.get("viShank_site")
    return JrclustPrm(
        path=path,
        site_map=_whole_list(site_map) if site_map else None,
        recordings=tuple(found.replace("''", "'") for found in QUOTED.findall(recordings)),
        num_rows=int(num_rows) if num_rows else None,
        sampling_frequency=_number(values.get("sampleRate") or values.get("sRateHz")),
        data_type=types[0] if types else None,
        site_positions=_pairs(values.get("siteLoc") or values.get("mrSiteXY")),
        site_shanks=_whole_list(shanks) if shanks else None,
    )


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").strip("[]() "))
    except ValueError:  # computed, not stated
        return None
    return value if 0 < value < float("inf") else None


def _pairs(text: str | None) -> tuple[tuple[float, float], ...] | None:
    """Read ``[0, 0; 25, 20]`` as pairs of numbers; None for anything else."""
    lines = [line for line in re.split(r"[;\n]", (text or "").strip("[]() \t\r\n")) if line.strip()]
    try:
        pairs = [tuple(float(item) for item in re.split(r"[\s,]+", line.strip().strip(","))) for line in lines]
    except ValueError:  # computed, not stated
        return None
    return tuple((pair[0], pair[1]) for pair in pairs) if pairs and all(len(pair) == 2 for pair in pairs) else None


def _whole_list(text: str) -> tuple[int, ...] | None:
    """Read ``[1, 2, 3]``, ``1:384`` or ``[9:-2:1; 12]`` as numbers; None for anything else."""
    found: list[int] = []
    for item in re.split(r"[\s,;]+", text.strip("[]()' \t\r\n")):
        match = RANGE.fullmatch(item)
        if match is None:
            return None
        first, second, third = match.groups()
        step = int(second) if third else 1
        last = int(third or second or first)
        if step == 0 or max(int(first), last) > LARGEST_SITE:
            return None
        found += range(int(first), last + (1 if step > 0 else -1), step)
    return tuple(found) or None
