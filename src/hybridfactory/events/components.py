"""The patterns along which a unit's spikes vary, found in noise, and how much of each is the unit's own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridfactory.events.leading import leading_patterns
from hybridfactory.events.shrinkage import EDGE_MARGIN, noise_edge, shrink_singular_values, squared_cosine

__all__ = ["Components", "find_components"]

MAX_AUTO_RANK = 40
MIN_NOISE_DEVIATION = 0.5


@dataclass(frozen=True, eq=False)
class Components:
    """Patterns above the noise, and what scores along them are to be multiplied with.

    Parameters
    ----------
    directions : numpy.ndarray of float32, shape (rank, num_features)
        Orthonormal, whitened.
    gains, training_gains : numpy.ndarray of float32, shape (rank,)
        For snippets outside and inside the decomposition, so that both vary as much as the signal does.
    """

    directions: NDArray[np.float32]
    gains: NDArray[np.float32]
    training_gains: NDArray[np.float32]


def find_components(
    whitened: NDArray[np.float32],
    deviation_along: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    deviation: float,
    mean: NDArray[np.float32],
    *,
    max_rank: int | None,
    random: np.random.Generator,
) -> Components:
    """Find the components of the signal in noise.

    The first is the mean itself: changes of amplitude, whose pattern is known and need not be found among all
    others, show in a few dozen spikes. The rest are singular vectors of what is left.

    Parameters
    ----------
    whitened : numpy.ndarray of float32, shape (num_events, num_features)
        Deviations from the mean. Written over.
    deviation_along : callable
        Standard deviations of the background, whitened alike, along directions of the shape (num_directions,
        num_features): the noise that is really left.
    deviation : float
        Of the background in general.
    mean : numpy.ndarray of float32, shape (num_features,)
        Of the events, whitened.
    max_rank : int or None
        Largest number of singular vectors, beside the mean; None: up to 40.
    random : numpy.random.Generator
        For the start of the iterative decomposition only.
    """
    length = float(np.linalg.norm(mean))
    pattern = mean[None] / (length if length > 0 else 1.0)
    amplitude = _along(whitened, pattern, deviation_along(pattern), num_searched=1)
    # Row by row in place: a second array of this size would be the largest memory of a run.
    rest, shares = whitened, whitened @ pattern.T
    for index, share in enumerate(shares):
        rest[index] -= share * pattern[0]
    rank = min(max_rank or MAX_AUTO_RANK, *(size - 3 for size in rest.shape))
    if rank < 1:
        return amplitude
    _, patterns = leading_patterns(rest, rank, random)
    # Along patterns that other units leave in every window the background is larger than it is in general.
    noise = np.maximum(deviation_along(patterns), deviation)
    others = _along(rest, patterns, noise, num_searched=rest.shape[1])
    return Components(
        np.concatenate([amplitude.directions, others.directions]),
        np.concatenate([amplitude.gains, others.gains]),
        np.concatenate([amplitude.training_gains, others.training_gains]),
    )


def _along(
    whitened: NDArray[np.float32], directions: NDArray[np.float32], noise: NDArray[np.floating], num_searched: int
) -> Components:
    """Keep directions along which events vary more than noise makes them vary, and tell by how much.

    Parameters
    ----------
    whitened : numpy.ndarray of float32, shape (num_events, num_features)
    directions : numpy.ndarray of float32, shape (num_directions, num_features)
        Those along which the events vary most.
    noise : numpy.ndarray, shape (num_directions,)
        Standard deviation of the background along them.
    num_searched : int
        Dimensions that they were looked for in.
    """
    aspect = num_searched / len(whitened)
    spread = np.sqrt(((whitened @ directions.T).astype(np.float64) ** 2).mean(axis=0))
    observed = spread / np.maximum(noise, MIN_NOISE_DEVIATION)
    kept = np.flatnonzero(observed > noise_edge(aspect) * EDGE_MARGIN)
    signal = shrink_singular_values(observed[kept], aspect)
    gains = signal / np.sqrt(1 + signal**2 * squared_cosine(signal, aspect))
    return Components(
        directions[kept].astype(np.float32), gains.astype(np.float32), (signal / observed[kept]).astype(np.float32)
    )
