"""Mean waveforms: of injected units as they were rendered, and of found units as the hybrid shows them."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.snippets import SnippetRequest, iter_snippets, remove_baseline
from hybridfactory.injection.script import InjectionScript
from hybridfactory.progress import ProgressCallback, no_progress
from hybridfactory.recording.flat import FlatRecording
from hybridfactory.validation.compare import Comparison
from hybridfactory.validation.result import UnitWaveforms
from hybridfactory.validation.truth import Truth

__all__ = ["make_unit_waveforms", "measure_means", "rendered_means"]

MAX_SPIKES = 200
NUM_ROWS_SHOWN = 24


def rendered_means(script: InjectionScript, truth: Truth, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of each unit's events as they were added to the recording, centred on the trough.

    Parameters
    ----------
    script : InjectionScript
    truth : Truth
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows to show; 0 where nothing was added.

    Returns
    -------
    numpy.ndarray of float32, shape (num_units, samples_before + 1 + samples_after, num_rows)
        Counts.
    """
    width = script.samples_before + 1 + script.samples_after
    means = np.zeros((truth.labels.size, width, rows.size), dtype=np.float32)
    columns_of = {int(row): column for column, row in enumerate(rows)}
    timesteps = truth.timeline.to_run(truth.spikes.places)
    for unit in range(truth.labels.size):
        bank, unit_rows = script.bank_of(unit)
        mine = np.flatnonzero(script.units == unit)
        weights = script.weights[script.weight_starts[mine][:, None] + np.arange(bank.shape[1])].astype(np.float64)
        shares = np.zeros(bank.shape[:2])
        np.add.at(shares, script.phases[mine], weights)
        mean = np.einsum("pk,pksc->sc", shares / mine.size, bank)
        # The trough lies a fixed step off the window's centre; move it there.
        late = int(timesteps[truth.spikes.indices(unit)[0]] - script.samples[mine[0]])
        kept = [column for column, row in enumerate(unit_rows) if int(row) in columns_of]
        shown = [columns_of[int(unit_rows[column])] for column in kept]
        source = slice(max(late, 0), width + min(late, 0))
        target = slice(max(-late, 0), width + min(-late, 0))
        means[unit, target][:, shown] = mean[source][:, kept]
    return means


def measure_means(
    recording: FlatRecording,
    truth: Truth,
    comparison: Comparison,
    units: NDArray[np.int64],
    rows: NDArray[np.int64],
    *,
    before: int,
    after: int,
    progress: ProgressCallback = no_progress,
) -> NDArray[np.float32]:
    """Mean of up to 200 spikes of each found unit, spread evenly over the recording, baselines taken off.

    Parameters
    ----------
    recording : FlatRecording
        The hybrid.
    truth : Truth
    comparison : Comparison
    units : numpy.ndarray of int64, shape (num_asked,)
        Indices of found units.
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows.
    before, after : int
        Samples around the spike time, the lag taken off.
    progress : ProgressCallback

    Returns
    -------
    numpy.ndarray of float32, shape (num_asked, before + 1 + after, num_rows)
        Counts; NaN for a unit none of whose spikes has its whole window in a file.
    """
    requests = []
    for unit in units:
        samples = truth.timeline.to_run(comparison.tested.spikes.train(int(unit))) - comparison.lag.samples
        samples = samples[recording.holds_window(samples, before, after)]
        if samples.size > MAX_SPIKES:
            samples = samples[np.linspace(0, samples.size - 1, MAX_SPIKES).astype(np.int64)]
        requests.append(SnippetRequest(samples, rows))
    sums = np.zeros((units.size, before + 1 + after, rows.size), dtype=np.float64)
    pieces = iter_snippets(
        recording, requests, before=before, after=after, step="reading found units", progress=progress
    )
    for owner, _, snippets in pieces:
        sums[owner] += remove_baseline(snippets).sum(axis=0)
    counts = np.array([request.samples.size for request in requests], dtype=np.float64)
    counts[counts == 0] = np.nan
    return (sums / counts[:, None, None]).astype(np.float32)


def make_unit_waveforms(
    truth: Truth,
    comparison: Comparison,
    rendered: NDArray[np.float32],
    measured: NDArray[np.float32] | None,
    rows: NDArray[np.int64],
    positions_um: NDArray[np.float64],
    gains: NDArray[np.float64] | None,
    samples_before: int,
) -> tuple[UnitWaveforms, ...]:
    """Put each injected unit beside its match on the rows around its centre.

    Parameters
    ----------
    truth : Truth
    comparison : Comparison
    rendered : numpy.ndarray of float32, shape (num_injected, num_samples, num_rows)
    measured : numpy.ndarray of float32, shape (num_found, num_samples, num_rows), or None
        By index of the found unit; only those of matched units are needed.
    rows : numpy.ndarray of int64, shape (num_rows,)
    positions_um : numpy.ndarray of float64, shape (num_rows, 2)
    gains : numpy.ndarray of float64, shape (num_rows,), or None
        µV per count of `rows`.
    samples_before : int
        Samples before the trough.
    """
    scale = np.ones(rows.size) if gains is None else gains
    times = (np.arange(rendered.shape[1]) - samples_before) / truth.timeline.sampling_frequency * 1000
    shown = []
    for unit, label in enumerate(truth.labels):
        apart = np.linalg.norm(positions_um - truth.positions_um[unit], axis=1)
        near = np.sort(np.argsort(apart, kind="stable")[:NUM_ROWS_SHOWN])
        match = int(comparison.matches[unit])
        mean = None if measured is None or match < 0 else measured[match][:, near] * scale[near]
        shown.append(
            UnitWaveforms(
                new_unit=int(label),
                found_unit=comparison.tested.ids[match],
                rows=rows[near],
                positions_um=positions_um[near],
                times_ms=times,
                truth=rendered[unit][:, near] * scale[near],
                match=mean,
            )
        )
    return tuple(shown)
