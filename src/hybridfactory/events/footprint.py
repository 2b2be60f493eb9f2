"""The rows on which a unit is seen, with borders in space and ends in time that leave no step."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["end_taper", "footprint_weights"]

MIN_SHARE_OF_PEAK = 0.005
MIN_STANDARD_ERRORS = 5.0
NUM_TAPER_SAMPLES = 6


def footprint_weights(mean: NDArray[np.float32], standard_error: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weight of every row: 0 where the unit isn't seen, 1 where it clearly is, smooth between.

    Parameters
    ----------
    mean : numpy.ndarray, shape (num_samples, num_rows)
    standard_error : numpy.ndarray, shape (num_rows,)
        Standard error of `mean` on each row.
    """
    height = np.abs(mean).max(axis=0)
    threshold = np.maximum(MIN_SHARE_OF_PEAK * height.max(), MIN_STANDARD_ERRORS * standard_error)
    rise = np.clip(height / np.where(threshold > 0, threshold, 1) - 1, 0, 1)
    weights = rise * rise * (3 - 2 * rise)
    weights[height.argmax()] = 1
    smooth: NDArray[np.float32] = weights.astype(np.float32)
    return smooth


def end_taper(num_samples: int) -> NDArray[np.float32]:
    """Half-cosine rise and fall at the ends of an event's window, zero on the outermost samples."""
    count = min(NUM_TAPER_SAMPLES, num_samples // 4)
    taper = np.ones(num_samples, dtype=np.float32)
    if count:
        rise = (1 - np.cos(np.pi * np.arange(count) / count)) / 2
        taper[:count] = rise
        taper[-count:] = rise[::-1]
    return taper
