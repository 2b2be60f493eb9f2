"""How large each unit and each event is, against its donor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AmplitudeTarget", "draw_amplitude_factors"]

MAX_UNIT_FACTOR = 10.0
FACTOR_WORTH_A_NOTE = 2.0


@dataclass(frozen=True, eq=False)
class AmplitudeTarget:
    """How large the means of injected units are to be on their new main rows.

    Parameters
    ----------
    name : str
        The parameter that states it.
    low, high : float
        Range of the target; each unit's own is drawn from it.
    counts_of_one : numpy.ndarray of float64, shape (num_raw_rows,)
        Counts on each raw row that a target of 1 means: the background's standard deviation, or one µV. NaN where
        that is not known.
    is_whole : bool
        Whether samples are whole numbers.
    largest_counts : float
        What the data type can hold on either side of its middle.
    """

    name: str
    low: float
    high: float
    counts_of_one: NDArray[np.float64]
    is_whole: bool
    largest_counts: float

    def draw(self, random: np.random.Generator) -> float:
        """Draw one unit's target."""
        return float(random.uniform(self.low, self.high))

    def unit_factor(self, value: float, peak: float, row: int) -> float:
        """Find the factor that makes a mean of `peak` counts on a raw row as large as a target; NaN: none."""
        one = self.counts_of_one[row]
        return float(value * one / peak) if one > 0 else float("nan")

    def refusal(self, value: float, peak: float, row: int, scales: tuple[float, float]) -> str:
        """Say why a unit cannot have its target; empty if it can.

        Parameters
        ----------
        value : float
        peak : float
            Of the mean without the factor, counts.
        row : int
            The new main row.
        scales : tuple of float
            Smallest and largest scale of single events.
        """
        asked = f"{self.name} {value:.3g}"
        factor = self.unit_factor(value, peak, row)
        if not np.isfinite(factor):
            return f"{asked} cannot be reached on row {row}: no noise is known there"
        if factor > MAX_UNIT_FACTOR:
            return (
                f"{asked} would scale it up {factor:.1f} times on row {row}, and what is left of its noise with it "
                f"(at most {MAX_UNIT_FACTOR:g} times): choose a larger donor or a smaller target"
            )
        smallest, largest = (factor * peak * scale for scale in scales)
        if largest > self.largest_counts:
            return f"{asked} makes events of {largest:.0f} counts on row {row}, which the data type cannot hold"
        if self.is_whole and smallest < 1:
            return f"{asked} makes events of less than one count on row {row}: choose a larger target"
        return ""

    def note(self, value: float, factor: float) -> str:
        """Say what the user should know of a unit that is scaled; empty if nothing."""
        if factor <= FACTOR_WORTH_A_NOTE:
            return ""
        return f"{self.name} {value:.3g} scales it up {factor:.1f} times, and what is left of its noise with it"


def draw_amplitude_factors(
    num_events: int, low: float, high: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """One factor per event, uniform in [low, high]; exactly 1 where both are 1."""
    return random.uniform(low, high, size=num_events).astype(np.float32)
