"""Two linear maps under which the two sides of a pair come near each other, in closed form: regularised CCA.

Hotelling, "Relations Between Two Sets of Variates" (1936), with the ridge of Vinod, "Canonical ridge and econometrics
of joint production" (1976). Each direction weighs as much as its correlation, as in Gong et al., "A Multi-View
Embedding Space for Modeling Internet Images, Tags, and their Semantics" (2014).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Linear(NamedTuple):
    """`weight` [dim, given] and `offset` [dim] of a linear map."""

    weight: np.ndarray
    offset: np.ndarray


def canonical_maps(
    first: np.ndarray, second: np.ndarray, *, dim: int, shrinkage: Sequence[float]
) -> tuple[Linear, Linear]:
    """A map for either side of pairs [rows, given] into one space of `dim`, its strongest correlation first.

    `shrinkage` is what is added to each side's covariance, as a multiple of its mean variance: more of it trusts fewer
    rows less. Where a side is narrower than `dim`, the rest of the space is zero. Raises ValueError for fewer than two
    pairs.
    """
    if len(first) < 2 or len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are not two pairs or more. Give as many of each.")
    (one, its_mean), (other, other_mean) = centred(first), centred(second)
    whiteners = [whitener(side, share) for side, share in zip((one, other), shrinkage, strict=True)]
    across = whiteners[0] @ (one.T @ other / len(one)) @ whiteners[1]
    left, correlations, right = np.linalg.svd(across, full_matrices=False)
    return (
        linear(whiteners[0] @ left * correlations, its_mean, dim=dim),
        linear(whiteners[1] @ right.T * correlations, other_mean, dim=dim),
    )


def centred(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values about their mean, in double precision, and the mean."""
    given = side.astype(np.float64)
    mean = given.mean(axis=0)
    return given - mean, mean


def whitener(side: np.ndarray, shrinkage: float) -> np.ndarray:
    """The inverse root of a side's covariance, to which a multiple of its mean variance is added."""
    spread, axes = np.linalg.eigh(side.T @ side / len(side))
    # A side that is the same in every row has no variance to be scaled by.
    added = shrinkage * spread.mean() + np.finfo(np.float64).tiny
    return np.asarray(axes / np.sqrt(np.maximum(spread, 0.0) + added) @ axes.T)


def linear(directions: np.ndarray, mean: np.ndarray, *, dim: int) -> Linear:
    """The first `dim` directions [given, directions] as a map of values that are not centred."""
    kept = np.zeros((dim, len(directions)))
    kept[: min(dim, directions.shape[1])] = directions.T[:dim]
    return Linear(weight=kept.astype(np.float32), offset=(-kept @ mean).astype(np.float32))
