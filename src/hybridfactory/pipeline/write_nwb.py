"""The hybrid as a Neurodata Without Borders file, written by NeuroConv."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingExtraError, OutputError
from hybridfactory.ground_truth.run import HybridRun

__all__ = ["require_nwb_extra", "save_nwb"]

BUFFER_GB = 0.1
"""Two pieces of it are in memory at a time."""


def require_nwb_extra() -> None:
    """Refuse to start what could not be written in the end.

    Raises
    ------
    MissingExtraError
        If NeuroConv is not installed.
    """
    if find_spec("neuroconv") is None or find_spec("pynwb") is None:
        raise MissingExtraError("write --format nwb needs NeuroConv: pip install 'hybridfactory[nwb]'")


def save_nwb(run: HybridRun, path: Path) -> None:
    """Write the connected rows: raw values, electrode table, conversion factors, rate and start.

    Parameters
    ----------
    run : HybridRun
    path : pathlib.Path
        File to make.

    Raises
    ------
    OutputError
        If NeuroConv cannot write it.
    """
    recording = run.recording.clone()
    for column, values in zip(("rel_x", "rel_y"), run.probe.connected_positions.T, strict=True):
        recording.set_property(column, values)
    if recording.get_channel_gains() is None:
        # NWB knows volts only: a count is taken for a microvolt, and the description says so.
        recording.set_channel_gains(np.ones(recording.get_num_channels()))
        recording.set_channel_offsets(np.zeros(recording.get_num_channels()))
        unit = " The source does not say how many microvolts a count is: one is assumed."
    else:
        unit = ""
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        from neuroconv.tools.spikeinterface import write_recording_to_nwbfile  # noqa: PLC0415

        try:
            write_recording_to_nwbfile(
                recording=recording,
                nwbfile_path=path,
                metadata=_metadata(run, unit),
                iterator_options={"buffer_gb": BUFFER_GB},
                overwrite=False,
                verbose=False,
            )
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OutputError(f"{path.name} cannot be written as NWB ({reason[:300]})") from error


def _metadata(run: HybridRun, unit: str) -> dict[str, Any]:
    content = run.manifest.content
    # When the recording was made, nobody says; the file must have a time.
    made = datetime.fromisoformat(str(content.get("created", "1970-01-01T00:00:00+00:00")))
    return {
        "NWBFile": {
            "session_description": (
                f"Hybrid recording {content['session_name']}: a recording with injected units of known spike times. "
                f"The session's start is the time when it was made.{unit}"
            ),
            "identifier": f"hybridfactory-{content['session_name']}-{content['random_seed']}",
            "session_start_time": made,
        }
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the libraries log off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
