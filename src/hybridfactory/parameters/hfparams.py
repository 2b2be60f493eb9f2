"""The hfparams file of a run: a Python parameter file that repeats it bit for bit."""

import math
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory._version import __version__
from hybridfactory.errors import OutputError
from hybridfactory.parameters.parameters import Parameters
from hybridfactory.probes import Probe

__all__ = ["write_hfparams"]


def write_hfparams(parameters: Parameters, path: str | PathLike[str]) -> None:
    """Write parameters as a Python file that gives equal ones when it is loaded.

    Parameters
    ----------
    parameters : Parameters
        What is None is left out: it is None again on loading.
    path : path-like

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    lines = [
        f"# Written by hybridfactory {__version__}: `hybridfactory generate` on this file repeats the run.",
        "import numpy as np",
        "",
        "from hybridfactory.probes import custom_probe",
        "",
    ]
    for item in fields(parameters):
        value = getattr(parameters, item.name)
        if isinstance(value, Probe):
            lines += ["", *_probe_lines(value), ""]
        elif value is not None:
            lines.append(f"{item.name} = {_literal(value)}")
    try:
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def _literal(value: Any) -> str:
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, np.dtype):
        return repr(value.name if value.isnative else value.str)
    # A tuple of plain numbers, text, a number or a bool: repr gives each back exactly.
    return repr(value)


def _probe_lines(probe: Probe) -> list[str]:
    lines = [
        f"channel_map = np.array({probe.channel_map.tolist()})",
        f"connected = np.array({probe.connected.tolist()})",
        "channel_positions = np.array([",
        *(f"    [{_float(x)}, {_float(y)}]," for x, y in probe.channel_positions.tolist()),
        "])",
    ]
    shanks = "" if probe.shank_ids is None else f", shank_ids={list(probe.shank_ids)!r}"
    return [
        *lines,
        f"probe = custom_probe(channel_map, connected, channel_positions, {probe.name!r}{shanks})",
    ]


def _float(value: float) -> str:
    return "np.nan" if math.isnan(value) else repr(value)
