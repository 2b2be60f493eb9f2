"""What the figures of a run show, measured in its recordings: means, single spikes, amplitudes, intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.snippets import SnippetRequest, iter_snippets, remove_baseline
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.ground_truth.run_tables import read_annotations
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.report.rendered import open_source_and_hybrid

__all__ = ["Place", "UnitView", "ViewOfRun", "measure_run"]

MAX_SPIKES_OF_UNIT = 2000
MAX_SPIKES_OF_RUN = 200_000
NUM_SNIPPETS = 100
NUM_SITES = 12


@dataclass(frozen=True, eq=False)
class Place:
    """A unit at one place: the donor in the source, or the injected unit in the hybrid.

    Parameters
    ----------
    label : int
    row : int
        Raw row of its main channel.
    rows : numpy.ndarray of int64, shape (num_sites,)
        Raw rows of the sites around it, the nearest first; the main channel is the first.
    positions_um : numpy.ndarray of float64, shape (num_sites, 2)
    samples : numpy.ndarray of int64, shape (num_spikes,)
        All its spikes on the timeline, ascending.
    drawn_samples : numpy.ndarray of int64, shape (num_drawn,)
        Those of them that were read, spread evenly over all.
    amplitudes : numpy.ndarray of float32, shape (num_drawn,)
        Value on the main channel at `drawn_samples`.
    mean : numpy.ndarray of float64, shape (num_samples, num_sites)
        Mean over those spikes.
    snippet_samples : numpy.ndarray of int64, shape (num_snippets,)
    snippets : numpy.ndarray of float32, shape (num_snippets, num_samples)
        Some of them on the main channel.
    """

    label: int
    row: int
    rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    samples: NDArray[np.int64]
    drawn_samples: NDArray[np.int64]
    amplitudes: NDArray[np.float32]
    mean: NDArray[np.float64]
    snippet_samples: NDArray[np.int64]
    snippets: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class UnitView:
    """An injected unit beside its donor."""

    donor: Place
    injected: Place


@dataclass(frozen=True, eq=False)
class ViewOfRun:
    """All that the figures of a run show.

    Parameters
    ----------
    units : tuple of UnitView
        In ascending order of donor label.
    sampling_frequency : float
        Hz.
    times_ms : numpy.ndarray of float64, shape (num_samples,)
        Time of a snippet's samples after the trough.
    unit_of_value : str
        ``"µV"`` where the gains are known, otherwise ``"counts"``.
    file_starts : tuple of int
        Timeline sample at which each file begins.
    refractory_ms : float or None
        Shortest time between two injected events of a unit.
    note : str
        What the reader should know about all figures; empty mostly.
    """

    units: tuple[UnitView, ...]
    sampling_frequency: float
    times_ms: NDArray[np.float64]
    unit_of_value: str
    file_starts: tuple[int, ...]
    refractory_ms: float | None
    note: str


def measure_run(run: HybridRun, *, progress: ProgressCallback = no_progress) -> ViewOfRun:
    """Measure every injected unit of a finished run, and its donor.

    Only the windows of at most 2,000 spikes per unit and side are read, in the order of the file.

    Parameters
    ----------
    run : HybridRun
    progress : callable, optional

    Raises
    ------
    MissingFileError
        If neither the source nor the hybrid is there.
    RecordingError
        If they were changed after the run.
    """
    source, hybrid, note = open_source_and_hybrid(run.manifest)
    parameters = run.manifest.content["parameters"]
    before, after = int(parameters["samples_before"]), int(parameters["samples_after"])
    gains = _gains_of_rows(run)
    donors, events = _spikes_of_run(run)
    at_donors = _measure(source, donors, before, after, gains, "reading donor spikes", progress)
    at_injected = _measure(hybrid, events, before, after, gains, "reading injected events", progress)
    refractory = parameters.get("refractory_ms")
    return ViewOfRun(
        units=tuple(UnitView(*both) for both in zip(at_donors, at_injected, strict=True)),
        sampling_frequency=source.sampling_frequency,
        times_ms=np.arange(-before, after + 1) / source.sampling_frequency * 1e3,
        unit_of_value="counts" if gains is None else "µV",
        file_starts=tuple(file.start_sample for file in source.files),
        refractory_ms=None if refractory is None else float(refractory),
        note=note,
    )


@dataclass(frozen=True, eq=False)
class _Spikes:
    """Where and when a unit fires, and which of its spikes have a window around a known trough."""

    label: int
    row: int
    rows: NDArray[np.int64]
    positions_um: NDArray[np.float64]
    samples: NDArray[np.int64]
    aligned: NDArray[np.int64]


def _spikes_of_run(run: HybridRun) -> tuple[list[_Spikes], list[_Spikes]]:
    """Spikes of every injected unit's donor, and its own."""
    table = read_annotations(run.manifest.paths.annotations)
    stated = {int(str(label)): times.to_numpy() for label, times in table.groupby("cluster")["timestep"]}
    events = {int(str(label)): part for label, part in run.artificial_units.groupby("new_unit")}
    units = run.units[run.units["status"] == "injected"].sort_values(["true_unit", "new_unit"])
    donors, injected = [], []
    for unit in units.to_dict("records"):
        mine = events[int(unit["new_unit"])]
        times = np.sort(mine["timestep"].to_numpy(dtype=np.int64))
        aligned = np.unique(mine["donor_spike"].to_numpy(dtype=np.int64))
        of_donor = np.sort(stated.get(int(unit["true_unit"]), aligned))
        donor_row, row = int(unit["donor_channel"]), int(unit["center_channel"])
        donors.append(_Spikes(int(unit["true_unit"]), donor_row, *_sites_around(run, donor_row), of_donor, aligned))
        injected.append(_Spikes(int(unit["new_unit"]), row, *_sites_around(run, row), times, times))
    return donors, injected


