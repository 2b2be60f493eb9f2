"""The leading singular vectors of a matrix, a few of many."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["leading_patterns"]

NUM_EXTRA = 6
NUM_STEPS = 8
MAX_SQUARED = 1000


def leading_patterns(
    matrix: NDArray[np.float32], rank: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Largest singular values, descending, and their right singular vectors.

    Block Krylov iteration from a random start (C. Musco and C. Musco, Advances in Neural Information Processing
    Systems 28, 2015): a few products with blocks of vectors, where the method of Lanczos takes dozens with single
    ones. Values that stand out are exact to single precision; those within a bulk of noise come a little too small.

    Parameters
    ----------
    matrix : numpy.ndarray of float32, shape (num_events, num_features)
    rank : int
        At least 1, and at most the smaller dimension.
    random : numpy.random.Generator

    Returns
    -------
    singular : numpy.ndarray of float64, shape (rank,)
    patterns : numpy.ndarray of float32, shape (rank, num_features)
        Orthonormal.
    """
    shape = matrix.shape
    width = min(rank + NUM_EXTRA, *shape)
    num_steps = max(min(NUM_STEPS, min(shape) // width), 1)
    # A small matrix is squared once, and the steps cost next to nothing.
    square = matrix @ matrix.T if shape[0] <= min(MAX_SQUARED, shape[1]) else None
    block = matrix @ random.standard_normal((shape[1], width), dtype=np.float32)
    blocks = []
    for _ in range(num_steps):
        block = np.linalg.qr(block)[0]
        blocks.append(block)
        block = matrix @ (matrix.T @ block) if square is None else square @ block
    basis = np.linalg.qr(np.concatenate(blocks, axis=1))[0]
    if square is None:
        small = basis.T @ matrix
        inner = small @ small.T
    else:
        inner = basis.T @ square @ basis
    values, vectors = np.linalg.eigh(inner.astype(np.float64))
    order = np.argsort(values)[::-1][:rank]
    patterns = (basis @ vectors[:, order].astype(np.float32)).T @ matrix
    lengths = np.linalg.norm(patterns, axis=1, keepdims=True)
    patterns /= np.where(lengths > 0, lengths, 1)
    return np.sqrt(np.maximum(values[order], 0)), np.asarray(patterns, dtype=np.float32)
