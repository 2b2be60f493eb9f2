"""The rows on which a unit is seen, with borders in space and ends in time that leave no step."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.noise import product_whiteners

__all__ = ["deviations_from_noise", "end_taper", "footprint_weights"]

MIN_SHARE_OF_PEAK = 0.003
MIN_DEVIATIONS = 3.0
MIN_ENERGY_DEVIATIONS = 10.0
EDGE_MARGIN = 1.05
NUM_TAPER_SAMPLES = 2


def deviations_from_noise(
    halves: NDArray[np.float32], background: NDArray[np.float32], floor_variance: float
) -> NDArray[np.float64]:
    """How far a mean stands out of its own error on every row, in standard deviations.

    Along the few courses in time that the unit shows on its strong rows, it is seen far out, where no single sample
    stands out. A row with a course of its own, as there are between rows where a spike is a trough and rows where it
    is a peak, is seen by its energy. The error is what two halves of the spikes differ by: near other units it is
    larger than in a background without their spikes.

    Parameters
    ----------
    halves : numpy.ndarray of float32, shape (2, num_samples, num_rows)
        Means over every other spike.
    background : numpy.ndarray of float32, shape (num_windows, num_samples, num_rows)
        Windows without the unit, on the same samples and rows; they tell how to whiten.
    floor_variance : float
        Variance that every sample has at least, such as that of rounding.

    Returns
    -------
    numpy.ndarray, shape (num_rows,)
    """
    space, time = product_whiteners(background, floor_variance)
    in_time = time @ np.stack([halves.mean(axis=0), (halves[0] - halves[1]) / 2])
    mean, error = in_time @ space
    courses, singular, _ = np.linalg.svd(mean, full_matrices=False)
    is_course = singular > EDGE_MARGIN * np.linalg.norm(error, 2)
    scale = np.sqrt((in_time[1] ** 2).mean(axis=0))
    scale = np.where(scale > 0, scale, np.inf)
    shown = np.linalg.norm(courses[:, is_course].T @ in_time[0], axis=0) / scale
    # Of two equal sums over so many squares, the ratio has this standard deviation.
    excess = (((in_time[0] / scale) ** 2).mean(axis=0) - 1) / np.sqrt(4 / len(mean))
    return np.asarray(np.where(excess > MIN_ENERGY_DEVIATIONS, np.maximum(shown, excess), shown), dtype=np.float64)


def footprint_weights(mean: NDArray[np.float32], deviations: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weight of every row: 0 where the unit isn't seen, 1 where it clearly is, smooth where it fades out.

    Parameters
    ----------
    mean : numpy.ndarray, shape (num_samples, num_rows)
    deviations : numpy.ndarray, shape (num_rows,)
        How far it stands out of the noise, see `deviations_from_noise`.
    """
    height = np.abs(mean).max(axis=0)
    share = height / max(float(height.max()), np.finfo(np.float64).tiny)
    rise = np.clip(share / MIN_SHARE_OF_PEAK - 1, 0, 1) * (deviations > MIN_DEVIATIONS)
    weights = rise * rise * (3 - 2 * rise)
    weights[height.argmax()] = 1
    smooth: NDArray[np.float32] = weights.astype(np.float32)
    return smooth


def end_taper(num_samples: int, fade_samples: int = NUM_TAPER_SAMPLES) -> NDArray[np.float32]:
    """Half-cosine rise and fall at the ends of an event's window, zero on the outermost samples.

    Parameters
    ----------
    num_samples : int
    fade_samples : int
        Samples of the fall; the rise takes 2, before which a spike is hardly anything.
    """
    taper = np.ones(num_samples, dtype=np.float32)
    for count, end in ((NUM_TAPER_SAMPLES, taper), (fade_samples, taper[::-1])):
        length = min(count, num_samples // 4)
        end[:length] *= ((1 - np.cos(np.pi * np.arange(length) / max(length, 1))) / 2).astype(np.float32)
    return taper
