"""The construction of 2018, kept by name so that old runs can be repeated: low rank in the first difference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.alignment import PAD
from hybridfactory.events.fit import Encoded
from hybridfactory.events.footprint import deviations_from_noise, footprint_weights
from hybridfactory.events.screening import finite_windows
from hybridfactory.events.snippets import remove_baseline
from hybridfactory.events.training import MIN_TRAINING_SPIKES, TooFewSpikes

__all__ = ["FittedDerivative", "fit_derivative"]


@dataclass(frozen=True, eq=False)
class FittedDerivative:
    """Counterpart of `FittedUnit`: no noise model, no alignment, every spike taken as it is.

    The construction itself has no mean; the components' average share stands in for it, so that the model
    reads like any other.
    """

    columns: NDArray[np.int64]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    noise_deviation: NDArray[np.float32]
    is_training: NDArray[np.bool_]
    end_share: float
    directions: NDArray[np.float32]
    average_scores: NDArray[np.float32]

    @property
    def num_bytes(self) -> int:
        """Memory that it holds."""
        return self.directions.nbytes + self.components.nbytes

    def encode(self, snippets: NDArray[np.generic]) -> Encoded:
        """Find the share of the components in every snippet; see `FittedUnit.encode`."""
        is_finite = finite_windows(snippets)
        values = np.where(is_finite[:, None, None], snippets[:, PAD:-PAD, self.columns], 0)
        scores = _differences(values) @ self.directions.T - self.average_scores
        return np.zeros(len(snippets), dtype=np.int64), scores, is_finite

    def averaged(
        self, coefficients: NDArray[np.float32], is_training: NDArray[np.bool_]
    ) -> "tuple[FittedDerivative, NDArray[np.float32]]":
        """Nothing to do here: its mean is that of the training spikes; see `FittedUnit.averaged`."""
        return self, coefficients


def fit_derivative(
    snippets: NDArray[np.generic],
    background: NDArray[np.generic],
    *,
    samples_before: int,
    fade_samples: int,
    max_rank: int | None,
    random: np.random.Generator,
) -> tuple[FittedDerivative, Encoded] | TooFewSpikes:
    """Decompose the first differences of detrended snippets, and sum the components up again.

    Parameters and result are as for `fit_unit`; events end at zero by construction, and need not fade.
    ``max_rank=None`` keeps the documented six components, since this construction knows no noise edge.
    """
    is_finite = finite_windows(snippets)
    if is_finite.sum() < MIN_TRAINING_SPIKES:
        return TooFewSpikes(int(is_finite.sum()))
    all_snippets, snippets = snippets, snippets[is_finite]
    values = remove_baseline(snippets)[:, PAD:-PAD]
    quiet = remove_baseline(background[finite_windows(background)])[:, PAD:-PAD]
    deviation = quiet.std(axis=(0, 1))
    average = values.mean(axis=0)
    halves = np.stack([values[parity::2].mean(axis=0) for parity in (0, 1)])
    columns = np.flatnonzero(footprint_weights(average, deviations_from_noise(halves, quiet, 0.0)))
    differences = _differences(snippets[:, PAD:-PAD][:, :, columns])
    rank = min(max_rank or 6, min(differences.shape) - 1)
    # Imported here: it takes a third of a second, and few runs ask for this construction.
    from scipy.sparse.linalg import svds  # noqa: PLC0415

    start = random.standard_normal(min(differences.shape)).astype(np.float32)
    _, _, vectors = svds(differences, k=rank, v0=start, solver="arpack")
    directions = np.ascontiguousarray(vectors[::-1])
    num_samples = average.shape[0]
    components = np.zeros((rank, num_samples, columns.size), dtype=np.float32)
    components[:, 1:] = directions.reshape(rank, num_samples - 1, columns.size).cumsum(axis=1)
    average_scores = (differences @ directions.T).mean(axis=0)
    fitted = FittedDerivative(
        columns=columns,
        mean=np.tensordot(average_scores, components, axes=1),
        components=components,
        noise_deviation=deviation[columns].astype(np.float32),
        is_training=is_finite,
        end_share=0.0,  # it begins and ends at zero by construction
        directions=directions,
        average_scores=average_scores,
    )
    return fitted, fitted.encode(all_snippets)


def _differences(snippets: NDArray[np.generic]) -> NDArray[np.float32]:
    """First differences of snippets minus the line through their first and last sample, flattened."""
    values = snippets.astype(np.float64)
    steps = np.diff(values, axis=1) - (values[:, -1:] - values[:, :1]) / (values.shape[1] - 1)
    return np.asarray(steps.reshape(len(values), -1), dtype=np.float32)
