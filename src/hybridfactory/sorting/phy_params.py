"""phy's params.py, read as data: nothing in it is ever executed."""

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PhyParams", "read_phy_params"]

LARGEST_NUMBER = 1e9  # neither a rate in Hz nor a row count comes near


@dataclass(frozen=True)
class PhyParams:
    """What params.py states; None or empty where it does not.

    Parameters
    ----------
    dat_paths : tuple of str
        The file or files that phy draws traces from, with forward slashes.
    num_rows : int, optional
        Rows of those files.
    sampling_frequency : float, optional
        Hz.
    hp_filtered : bool
        Whether those files are filtered already, hence not the raw recording.
    data_type : str, optional
        NumPy's name of their samples' type.
    offset : int
        Bytes in front of the first sample.
    warnings : tuple of str
    """

    dat_paths: tuple[str, ...] = ()
    num_rows: int | None = None
    sampling_frequency: float | None = None
    hp_filtered: bool = False
    data_type: str | None = None
    offset: int = 0
    warnings: tuple[str, ...] = ()


def read_phy_params(path: Path) -> PhyParams:
    """Read params.py; a missing file states nothing, an unreadable one adds a warning."""
    if not path.is_file():
        return PhyParams()
    try:
        # MATLAB writes Windows paths as they are: 'D:\new\temp.dat' is no valid Python, or not what it says.
        text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\\", "/")
        with warnings.catch_warnings():
            # What Python finds odd about the spelling of a number is of no use to anyone.
            warnings.simplefilter("ignore", SyntaxWarning)
            statements = ast.parse(text).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        note = f"{path}: cannot be read as params.py; its sampling rate and row count were not checked"
        return PhyParams(warnings=(note,))
    values = dict(_assignments(statements))
    rows = _positive(values.get("n_channels_dat"))
    data_type, offset = values.get("dtype"), _positive(values.get("offset"))
    return PhyParams(
        dat_paths=_paths(values.get("dat_path")),
        num_rows=int(rows) if rows is not None and rows.is_integer() else None,
        sampling_frequency=_positive(values.get("sample_rate")),
        hp_filtered=values.get("hp_filtered") is True,
        data_type=data_type if isinstance(data_type, str) else None,
        offset=int(offset or 0),
    )


def _assignments(statements: list[ast.stmt]) -> list[tuple[str, Any]]:
    found = []
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found.append((statement.targets[0].id, ast.literal_eval(statement.value)))
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                continue  # computed, not stated
    return found


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < LARGEST_NUMBER else None


def _paths(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    # SpikeInterface writes the word None where it has no file to name.
    return tuple(item for item in listed if isinstance(item, str) and item not in ("", "None"))
