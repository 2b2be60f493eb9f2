"""The background at any place: windows at random times, and how much a row varies in them."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD
from hybridfactory.events.screening import finite_windows, ordinary_windows
from hybridfactory.events.snippets import SnippetRequest, read_snippets, remove_baseline
from hybridfactory.recording.flat import FlatRecording

__all__ = ["background_deviation", "random_samples"]

NUM_WINDOWS = 400
MIN_WINDOWS = 30


def random_samples(
    recording: FlatRecording, count: int, before: int, after: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Draw timeline samples around which a window lies in one file; ascending, shape (count,)."""
    lengths = np.array([max(file.num_samples - before - after, 0) for file in recording.files])
    draws = np.sort(random.integers(lengths.sum(), size=count))
    file = np.searchsorted(np.cumsum(lengths), draws, side="right")
    starts = np.array([file.start_sample for file in recording.files])
    return np.asarray(draws - (np.cumsum(lengths) - lengths)[file] + starts[file] + before, dtype=np.int64)


def background_deviation(
    recording: FlatRecording, rows: NDArray[np.int64], *, samples_before: int, samples_after: int, seed: int
) -> NDArray[np.float64]:
    """Measure the background of single rows the way that an event model measures that of its main row.

    Up to 400 windows at random times, their baselines taken off as for spikes; of each row, those are left out in
    which somebody's large event is.

    Parameters
    ----------
    recording : FlatRecording
    rows : numpy.ndarray of int64, shape (num_rows,)
    samples_before, samples_after : int
        Of an event's window.
    seed : int

    Returns
    -------
    numpy.ndarray of float64, shape (num_rows,)
        Standard deviation in counts; NaN where fewer than 30 windows serve.
    """
    before, after = samples_before + PAD, samples_after + PAD
    samples = random_samples(recording, NUM_WINDOWS, before, after, np.random.default_rng([seed, 0]))
    (windows,) = read_snippets(recording, [SnippetRequest(samples, rows)], before=before, after=after)
    deviations = np.full(rows.size, np.nan)
    for column in range(rows.size):
        mine = windows[:, :, column : column + 1]
        leveled = remove_baseline(mine[finite_windows(mine)])
        if len(leveled) < MIN_WINDOWS:
            continue
        quiet = leveled[ordinary_windows(leveled)][:, PAD:-PAD]
        deviations[column] = np.sqrt((quiet.astype(np.float64) ** 2).mean())
    return deviations
