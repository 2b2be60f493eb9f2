"""How large each event is, against its donor spike."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_amplitude_factors"]


def draw_amplitude_factors(
    num_events: int, low: float, high: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """One factor per event, uniform in [low, high]; exactly 1 where both are 1."""
    return random.uniform(low, high, size=num_events).astype(np.float32)
