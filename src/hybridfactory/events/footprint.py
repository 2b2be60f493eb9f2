"""The rows on which a unit is seen, with borders in space and ends in time that leave no step."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["end_taper", "footprint_weights"]

MIN_SHARE_OF_PEAK = 0.003
MIN_DEVIATIONS = 4.0
EDGE_MARGIN = 1.5
NUM_TAPER_SAMPLES = 6


def footprint_weights(mean: NDArray[np.float32], step_error: NDArray[np.floating]) -> NDArray[np.float32]:
    """Weight of every row: 0 where the unit isn't seen, 1 where it clearly is, smooth between.

    Whether the unit stands out of the noise on a row is judged by the steps from sample to sample, which slow
    potentials hardly have, along the few courses that the unit shows on its strong rows: so it is seen far out, where
    no single sample stands out. Where it fades into a small share of its peak, so does the weight.

    Parameters
    ----------
    mean : numpy.ndarray, shape (num_samples, num_rows)
    step_error : numpy.ndarray, shape (num_rows,)
        Standard error of a step of `mean` on each row.
    """
    height = np.abs(mean).max(axis=0)
    steps = np.diff(mean.astype(np.float64), axis=0) / np.where(step_error > 0, step_error, 1)
    _, singular, right = np.linalg.svd(steps, full_matrices=False)
    # Courses of the noise itself reach the sum of these roots, and somewhat more where its steps follow each other.
    is_course = singular > EDGE_MARGIN * sum(np.sqrt(steps.shape))
    deviations = np.linalg.norm(singular[is_course, None] * right[is_course], axis=0)
    share = height / max(float(height.max()), np.finfo(np.float64).tiny)
    rise = np.clip(share / MIN_SHARE_OF_PEAK - 1, 0, 1) * (deviations > MIN_DEVIATIONS)
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
