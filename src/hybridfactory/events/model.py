"""What a unit's spikes look like: a mean, a few components, and every spike's own share of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EventModel", "RefusedUnit"]


@dataclass(frozen=True, eq=False)
class EventModel:
    """Low-rank model of one donor unit's events, in the recording's raw counts.

    An event is ``mean + coefficients @ components``, shifted by its phase. Nothing of it is background noise.

    Parameters
    ----------
    label : int
        The donor's label.
    rows : numpy.ndarray of int64, shape (num_rows,)
        Raw rows of the donor's footprint.
    mean : numpy.ndarray of float32, shape (num_samples, num_rows)
        Mean waveform with its trough on sample `samples_before`; zero at both ends.
    components : numpy.ndarray of float32, shape (rank, num_samples, num_rows)
    samples_before : int
    donor_samples : numpy.ndarray of int64, shape (num_spikes,)
        Timeline sample nearest to the trough of each of the donor's spikes, ascending.
    phases : numpy.ndarray of int64, shape (num_spikes,)
        How much later than that the trough is, in steps of 1 / `NUM_PHASES` sample.
    coefficients : numpy.ndarray of float32, shape (num_spikes, rank)
    is_clean : numpy.ndarray of bool, shape (num_spikes,)
        False for spikes whose waveform is unknown: they collide with a larger event, are outliers of their
        unit, or lie over the edge of a file.
    num_training_spikes : int
    noise_level : float
        Standard deviation of the background on the main row.
    notes : tuple of str
        What the user should know about this unit.
    """

    label: int
    rows: NDArray[np.int64]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    samples_before: int
    donor_samples: NDArray[np.int64]
    phases: NDArray[np.int64]
    coefficients: NDArray[np.float32]
    is_clean: NDArray[np.bool_]
    num_training_spikes: int
    noise_level: float
    notes: tuple[str, ...] = ()

    @property
    def main_column(self) -> int:
        """Column of `mean` on which it is largest."""
        return int(np.abs(self.mean).max(axis=0).argmax())

    @property
    def snr(self) -> float:
        """Largest deflection of the mean over the background's standard deviation on that row."""
        return float(np.abs(self.mean).max() / self.noise_level)

    @property
    def energy(self) -> NDArray[np.float64]:
        """Share of the mean's energy on each row; shape (num_rows,)."""
        power = (self.mean.astype(np.float64) ** 2).sum(axis=0)
        return np.asarray(power / power.sum())

    def waveforms(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean and components on some rows, the mean first; shape (1 + rank, num_samples, num_columns)."""
        return np.concatenate([self.mean[None], self.components])[:, :, columns]


@dataclass(frozen=True)
class RefusedUnit:
    """A donor without an event model, and why."""

    label: int
    reason: str
