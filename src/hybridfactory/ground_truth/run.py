"""A finished run, opened again: its hybrid recording and its truth as SpikeInterface objects."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hybridfactory.errors import MissingFileError
from hybridfactory.ground_truth.description import attach_probe, open_flat_hybrid
from hybridfactory.ground_truth.manifest import Manifest, read_manifest
from hybridfactory.ground_truth.paths import MANIFEST_NAME
from hybridfactory.ground_truth.resetting import GENERATE_AGAIN, check_sources, take_back
from hybridfactory.ground_truth.run_tables import check_rows, check_together, read_events, read_units
from hybridfactory.injection.publishing import STAGING_NAME
from hybridfactory.probes import Probe, load_probe
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.recording.spikeglx import read_gains_uV

__all__ = ["HybridRun", "load"]


def load(output_directory: str | PathLike[str]) -> "HybridRun":
    """Open the output folder of a finished run.

    Parameters
    ----------
    output_directory : path-like

    Returns
    -------
    HybridRun

    Raises
    ------
    MissingFileError
        If the folder, or a file that the run wrote, is not there.
    OutputError
        If the manifest is damaged.
    """
    folder = Path(output_directory).expanduser().resolve()
    if not folder.is_dir():
        raise MissingFileError(f"{folder} does not exist or is not a folder: give the output folder of a run")
    if (folder / STAGING_NAME).is_dir() and not (folder / MANIFEST_NAME).exists():
        raise MissingFileError(
            f"{folder}: a run was stopped while it put its files there, or is still doing so; run the same command "
            "again ('hybridfactory generate' or 'hybridfactory write'), which puts it in order"
        )
    manifest = read_manifest(folder)
    for path in manifest.paths.truth_files:
        if not path.is_file():
            raise MissingFileError(f"{path} is missing from the run: run 'hybridfactory generate' again")
    return HybridRun(manifest)


@dataclass(eq=False)
class HybridRun:
    """A finished run. Everything is read when it is first asked for.

    Parameters
    ----------
    manifest : Manifest
        Another takes its place when the run's hybrid is written or taken back.
    """

    manifest: Manifest

    @property
    def output_directory(self) -> Path:
        """Folder of the run."""
        return self.manifest.folder

    @cached_property
    def probe(self) -> Probe:
        """Probe of source and hybrid."""
        return load_probe(self.manifest.paths.probe)

    @property
    def sampling_frequency(self) -> float:
        """Hz."""
        return float(self.manifest.content["recording"]["sampling_frequency"])

    def reset(self, *, progress: ProgressCallback = no_progress) -> None:
        """Take the run's changes back: its hybrid files equal the sources again, byte for byte.

        The truth stays, and so does `recording`, which needs no file; `hybridfactory.write` makes the hybrid again.

        Parameters
        ----------
        progress : callable, optional
            Called with (step, done, total) as the work goes on.

        Raises
        ------
        HybridFactoryError
            If a file is missing, or holds what is neither the run's nor the source's. Nothing is changed then.
        """
        self.manifest = take_back(self.output_directory, progress=progress)
        self.__dict__.pop("written_recording", None)

    @property
    def source_recording(self) -> FlatRecording:
        """The untouched source on its timeline, all rows.

        Raises
        ------
        MissingFileError
            If a source file is not where it was.
        RecordingError
            If a source file was changed after the run.
        """
        check_sources(self.manifest, GENERATE_AGAIN)
        return self.manifest.source_recording

    @cached_property
    def recording(self) -> Any:
        """Hybrid as a SpikeInterface recording: connected rows, probe attached, one segment per file.

        It reads the source and renders the events as they are asked for; the hybrid files are not needed.

        Raises
        ------
        MissingFileError
            If a source file is not where it was; `written_recording` then still works if the hybrid was written.
        RecordingError
            If a source file was changed after the run.
        """
        from hybridfactory.injection.lazy import HybridRecording  # noqa: PLC0415

        content = self.manifest.content
        advice = "use written_recording, which reads the hybrid file" if self.manifest.is_written else GENERATE_AGAIN
        check_sources(self.manifest, advice)
        recording = HybridRecording(
            files=[(item["path"], item["start_sample"], item["num_samples"]) for item in content["sources"]],
            dtype=content["recording"]["dtype"],
            num_rows=content["recording"]["num_rows"],
            sampling_frequency=self.sampling_frequency,
            script_path=str(self.manifest.paths.script),
            rows=[int(row) for row in self.probe.connected_rows],
            reader=self._reader(),
        )
        return self._with_probe(recording)

    def _reader(self) -> dict[str, Any] | None:
        """How SpikeInterface opens the source, where the source is no flat file."""
        reader = self.manifest.reader
        return None if reader is None else {name: reader[name] for name in ("format", "paths", "options")}

    @cached_property
    def written_recording(self) -> Any:
        """The hybrid files as a SpikeInterface recording, in the same form as `recording`.

        Raises
        ------
        MissingFileError
            If a hybrid file is not there, or was not written yet.
        """
        command = f"run 'hybridfactory write {self.output_directory}'"
        if not self.manifest.is_written:
            raise MissingFileError(
                f"the run in {self.output_directory} has not written its hybrid: {command}, or use recording, which "
                "needs no file"
            )
        for path in self.manifest.target_paths:
            if not path.is_file():
                raise MissingFileError(f"hybrid file {path} is missing: {command} to write it again")
        return self.flat_recording_in(self.manifest.folder)

    def flat_recording_in(self, folder: Path) -> Any:
        """Flat hybrid files in a folder as a SpikeInterface recording, in the same form as `recording`."""
        stated = self.manifest.content["recording"]
        paths = [folder / path.name for path in self.manifest.target_paths]
        rows = self.probe.connected_rows
        return self._with_probe(
            open_flat_hybrid(paths, self.sampling_frequency, stated["dtype"], stated["num_rows"], rows)
        )

    def _with_probe(self, recording: Any) -> Any:
        """Attach probe and gains; the recording's channels are the connected rows, in the probe's order."""
        return attach_probe(recording, self.probe, self._gains_uV(), self._offsets_uV())

    def _gains_uV(self) -> NDArray[np.float64] | None:
        """µV per count of the connected rows, where a .meta file or the source's format tells it."""
        if self.manifest.reader is not None:
            stated = self.manifest.reader["gains_uV"]
            return None if stated is None else np.array(stated, dtype=np.float64)[self.probe.connected_rows]
        metas = self.manifest.meta_paths
        return read_gains_uV(metas[0])[self.probe.connected_rows] if metas else None

    def _offsets_uV(self) -> NDArray[np.float64] | None:
        """µV at a count of 0 of the connected rows, where the source's format tells it."""
        stated = None if self.manifest.reader is None else self.manifest.reader["offsets_uV"]
        return None if stated is None else np.array(stated, dtype=np.float64)[self.probe.connected_rows]

    @cached_property
    def sorting(self) -> Any:
        """Truth as a SpikeInterface sorting: injected units by their new labels, one segment per file.

        The property ``true_unit`` gives each unit's donor, ``center_channel`` its raw row.
        """
        from spikeinterface.core import NumpySorting  # noqa: PLC0415

        events = self.artificial_units
        units = events.drop_duplicates("new_unit").sort_values("new_unit")
        samples, labels = [], []
        for source in self.manifest.content["sources"]:
            start = source["start_sample"]
            inside = events["timestep"].between(start, start + source["num_samples"], inclusive="left")
            samples.append(events.loc[inside, "timestep"].to_numpy(dtype=np.int64) - start)
            labels.append(events.loc[inside, "new_unit"].to_numpy(dtype=np.int64))
        sorting = NumpySorting.from_samples_and_labels(
            samples, labels, self.sampling_frequency, unit_ids=units["new_unit"].to_numpy()
        )
        sorting.set_property("true_unit", units["true_unit"].to_numpy())
        sorting.set_property("center_channel", units["center_channel"].to_numpy())
        return sorting

    @cached_property
    def artificial_units(self) -> pd.DataFrame:
        """One row per injected event; see docs/outputs.md."""
        path = self.manifest.paths.artificial_units
        events = read_events(path)
        check_together(events, self.units, path)
        return events

    @cached_property
    def units(self) -> pd.DataFrame:
        """One row per donor unit, injected or not."""
        path = self.manifest.paths.units
        units = read_units(path)
        check_rows(units, self.probe.connected_rows, path)
        return units
