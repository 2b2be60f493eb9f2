"""How much of a singular value is signal.

Formulae of the spiked model: M. Gavish and D. L. Donoho, "Optimal shrinkage of singular values", IEEE
Transactions on Information Theory 63 (2017). Matrices are num_events × num_features, with noise of unit
variance, and singular values divided by sqrt(num_events); `aspect` is num_features / num_events.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["EDGE_MARGIN", "noise_edge", "shrink_singular_values", "squared_cosine"]


EDGE_MARGIN = 1.03
"""How far above the edge a singular value must be: matrices are not infinitely large."""


def noise_edge(aspect: float) -> float:
    """Largest singular value that noise alone gives, in the limit of large matrices."""
    return float(1 + np.sqrt(aspect))


def shrink_singular_values(values: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Singular values of the signal behind the observed ones: the optimal shrinker for the operator norm.

    The shrinker for the Frobenius norm gives the best guess of each single event, which varies too little as a
    population; this one keeps the population's variance along each component what it truly is, and the
    population is what a classifier or a sorter sees.

    Parameters
    ----------
    values : numpy.ndarray, shape (rank,)
        Observed singular values / sqrt(num_events), noise of unit variance.
    aspect : float
        num_features / num_events.

    Returns
    -------
    numpy.ndarray, shape (rank,)
        Zero for values within the noise.
    """
    excess = values**2 - 1 - aspect
    discriminant = np.maximum(excess**2 - 4 * aspect, 0)
    signal = np.sqrt(np.maximum(excess + np.sqrt(discriminant), 0) / 2)
    return np.where(values > noise_edge(aspect), signal, 0.0)


def squared_cosine(signal: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Squared cosine between an estimated component (a pattern over the features) and the true one.

    Parameters
    ----------
    signal : numpy.ndarray, shape (rank,)
        Singular values of the signal, as `shrink_singular_values` gives them.
    aspect : float
        num_features / num_events.
    """
    power = signal**2
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (power**2 - aspect) / (power**2 + aspect * power)
    return np.where(power > np.sqrt(aspect), np.maximum(cosine, 0), 0.0)