def _sites_around(run: HybridRun, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Raw rows and positions of the sites nearest to a row, on its shank, itself first."""
    probe = run.probe
    rows, positions, shanks = probe.connected_rows, probe.connected_positions, probe.connected_shanks
    main = int(np.flatnonzero(rows == row)[0])
    distances = np.linalg.norm(positions - positions[main], axis=1)
    distances[shanks != shanks[main]] = np.inf
    distances[main] = -1  # first, even where another site lies in the same place
    order = np.argsort(distances, kind="stable")[:NUM_SITES]
    order = order[np.isfinite(distances[order])]
    return rows[order], positions[order]


def _gains_of_rows(run: HybridRun) -> NDArray[np.float64] | None:
    """µV per count for each raw row; NaN for rows that are not connected. None where they are not known."""
    if run.manifest.reader is None and not run.manifest.meta_paths:
        return None
    source_is_there = all(path.is_file() for path in run.manifest.source_paths)
    known = (run.recording if source_is_there else run.written_recording).get_channel_gains()
    if known is None:
        return None
    gains = np.full(int(run.manifest.content["recording"]["num_rows"]), np.nan)
    gains[run.probe.connected_rows] = known
    return gains


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many indices, evenly over `count` things."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _measure(
    recording: FlatRecording,
    spikes: Sequence[_Spikes],
    before: int,
    after: int,
    gains: NDArray[np.float64] | None,
    step: str,
    progress: ProgressCallback,
) -> list[Place]:
    """Read the drawn spikes of every unit in one pass, keeping sums, amplitudes and a few snippets."""
    most = min(MAX_SPIKES_OF_UNIT, max(MAX_SPIKES_OF_RUN // max(len(spikes), 1), NUM_SNIPPETS))
    drawn, kept = [], []
    for unit in spikes:
        usable = unit.aligned[recording.holds_window(unit.aligned, before, after)]
        drawn.append(usable[_spread(usable.size, most)] if usable.size else usable)
        kept.append(_spread(drawn[-1].size, NUM_SNIPPETS) if usable.size else usable)
    width = before + 1 + after
    sums = [np.zeros((width, unit.rows.size)) for unit in spikes]
    amplitudes = [np.zeros(samples.size, dtype=np.float32) for samples in drawn]
    snippets = [np.zeros((index.size, width), dtype=np.float32) for index in kept]
    requests = [SnippetRequest(samples, unit.rows) for samples, unit in zip(drawn, spikes, strict=True)]
    for owner, which, piece in iter_snippets(
        recording, requests, before=before, after=after, step=step, progress=progress
    ):
        values = remove_baseline(piece)
        if gains is not None:
            values *= gains[spikes[owner].rows].astype(np.float32)
        sums[owner] += values.sum(axis=0, dtype=np.float64)
        amplitudes[owner][which] = values[:, before, 0]
        first, last = np.searchsorted(kept[owner], (which.start, which.stop))
        snippets[owner][first:last] = values[kept[owner][first:last] - which.start, :, 0]
    return [
        Place(
            label=unit.label,
            row=unit.row,
            rows=unit.rows,
            positions_um=unit.positions_um,
            samples=unit.samples,
            drawn_samples=drawn[index],
            amplitudes=amplitudes[index],
            mean=sums[index] / max(drawn[index].size, 1),
            snippet_samples=drawn[index][kept[index]],
            snippets=snippets[index],
        )
        for index, unit in enumerate(spikes)
    ]
