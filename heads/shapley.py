"""What each of a few parts adds to a score: exact Shapley values, over all subsets of the parts.

Shapley, "A Value for n-Person Games" (1953); for a model's inputs Strumbelj and Kononenko, "An Efficient Explanation
of Individual Classifications using Game Theory" (2010).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np

from polyloom.errors import RequestError

MOST_PARTS = 12


@dataclass(frozen=True)
class Shares:
    """Each part's share [parts], and the scores with none and with all of them: the shares add up to the difference."""

    values: np.ndarray
    base: float
    whole: float


def shapley_values(score: Callable[[np.ndarray], np.ndarray], *, parts: int) -> Shares:
    """The shares of so many parts; `score` takes subsets, bool [subsets, parts], and gives their scores [subsets].

    Raises RequestError for more parts than can be tried.
    """
    if parts > MOST_PARTS:
        raise RequestError(f"{parts} modalities have {2**parts:,} subsets; up to {MOST_PARTS} are explained.")
    numbers = np.arange(2**parts)
    subsets = (numbers[:, None] >> np.arange(parts)) & 1 == 1
    scores = score(subsets)
    sizes = subsets.sum(axis=1)
    weights = np.array([factorial(size) * factorial(parts - size - 1) for size in range(parts)], dtype=np.float64)
    values = np.zeros(parts)
    for part in range(parts):
        without = numbers[~subsets[:, part]]
        gains = scores[without | (1 << part)] - scores[without]
        values[part] = (weights[sizes[without]] * gains).sum() / factorial(parts)
    return Shares(values=values, base=float(scores[0]), whole=float(scores[-1]))
