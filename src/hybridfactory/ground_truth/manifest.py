"""The machine-readable record of a finished run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hybridfactory.errors import MissingFileError, OutputError
from hybridfactory.ground_truth.fingerprint import fingerprint, sha256_of
from hybridfactory.ground_truth.manifest_checks import what_is_wrong
from hybridfactory.ground_truth.paths import MANIFEST_NAME, RunPaths
from hybridfactory.ground_truth.reader_record import how_to_open, reopen
from hybridfactory.injection.publishing import replace_file
from hybridfactory.recording.flat import FlatFile, FlatRecording

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "NOT_WRITTEN",
    "Manifest",
    "add_to_manifest",
    "checksums_of",
    "identity",
    "read_manifest",
    "replace_manifest",
    "store_manifest",
    "unwritten",
]

FORMAT = "hybridfactory run"
FORMAT_VERSION = 1
NOT_WRITTEN = {"size": None, "mtime_ns": None, "fingerprint": None}


@dataclass(frozen=True)
class Manifest:
    """A manifest as read from a run's folder.

    Parameters
    ----------
    folder : pathlib.Path
    content : dict
        The JSON object; docs/outputs.md describes it.
    """

    folder: Path
    content: dict[str, Any]

    @property
    def session_name(self) -> str:
        """Name of the run."""
        return str(self.content["session_name"])

    @property
    def paths(self) -> RunPaths:
        """Where the run's files lie."""
        return RunPaths(self.folder, self.session_name)

    @property
    def target_paths(self) -> tuple[Path, ...]:
        """The hybrid files, in timeline order."""
        return tuple(self.folder / target["name"] for target in self.content["targets"])

    @property
    def all_paths(self) -> tuple[Path, ...]:
        """Every file of the run but the manifest: hybrid files, .meta files, truth."""
        return (*self.target_paths, *(self.folder / name for name in self.content["files"]))

    @property
    def meta_paths(self) -> tuple[Path, ...]:
        """The .meta files beside the hybrid files; empty where the sources have none."""
        return tuple(self.folder / name for name in self.content["files"] if name.endswith(".meta"))

    def recording_in(self, paths: Sequence[Path]) -> FlatRecording:
        """Describe files of the shape and on the timeline of the sources: these themselves, or the hybrid."""
        stated, sources = self.content["recording"], self.content["sources"]
        dtype, num_rows = np.dtype(stated["dtype"]), int(stated["num_rows"])
        files = []
        for path, item in zip(paths, sources, strict=True):
            count = int(item["num_samples"])
            left_over = int(item["size"]) - count * num_rows * dtype.itemsize
            files.append(FlatFile(path, int(item["start_sample"]), count, left_over))
        return FlatRecording(tuple(files), dtype, num_rows, float(stated["sampling_frequency"]))

    @property
    def reader(self) -> dict[str, Any] | None:
        """How SpikeInterface opens the source; None for flat files."""
        found: dict[str, Any] | None = self.content.get("reader")
        return found

    @property
    def source_items(self) -> list[dict[str, Any]]:
        """What is said of each of the source's files: path, size, time of change, fingerprint."""
        items: list[dict[str, Any]] = self.content["sources"] if self.reader is None else self.reader["files"]
        return items

    @property
    def source_paths(self) -> tuple[Path, ...]:
        """The source's files; flat ones in timeline order."""
        return tuple(Path(item["path"]) for item in self.source_items)

    @property
    def source_recording(self) -> FlatRecording:
        """The source itself, opened."""
        stated = self.recording_in([Path(item["path"]) for item in self.content["sources"]])
        return stated if self.reader is None else reopen(self.reader, stated, self.folder)

    @property
    def is_written(self) -> bool:
        """Whether the run wrote the hybrid files; if not, they can be written later."""
        return bool(self.content.get("written", True))

    @property
    def is_reset(self) -> bool:
        """Whether the hybrid was taken back, so that the hybrid files equal the sources."""
        reset = self.content.get("reset")
        return not self.is_written and bool(reset and reset["is_complete"])

    @property
    def is_half_reset(self) -> bool:
        """Whether a reset was begun and did not come to its end."""
        reset = self.content.get("reset")
        return bool(reset and not reset["is_complete"])

    @property
    def derived_paths(self) -> tuple[Path, ...]:
        """What other commands made of the run and left in its folder: figures, reports, validations."""
        return tuple(self.folder / name for name in self.content.get("derived", ()))

    def is_of(self, recording: FlatRecording) -> bool:
        """Whether the run was made from these source files, as they are now, on this timeline."""
        stated = self.content["recording"]
        if (stated["dtype"], stated["num_rows"]) != (recording.dtype.str, recording.num_rows):
            return False
        if [(file.start_sample, file.num_samples) for file in recording.files] != [
            (item["start_sample"], item["num_samples"]) for item in self.content["sources"]
        ]:
            return False
        opening = how_to_open(recording)
        if self.reader is not None and {name: self.reader[name] for name in opening or ()} != opening:
            return False
        now = [(str(path.resolve()), *_size_and_time(path)) for path in recording.source_files]
        return now == [(item["path"], item["size"], item["mtime_ns"]) for item in self.source_items]

    def targets_are_untouched(self) -> bool:
        """Whether the hybrid files are there, with the size and time of change that the run left."""
        return self._are_as_stated(self.content["targets"])

    def reset_files_are_untouched(self) -> bool:
        """Whether the hybrid files are there, as a complete reset left them."""
        return self.is_reset and self._are_as_stated(self.content["reset"]["files"])

    def _are_as_stated(self, stated: Sequence[Mapping[str, Any]]) -> bool:
        for path, item in zip(self.target_paths, stated, strict=True):
            if not path.is_file() or _size_and_time(path) != (item["size"], item["mtime_ns"]):
                return False
        return True


