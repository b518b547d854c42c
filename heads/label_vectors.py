"""Vectors that stand for labels, without torch: their rows' means, and directions between two of them."""

import numpy as np


def label_means(vectors: np.ndarray, labels: np.ndarray, *, count: int) -> np.ndarray:
    """The mean of each label's vectors [count, dim], zeros for a label without any.

    `vectors` [rows, dim]; `labels` numbers [rows], those below 0 are left out.
    """
    means = np.zeros((count, vectors.shape[1]), dtype=np.float64)
    known = labels >= 0
    np.add.at(means, labels[known], vectors[known])
    rows = np.bincount(labels[known], minlength=count)
    return np.asarray((means / np.maximum(rows, 1)[:, None]).astype(np.float32))


def mixed(one: np.ndarray, other: np.ndarray, *, share: float) -> np.ndarray:
    """Directions [labels, dim] between two of them: `share` of `other`, all of it where `one` is zeros."""
    return np.asarray(((1.0 - share) * directions(one) + share * directions(other)).astype(np.float32))


def directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors [rows, dim] at length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))
