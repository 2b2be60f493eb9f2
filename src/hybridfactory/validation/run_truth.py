"""The truth of a run, with the size and the place of every event as it was injected."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.errors import OutputError
from hybridfactory.events.snippets import SnippetRequest, read_snippets, remove_baseline
from hybridfactory.ground_truth.run import HybridRun
from hybridfactory.injection.script import InjectionScript, load_script
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.validation.spikes import Spikes
from hybridfactory.validation.timeline import Timeline
from hybridfactory.validation.truth import Truth

__all__ = ["hybrid_recording", "positions_of_rows", "read_run_truth"]

NUM_BACKGROUND_WINDOWS = 300


def hybrid_recording(run: HybridRun) -> FlatRecording | None:
    """Hybrid files as a flat recording on the run's timeline; None if one is gone or has another size."""
    content = run.manifest.content
    for path, target in zip(run.manifest.target_paths, content["targets"], strict=True):
        if not path.is_file() or path.stat().st_size != target["size"]:
            return None
    return run.manifest.recording_in(run.manifest.target_paths)


def positions_of_rows(run: HybridRun, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give x and y of raw rows, µm; NaN for rows that are no site. Shape (num_rows, 2)."""
    channels = {int(row): channel for channel, row in enumerate(run.probe.channel_map)}
    placed = np.concatenate([run.probe.channel_positions, [[np.nan, np.nan]]])
    return np.asarray(placed[[channels.get(int(row), -1) for row in rows]])


def read_run_truth(run: HybridRun, recording: FlatRecording | None, gains: NDArray[np.float64] | None) -> Truth:
    """Read the truth of a run.

    Parameters
    ----------
    run : HybridRun
    recording : FlatRecording or None
        Hybrid in which the background is measured. Without it, the background of the donors' old rows counts.
    gains : numpy.ndarray of float64, shape (num_rows,), or None
        µV per count of every raw row.

    Raises
    ------
    OutputError
        The run's files contradict each other.
    """
    sources = run.manifest.content["sources"]
    starts = np.array([source["start_sample"] for source in sources], dtype=np.int64)
    lengths = np.array([source["num_samples"] for source in sources], dtype=np.int64)
    timeline = Timeline(starts, lengths, run.sampling_frequency)
    events = run.artificial_units
    units = events.drop_duplicates("new_unit").sort_values("new_unit")
    labels = units["new_unit"].to_numpy(dtype=np.int64)
    center_rows = units["center_channel"].to_numpy(dtype=np.int64)
    places = timeline.place(events["timestep"].to_numpy(dtype=np.int64), starts, 0)
    script = load_script(run.manifest.paths.script).injected
    if np.any(places < 0) or script.samples.size != places.size or not np.array_equal(script.labels, labels):
        raise OutputError(
            f"{run.output_directory}: its tables do not fit together: run 'hybridfactory generate' again"
        )
    spikes = Spikes(places, np.searchsorted(labels, events["new_unit"]).astype(np.int32), labels.size)
    amplitudes, shifts = _sizes_and_shifts(run, script, spikes, center_rows, events["timestep"].to_numpy(np.int64))
    noise = _noise(run, script, recording, center_rows)
    if gains is not None:
        noise = noise * gains[center_rows]
        amplitudes = (amplitudes * gains[center_rows][spikes.units]).astype(np.float32)
    donors = timeline.place(events["donor_spike"].to_numpy(dtype=np.int64), starts, 0)
    return Truth(
        timeline=timeline,
        spikes=spikes,
        labels=labels,
        donor_labels=units["true_unit"].to_numpy(dtype=np.int64),
        center_rows=center_rows,
        positions_um=positions_of_rows(run, center_rows),
        amplitudes=amplitudes,
        noise=noise,
        shifts_um=shifts,
        donor_places=np.where(donors >= 0, donors, np.iinfo(np.int64).max // 4),
        amplitude_unit="counts" if gains is None else "µV",
    )


def _sizes_and_shifts(
    run: HybridRun,
    script: InjectionScript,
    spikes: Spikes,
    center_rows: NDArray[np.int64],
    timesteps: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Largest deflection of every event on its centre row, counts, and how far its centre of mass lies off, µm."""
    sizes = np.empty(spikes.num_spikes, dtype=np.float32)
    shifts = np.empty(spikes.num_spikes, dtype=np.float32)
    for unit in range(spikes.num_units):
        bank, rows = script.bank_of(unit)
        mine = np.flatnonzero(script.units == unit)
        events = spikes.indices(unit)
        # Script and table list a unit's events in the same order, the window's centre a fixed step off the trough.
        trough = script.samples_before + int(timesteps[events[0]] - script.samples[mine[0]])
        column = int(np.flatnonzero(rows == center_rows[unit])[0])
        weights = script.weights[script.weight_starts[mine][:, None] + np.arange(bank.shape[1])]
        phases = script.phases[mine]
        centres = np.empty((mine.size, 2))
        positions = positions_of_rows(run, rows)
        for phase in np.unique(phases):
            which = phases == phase
            at_centre = weights[which] @ bank[phase, :, :, column]
            sizes[events[which]] = np.abs(at_centre).max(axis=1)
            power = (weights[which] @ bank[phase, :, trough]).astype(np.float64) ** 2
            centres[which] = power @ positions / power.sum(axis=1, keepdims=True)
        shifts[events] = np.linalg.norm(centres - np.median(centres, axis=0), axis=1)
    return sizes, shifts


def _noise(
    run: HybridRun, script: InjectionScript, recording: FlatRecording | None, center_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Standard deviation of the background on each centre row, counts.

    The median of the deviations in windows at random times, their baselines taken off as for the events: most
    windows hold no spike.
    """
    before, after = script.samples_before, script.samples_after
    if recording is not None:
        rows = np.unique(center_rows)
        random = np.random.default_rng(0)
        times = np.sort(random.integers(0, recording.num_samples, NUM_BACKGROUND_WINDOWS))
        lengths = np.array([file.num_samples for file in recording.files])
        file = np.searchsorted(np.cumsum(lengths), times, side="right")
        starts = np.array([file.start_sample for file in recording.files])
        samples = np.unique(times - (np.cumsum(lengths) - lengths)[file] + starts[file])
        samples = samples[recording.holds_window(samples, before, after)]
        if samples.size:
            request = SnippetRequest(samples, rows)
            snippets = remove_baseline(read_snippets(recording, [request], before=before, after=after)[0])
            deviation = np.median(np.sqrt((snippets.astype(np.float64) ** 2).mean(axis=1)), axis=0)
            return np.asarray(np.maximum(deviation, 1e-9)[np.searchsorted(rows, center_rows)], dtype=np.float64)
    injected = run.units[run.units["new_unit"].notna()].sort_values("new_unit")
    snrs = injected["snr"].to_numpy(dtype=np.float64)
    peaks = [float(np.abs(script.bank_of(unit)[0][:, 0]).max()) for unit in range(script.labels.size)]
    return np.asarray(np.array(peaks) / snrs)
