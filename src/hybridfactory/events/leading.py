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
    Small matrices are decomposed whole.

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
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    side, width = wide.shape[0], rank + NUM_EXTRA
    # A small matrix is squared once, and all else costs next to nothing.
    square = wide @ wide.T if side <= MAX_SQUARED else None
    if square is not None and side <= 2 * NUM_STEPS * width:
        basis, inner = None, square
    else:
        basis = _krylov_basis(wide, square, random.standard_normal((side, width), dtype=np.float32))
        small = basis.T @ (wide if square is None else square)
        inner = small @ (small.T if square is None else basis)
    values, vectors = np.linalg.eigh(inner.astype(np.float64))
    order = np.argsort(values)[::-1][:rank]
    left = vectors[:, order].astype(np.float32)
    left = left if basis is None else basis @ left
    patterns = (left.T @ matrix) if wide is matrix else left.T
    lengths = np.linalg.norm(patterns, axis=1, keepdims=True)
    patterns = patterns / np.where(lengths > 0, lengths, 1)
    return np.sqrt(np.maximum(values[order], 0)), np.asarray(patterns, dtype=np.float32)


def _krylov_basis(
    wide: NDArray[np.float32], square: NDArray[np.float32] | None, start: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Orthonormal basis in which the leading left singular vectors lie; shape (side, num_vectors)."""
    block, blocks = start, []
    for _ in range(min(NUM_STEPS, start.shape[0] // start.shape[1])):
        block = wide @ (wide.T @ block) if square is None else square @ block
        block = np.linalg.qr(block)[0]
        blocks.append(block)
    return np.asarray(np.linalg.qr(np.concatenate(blocks, axis=1))[0])
