"""Spikes as a sorter sees them: band-passed, less the common median, centred on their trough."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.signal import butter, sosfreqz

__all__ = ["ReadTraces", "View", "spikes_in_view"]

BAND_HZ = (300.0, 6000.0)
BAND_ORDER = 3
MARGIN_S = 0.01
BEFORE_S, AFTER_S = 0.7e-3, 1.3e-3
CENTRING_S = 0.3e-3
BATCH_BYTES = 64 << 20

ReadTraces = Callable[[int, int], NDArray[np.generic]]
"""Timeline samples [start, stop) of a recording, all rows; shape (stop - start, num_rows)."""


@dataclass(frozen=True, eq=False)
class View:
    """What is looked at, and how.

    Parameters
    ----------
    sampling_frequency : float
        Hz.
    reference_rows : numpy.ndarray of int64
        Rows whose median is taken off: all that are connected.
    near : numpy.ndarray of int64
        Positions within `reference_rows` of the rows that are looked at, the main channel first.
    """

    sampling_frequency: float
    reference_rows: NDArray[np.int64]
    near: NDArray[np.int64]

    @property
    def margin_samples(self) -> int:
        """Samples that are read on either side of a spike; the filter has forgotten more distant ones."""
        return self._samples(MARGIN_S) + self._samples(AFTER_S) + self._samples(CENTRING_S)

    def _samples(self, seconds: float) -> int:
        return max(round(seconds * self.sampling_frequency), 1)

    def shape(self) -> tuple[int, int]:
        """Samples and rows of a spike in view."""
        return self._samples(BEFORE_S) + 1 + self._samples(AFTER_S), self.near.size


def spikes_in_view(view: View, read: ReadTraces, samples: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cut spikes out of the preprocessed recording.

    The preprocessing is what sorters do: 300 to 6000 Hz (Butterworth, third order, forwards and backwards; below
    half the sampling rate), and the median over all connected rows taken off. Each spike is then centred on the
    largest deflection of its main channel within 0.3 ms, as a sorter would time it: the times of the real class come
    from a sorter that saw their noise, and those of the injected class do not.

    Parameters
    ----------
    view : View
    read : callable
        Reads the recording; windows of `view.margin_samples` around each spike must be within one file.
    samples : numpy.ndarray of int64, shape (num_spikes,)

    Returns
    -------
    numpy.ndarray of float32, shape (num_spikes, num_samples, num_near)
    """
    margin, (width, num_near) = view.margin_samples, view.shape()
    response = _squared_response(2 * margin + 1, view.sampling_frequency)
    seen = np.empty((samples.size, width, num_near), dtype=np.float32)
    batch = max(BATCH_BYTES // (4 * (2 * margin + 1) * view.reference_rows.size), 1)
    for first in range(0, samples.size, batch):
        part = samples[first : first + batch]
        windows = np.stack([read(sample - margin, sample + margin + 1)[:, view.reference_rows] for sample in part])
        seen[first : first + batch] = _preprocessed(view, windows, response)
    return seen


def _squared_response(num_samples: int, sampling_frequency: float) -> NDArray[np.float32]:
    """Gain of the band-pass, applied forwards and backwards, at the frequencies of a real Fourier transform."""
    high = min(BAND_HZ[1], 0.45 * sampling_frequency)
    sections = butter(BAND_ORDER, [BAND_HZ[0], high], "bandpass", fs=sampling_frequency, output="sos")
    frequencies = scipy.fft.rfftfreq(scipy.fft.next_fast_len(num_samples, real=True), 1 / sampling_frequency)
    _, response = sosfreqz(sections, frequencies, fs=sampling_frequency)
    return np.asarray(np.abs(response) ** 2, dtype=np.float32)


def _preprocessed(view: View, windows: NDArray[np.generic], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filtered, referenced and centred; shape (num_spikes, num_samples, num_near)."""
    margin, (width, _) = view.margin_samples, view.shape()
    # Large offsets leave before the precision is cut.
    values = np.subtract(windows, windows[:, :1], dtype=np.float64).astype(np.float32)
    length = 2 * (response.size - 1) + (scipy.fft.next_fast_len(2 * margin + 1, real=True) % 2)
    spectrum = scipy.fft.rfft(values, length, axis=1)
    filtered = scipy.fft.irfft(spectrum * response[:, None], length, axis=1)
    before, centring = view._samples(BEFORE_S), view._samples(CENTRING_S)
    middle = filtered[:, margin - before - centring : margin + width - before + centring]
    middle = (middle - np.median(middle, axis=2, keepdims=True))[:, :, view.near]
    around = np.abs(middle[:, before : before + 2 * centring + 1, 0])
    lateness = around.argmax(axis=1)
    index = lateness[:, None] + np.arange(width)
    return np.asarray(middle[np.arange(len(middle))[:, None], index], dtype=np.float32)
