"""Where what a validation shows comes from: recording, run, sorters, and when by which versions."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from hybridfactory._version import __version__
from hybridfactory.ground_truth.manifest import read_manifest
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.validation.result import SorterResult, ValidationResult

__all__ = ["length", "origins", "sorter_version"]

SPIKEINTERFACE_LOG = "spikeinterface_log.json"
KILOSORT_LOG = "kilosort4.log"
LOG_HEAD_BYTES = 20_000


def origins(result: ValidationResult, sorters: list[SorterResult], now: datetime) -> list[dict[str, str]]:
    """Collect what a page names at its head.

    Parameters
    ----------
    result : ValidationResult
    sorters : list of SorterResult
        Those that the page shows.
    now : datetime.datetime
        When the page is written.

    Returns
    -------
    list of dict of str to str
        ``name`` and ``value`` of each line.
    """
    recording, made = _of_run(result)
    versions = [f"{sorter.name}: {version}" for sorter in sorters if (version := sorter_version(sorter.source))]
    lines = [
        ("Recording", f"{recording}, {length(result.duration_s)} at {result.sampling_frequency:,g} Hz".lstrip(", ")),
        ("Run", f"{result.run_directory}{made}"),
        ("Sorters", ", ".join(versions) or "versions are not stated by their files"),
        ("Validated", f"{_minute(now)}, hybridfactory {__version__}"),
    ]
    return [{"name": name, "value": value} for name, value in lines]


def length(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    return f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.1f} min"


def _of_run(result: ValidationResult) -> tuple[str, str]:
    """Name of the recording, and when the run was made with which version; empty for truth made elsewhere."""
    if not (result.run_directory / MANIFEST_NAME).is_file():
        return "", ""
    content = read_manifest(result.run_directory).content
    names = [str(target["name"]) for target in content.get("targets", ())]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    version = content.get("versions", {}).get("hybridfactory", "of unknown version")
    try:
        made = _minute(datetime.fromisoformat(str(content.get("created"))))
    except ValueError:
        made = "at an unknown time"
    return f"{names[0]}{more}" if names else "", f", made {made} by hybridfactory {version}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def sorter_version(source: str) -> str:
    """Name and version of the program that made a sorting, where a file beside it states them; else empty.

    Parameters
    ----------
    source : str
        Path of the sorting, or the name of an object in memory.
    """
    path = Path(source)
    for folder in (path, path.parent):
        try:
            if (folder / SPIKEINTERFACE_LOG).is_file():
                stated = json.loads((folder / SPIKEINTERFACE_LOG).read_bytes())
                return f"{stated['sorter_name']} {stated['sorter_version']}"
            if (folder / KILOSORT_LOG).is_file():
                with (folder / KILOSORT_LOG).open("rb") as log:
                    found = re.search(rb"Kilosort version (\S{1,40})", log.read(LOG_HEAD_BYTES))
                return f"Kilosort {found[1].decode('ascii', 'replace')}" if found else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""
    return ""
