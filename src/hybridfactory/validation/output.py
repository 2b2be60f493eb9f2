"""A result on the disk: a CSV file per table, and a summary that says what the folder is."""

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybridfactory._version import __version__
from hybridfactory.errors import OutputError
from hybridfactory.injection.publishing import ASIDE_NAME, STAGING_NAME
from hybridfactory.validation.result import TABLES, ValidationResult

__all__ = [
    "SUMMARY_NAME",
    "check_output",
    "files_of_earlier_validation",
    "summarise",
    "write_summary",
    "write_tables",
]

SUMMARY_NAME = "summary.json"
FORMAT = "hybridfactory validation"
FORMAT_VERSION = 1

_log = logging.getLogger("hybridfactory")


def check_output(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier validation.

    Raises
    ------
    OutputError
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output_directory {folder} is a file: choose another folder")
    if not folder.exists() or _read_summary(folder) is not None:
        return
    staging = folder / STAGING_NAME
    known = {STAGING_NAME, *_names(_read_summary(staging)), *_names(_read_summary(staging / ASIDE_NAME))}
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in known)
    if strangers:
        raise OutputError(
            f"output_directory {folder} holds {strangers[0]} and no earlier validation: choose another folder"
        )


def _read_summary(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / SUMMARY_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None


def _names(summary: dict[str, Any] | None) -> list[str]:
    """Names of the files that a summary lists, as far as they lie in its folder; none without a summary."""
    listed = [] if summary is None else summary.get("files", [])
    return [name for name in listed if isinstance(name, str) and Path(name).name == name]


def files_of_earlier_validation(folder: Path) -> tuple[Path, ...]:
    """Every file of the validation in a folder, its summary first; empty if there is none."""
    summary = _read_summary(folder)
    if summary is None:
        return ()
    _log.info("replacing the earlier validation in %s", folder)
    return (folder / SUMMARY_NAME, *(folder / name for name in _names(summary)))


def write_tables(result: ValidationResult, folder: Path) -> list[Path]:
    """Write every table as CSV.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    written = []
    whole = {"truth_units": result.truth_units, "probe": result.probe, "ranking": result.ranking}
    for name, table in [*whole.items(), *((name, result.table(name)) for name in TABLES)]:
        written.append(folder / f"{name}.csv")
        table.to_csv(written[-1], index=False)
    for sorter in result.sorters:
        written.append(folder / f"confusion-{sorter.name}.csv")
        sorter.confusion.to_csv(written[-1])
    return written


def summarise(result: ValidationResult) -> dict[str, Any]:
    """Give the main figures in JSON's types; numbers that are not known are None."""
    return {
        "hybridfactory_version": __version__,
        "session_name": result.session_name,
        "run_directory": str(result.run_directory),
        "output_directory": str(result.output_directory),
        "delta_time_ms": result.delta_time_ms,
        "sampling_frequency": result.sampling_frequency,
        "duration_s": result.duration_s,
        "num_units": len(result.truth_units),
        "num_events": int(result.truth_units["events"].sum()),
        "notes": list(result.notes),
        "ranking": [_plain(row) for row in result.ranking.to_dict("records")],
        "sorters": [
            {
                "name": sorter.name,
                "source": sorter.source,
                "verdict": sorter.verdict,
                "median_accuracy": _plain(sorter.median_accuracy),
                "lag_ms": sorter.lag_ms,
                "native_lag_ms": _plain(sorter.native_lag_ms),
                "num_found_units": sorter.num_found_units,
                "num_found_spikes": sorter.num_found_spikes,
                "units": [_plain(row) for row in sorter.units.to_dict("records")],
                "merges": [_plain(row) for row in sorter.merges.to_dict("records")],
                "notes": list(sorter.notes),
            }
            for sorter in result.sorters
        ],
    }


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers into Python's, and NaN into None."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_summary(result: ValidationResult, folder: Path, files: Sequence[Path]) -> Path:
    """Write the summary, which marks the folder as a validation and lists its files."""
    path = folder / SUMMARY_NAME
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **summarise(result),
        "files": [file.name for file in files],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path
