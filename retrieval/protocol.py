"""What every vector index offers: one immutable state that answers nearest neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Neighbours:
    """For each query its nearest items, best first; fewer than k where fewer are there."""

    ids: list[list[str]]
    scores: list[list[float]]


class Generation(Protocol):
    """One immutable state of an index.

    Scores are cosines rounded to six decimals; equal ones stand in the order in which the ids were given.
    """

    @property
    def ids(self) -> Sequence[str]:
        """The items, in the order of the vectors they were built from."""

    @property
    def dim(self) -> int:
        """Length of every vector."""

    @property
    def encoder_digest(self) -> str:
        """The encoder whose embeddings these are."""

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query in `vectors` [queries, dim], which may have any length.

        `allowed` [items] bool keeps the search to the items marked True.

        Raises: RequestError for a vector that is NaN, infinite, zero or of another dim, a wrong mask, or k < 1.
        """

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The unit vector [dim] of one item. Raises: RequestError when there is no such item."""
