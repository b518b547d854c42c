"""Exact search in numpy: small, in memory, and the judge of every other index."""

from collections.abc import Sequence

import numpy as np

from polyloom.errors import DataError
from retrieval.protocol import Neighbours
from retrieval.vectors import best, check_request, position_of, unique_ids, unit_queries, unit_vectors


class ExactGeneration:
    """Unit vectors in memory, all of them compared with each query."""

    def __init__(self, *, ids: Sequence[str], vectors: np.ndarray, encoder_digest: str) -> None:
        self.ids = unique_ids(ids, count=len(vectors))
        self.encoder_digest = encoder_digest
        self._vectors = unit_vectors(vectors, name=lambda row: repr(ids[row]), error=DataError)
        self._positions = {id_: position for position, id_ in enumerate(self.ids)}

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return int(self._vectors.shape[1])

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query; see `Generation.search`."""
        queries = unit_queries(vectors, dim=self.dim)
        check_request(k, allowed, count=len(self.ids))
        positions = np.arange(len(self.ids)) if allowed is None else np.flatnonzero(allowed)
        ranked = [best(query, self._vectors[positions], positions, k) for query in queries]
        return Neighbours(
            ids=[[self.ids[position] for position in found] for found, _ in ranked],
            scores=[scores.tolist() for _, scores in ranked],
        )

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The unit vector [dim] of one item."""
        vector: np.ndarray = self._vectors[position_of(id, self._positions)].copy()
        return vector
