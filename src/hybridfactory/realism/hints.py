"""What a poor score may come from."""

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.model import EventModel
from hybridfactory.realism.classify import Separation

__all__ = ["POOR_AUC", "hint_for", "is_poor"]

POOR_AUC = 0.65
FEW_SPIKES = 150
REFRACTORY_S = 0.0015
MANY_VIOLATIONS = 0.005
FEW_CLEAN = 0.7
MUCH_DRIFT = 0.15
MUCH_CUT_OFF = 0.02


def is_poor(separation: Separation) -> bool:
    """Whether a classifier tells injected events from real ones, and not by chance."""
    return separation.largest > POOR_AUC and separation.interval[0] > 0.5


def hint_for(separation: Separation, model: EventModel, train: NDArray[np.int64], sampling_frequency: float) -> str:
    """Name what is unusual about a unit with a poor score; empty for one whose score is not poor.

    Parameters
    ----------
    separation : Separation
    model : EventModel
        Of half of its spikes.
    train : numpy.ndarray of int64
        All its spikes, ascending.
    sampling_frequency : float
        Hz.
    """
    if not is_poor(separation):
        return ""
    found = []
    if model.num_training_spikes < FEW_SPIKES:
        found.append(f"few spikes to learn from ({model.num_training_spikes} in this half)")
    violations = float((np.diff(train) < REFRACTORY_S * sampling_frequency).mean()) if train.size > 1 else 0.0
    if violations > MANY_VIOLATIONS:
        found.append(f"contaminated: {violations:.1%} of its intervals are shorter than {REFRACTORY_S * 1e3:g} ms")
    if model.is_clean.mean() < FEW_CLEAN:
        found.append(f"only {model.is_clean.mean():.0%} of its spikes are free of collisions and outliers")
    change = _amplitude_change(model)
    if abs(change) > MUCH_DRIFT:
        found.append(f"drift: its amplitude changes by {change:+.0%} from the first third to the last")
    cut = float(np.abs(model.mean[-3]).max() / np.abs(model.mean).max())
    if cut > MUCH_CUT_OFF:
        found.append(f"still at {cut:.0%} of its peak where its window ends: lengthen samples_after")
    return "; ".join(found) or "nothing unusual about the unit was found: look at its figure"


def _amplitude_change(model: EventModel) -> float:
    """Relative change of the mean trough from the first third of the recording to the last."""
    clean = np.flatnonzero(model.is_clean)
    third = clean.size // 3
    if not third or not len(model.components):
        return 0.0
    trough = np.unravel_index(np.abs(model.mean).argmax(), model.mean.shape)
    heights = model.mean[trough] + model.coefficients[clean] @ model.components[:, trough[0], trough[1]]
    return float(heights[-third:].mean() / heights[:third].mean() - 1)
