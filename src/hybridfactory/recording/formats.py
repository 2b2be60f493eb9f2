"""Which format a raw recording is in: by the names that SpikeInterface gives them, or by what a file begins with."""

from pathlib import Path

__all__ = ["FLAT", "SAVED", "find_format", "is_flat_format"]

FLAT = "flat"
"""Our own reader: samples and nothing else, as SpikeGLX and most rigs write them."""

SAVED = "spikeinterface"
"""What SpikeInterface itself has saved: a folder, a zarr, or a json."""

AUTO = "auto"

BEGINNINGS = {
    ".nwb": ("nwb", (b"\x89HDF\r\n",)),
    ".rhd": ("intan", (b"\x02\x27\x91\xc6",)),
    ".rhs": ("intan", (b"\xac\x27\x91\xd6",)),
    ".plx": ("plexon", (b"PLEX", b"XELP")),
    ".rec": ("spikegadgets", (b"<?xml", b"<Configuration")),
    ".edf": ("edf", (b"0       ",)),
    ".json": (SAVED, (b"{",)),
    **{f".ns{kind}": ("blackrock", (b"NEURALSG", b"NEURALCD", b"BRSMPGRP")) for kind in range(1, 10)},
}
"""Suffix → format, and how such a file begins: a flat file may have any name."""

MARKS_OF_FOLDERS = (
    ("binary.json", SAVED),
    ("si_folder.json", SAVED),
    ("cached.json", SAVED),
    ("structure.oebin", "openephysbinary"),
    ("*/structure.oebin", "openephysbinary"),
    ("*/*/structure.oebin", "openephysbinary"),
    ("*/*/*/structure.oebin", "openephysbinary"),
    ("*.continuous", "openephyslegacy"),
    ("*.ncs", "neuralynx"),
    ("*.tbk", "tdt"),
)


def is_flat_format(name: str | None) -> bool:
    """Tell whether the user says that our own reader is to be used."""
    return name is not None and name.lower() == FLAT


def find_format(path: Path, stated: str | None) -> str | None:
    """Name the format of a recording.

    Parameters
    ----------
    path : pathlib.Path
        A file or folder.
    stated : str, optional
        What the user says; ``"auto"`` is the same as nothing.

    Returns
    -------
    str or None
        None for a flat file, or for a folder that nothing is known of.
    """
    if stated is not None and stated.lower() != AUTO:
        return None if is_flat_format(stated) else stated.lower()
    if path.is_dir():
        return SAVED if path.suffix == ".zarr" else _format_of_folder(path)
    return _format_of_file(path) if path.is_file() else None


def _format_of_folder(path: Path) -> str | None:
    return next((name for mark, name in MARKS_OF_FOLDERS if next(path.glob(mark), None) is not None), None)


def _format_of_file(path: Path) -> str | None:
    if path.suffix == ".cbin" and path.with_suffix(".ch").is_file():
        return "compressedbinaryibl"
    name, beginnings = BEGINNINGS.get(path.suffix.lower(), (None, ()))
    if name is None:
        return None
    with path.open("rb") as stream:
        return name if stream.read(16).startswith(beginnings) else None