def add_to_manifest(folder: Path, key: str, value: object) -> None:
    """Put what was measured of a finished run into its manifest, whole or not at all.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.
    key : str
        What stood there before is replaced.
    value : object
        In JSON's types.

    Raises
    ------
    HybridFactoryError
        As `read_manifest` does, or if the folder cannot be written to.
    """
    replace_manifest(folder, {**read_manifest(folder).content, key: value})


def replace_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Put another manifest in the place of a run's, whole or not at all. The folder should be locked.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    try:
        replace_file(folder / MANIFEST_NAME, _as_bytes(content))
    except OSError as error:
        raise OutputError(
            f"{folder / MANIFEST_NAME} cannot be written ({error.strerror}): change its permissions"
        ) from error


def store_manifest(content: Mapping[str, Any], path: Path) -> None:
    """Write a manifest's JSON object to a file."""
    path.write_bytes(_as_bytes(content))


def _as_bytes(content: Mapping[str, Any]) -> bytes:
    # What is no Unicode in a file's name becomes JSON's own escape for it.
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def unwritten(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest as that of a run that has not written its hybrid."""
    targets = [{"name": target["name"], **NOT_WRITTEN} for target in content["targets"]]
    return {**content, "written": None, "targets": targets}


def checksums_of(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of whole files by name."""
    return {path.name: sha256_of(path) for path in paths}


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def identity(path: Path) -> dict[str, Any]:
    """What a manifest states of a file."""
    size, mtime_ns = _size_and_time(path)
    return {"size": size, "mtime_ns": mtime_ns, "fingerprint": fingerprint(path)}


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a finished run.

    Raises
    ------
    MissingFileError
        If the folder holds no manifest: it is not the output of a finished run.
    OutputError
        If the manifest is damaged or was written by a later version.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise MissingFileError(
            f"{folder} holds no {MANIFEST_NAME}: it is not the output folder of a finished run; "
            "run 'hybridfactory generate' first"
        )
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is damaged ({error}): run 'hybridfactory generate' again") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise OutputError(f"{path} is not a hybridfactory manifest: choose another folder")
    if content.get("format_version") != FORMAT_VERSION:
        raise OutputError(
            f"{path} has format version {str(content.get('format_version'))[:20]}, this program reads "
            f"{FORMAT_VERSION}: use the version of hybridfactory that wrote it"
        )
    wrong = what_is_wrong(content)
    if wrong:
        raise OutputError(f"{path} {wrong}: run 'hybridfactory generate' again")
    return Manifest(folder, content)
