"""Quality metrics by SpikeInterface's own formulas, from spike trains and from spikes that are in memory already."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.recording.flat import FlatRecording

__all__ = ["TrainMetrics", "amplitude_cutoff", "isolation", "range_of_drift", "train_metrics"]

REFRACTORY_S = 0.0015
LONGEST_STRETCH_S = 60.0
MIN_STRETCHES = 10
SPIKES_PER_BIN = 8
MAX_AMPLITUDE_BINS = 100
MIN_AMPLITUDE_BINS = 20
NUM_DRIFT_PARTS = 10
MIN_SPIKES_PER_PART = 20
NUM_FEATURES = 6


@dataclass(frozen=True)
class TrainMetrics:
    """What spike times alone tell; see `Measures`."""

    firing_rate_hz: float
    isi_violations_ratio: float
    num_isi_violations: int
    presence_ratio: float


def train_metrics(train: NDArray[np.int64], recording: FlatRecording) -> TrainMetrics:
    """Firing rate, ISI violations and presence of one unit.

    Stretches for the presence ratio last a minute, or a tenth of the recording where it is shorter than ten.

    Parameters
    ----------
    train : numpy.ndarray of int64
        Spike times on the timeline, ascending; not empty.
    recording : FlatRecording
    """
    from spikeinterface.metrics.quality.misc_metrics import isi_violations, presence_ratio  # noqa: PLC0415

    rate = recording.sampling_frequency
    duration_s = recording.num_samples / rate
    pieces, before = [], 0
    gapless = np.full(train.size, -1, dtype=np.int64)
    owner = recording.file_of(train)
    for index, file in enumerate(recording.files):
        inside = owner == index
        pieces.append(train[inside] / rate)
        gapless[inside] = train[inside] - file.start_sample + before
        before += file.num_samples
    ratio, _, count = isi_violations(pieces, duration_s, REFRACTORY_S)
    num_stretches = max(int(duration_s / LONGEST_STRETCH_S), MIN_STRETCHES)
    edges = np.linspace(0, recording.num_samples, num_stretches + 1)
    presence = presence_ratio(gapless[gapless >= 0], bin_edges=edges)
    return TrainMetrics(float(train.size / duration_s), float(ratio), int(np.nan_to_num(count)), float(presence))


def amplitude_cutoff(amplitudes: NDArray[np.float64]) -> float:
    """Share of spikes missing from the lower end of a distribution of amplitudes; NaN with too few of them.

    Parameters
    ----------
    amplitudes : numpy.ndarray, shape (num_spikes,)
        Larger is a larger spike.
    """
    from spikeinterface.metrics.quality.misc_metrics import amplitude_cutoff as fraction_missing  # noqa: PLC0415

    num_bins = min(amplitudes.size // SPIKES_PER_BIN, MAX_AMPLITUDE_BINS)
    if num_bins < MIN_AMPLITUDE_BINS:
        return float("nan")
    return float(fraction_missing(amplitudes, num_bins))


def isolation(spikes: NDArray[np.float32], owners: NDArray[np.int64], label: int) -> float:
    """Simplified silhouette of a unit among its neighbours, -1 to 1; 1 where it has none.

    Parameters
    ----------
    spikes : numpy.ndarray of float32, shape (num_spikes, num_samples, num_rows)
        On the rows around the unit.
    owners : numpy.ndarray of int64, shape (num_spikes,)
        Unit of each.
    label : int
    """
    from scipy.linalg import eigh  # noqa: PLC0415
    from spikeinterface.metrics.quality.pca_metrics import simplified_silhouette_score  # noqa: PLC0415

    if (owners == label).all():
        return 1.0
    # Every other sample says nearly as much, in an eighth of the time.
    flat = spikes[:, ::2].reshape(len(spikes), -1)
    centred = flat - flat.mean(axis=0)
    # The few strongest directions of a covariance: of all spikes around, so that they tell units apart.
    last = flat.shape[1] - 1
    strongest = [max(last - NUM_FEATURES + 1, 0), last]
    _, directions = eigh((centred.T @ centred).astype(np.float64), subset_by_index=strongest)
    features = centred @ directions
    return float(simplified_silhouette_score(features, owners, label))


def range_of_drift(spikes: NDArray[np.float32], depths_um: NDArray[np.float64]) -> float:
    """How far a unit's centre of mass moves along the probe; NaN with too few spikes.

    Averages over parts of the recording are compared: the place of a single spike is mostly noise.

    Parameters
    ----------
    spikes : numpy.ndarray of float32, shape (num_spikes, num_samples, num_rows)
        By time.
    depths_um : numpy.ndarray, shape (num_rows,)
    """
    num_parts = min(len(spikes) // MIN_SPIKES_PER_PART, NUM_DRIFT_PARTS)
    if num_parts < 2:
        return float("nan")
    parts = np.array_split(spikes, num_parts)
    energy = np.array([np.ptp(part.mean(axis=0), axis=0) ** 2 for part in parts], dtype=np.float64)
    total = energy.sum(axis=1)
    if not (total > 0).all():
        return float("nan")
    return float(np.ptp(energy @ depths_um / total))
