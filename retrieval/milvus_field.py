"""Search by the vectors of one field of a collection in Milvus."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from polyloom.errors import RequestError
from retrieval.items import Field
from retrieval.kinds import Reach
from retrieval.metrics import asked, scores
from retrieval.milvus_collection import MilvusCollection, among
from retrieval.milvus_schema import ID, MESSAGE, MOST_HITS, column, presence, search_parameters
from retrieval.protocol import Neighbours
from retrieval.vectors import check_request, missing_item

USUAL_REACH = Reach()


class MilvusField:
    """The vectors of one field, as `retrieval.protocol.Generation` has them."""

    def __init__(
        self, collection: MilvusCollection, *, name: str, field: Field, ids: Callable[[], Sequence[str]]
    ) -> None:
        self.encoder_digest = field.encoder_digest
        self.dim = field.dim
        self.metric = field.metric
        self.reach = USUAL_REACH
        self._collection = collection
        self._column = column(name)
        self._present = f"{presence(name)} == true"
        self._ids = ids

    # Milvus has no exact search that could say how much another one overlooks.
    is_approximate: Literal[False] = False

    @property
    def ids(self) -> Sequence[str]:
        """The items of the whole index."""
        return self._ids()

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query; see `Generation.search`. Equal scores stand in the order of ids.

        Raises: RequestError as there, and for a k above 16,384.
        """
        queries = asked(vectors, metric=self.metric, dim=self.dim)
        check_request(k, allowed, count=0 if allowed is None else len(self.ids))
        if k > MOST_HITS:
            raise RequestError(f"k is {k}; Milvus gives {MOST_HITS} neighbours at most.")
        condition = self._present
        if allowed is not None:
            chosen = [self.ids[place] for place in np.flatnonzero(allowed).tolist()]
            if not chosen:
                return Neighbours(ids=[[] for _ in queries], scores=[[] for _ in queries])
            condition = f"{condition} and {among(chosen)}"
        answers = [self._best(query, hits, k) for query, hits in self._asked(queries, k, condition)]
        return Neighbours(ids=[ids for ids, _ in answers], scores=[near for _, near in answers])

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The vector [dim] of one item. Raises: RequestError when there is no such item, or it has none here."""
        found = self.vectors([id])
        if id in found:
            return found[id]
        if not self._collection.found([id], [ID]):
            raise missing_item(id, count=len(self.ids), example=next(iter(self.ids), None))
        raise RequestError(f"The item {id!r} has no vector here. Ask by what it has.")

    def vectors(self, ids: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors [dim] of those of the items that have one."""
        found = self._collection.found(ids, [ID, self._column], condition=self._present)
        return {row[ID]: np.asarray(row[self._column], dtype=np.float32) for row in found}

    def _asked(self, queries: np.ndarray, k: int, condition: str) -> list[tuple[np.ndarray, list[Mapping[str, Any]]]]:
        """Each query with some more hits than k, so that rounding finds all that is as good as the last."""
        hits = min(k + max(k, 10), MOST_HITS)
        lot = max(1, MESSAGE // (hits * self.dim * 4))
        parameters = search_parameters(self._collection.kind, self.reach, hits=hits)
        answers: list[list[Mapping[str, Any]]] = []
        for begin in range(0, len(queries), lot):
            with self._collection.connection.asked() as client:
                answers += client.search(
                    self._collection.name,
                    data=list(queries[begin : begin + lot]),
                    anns_field=self._column,
                    filter=condition,
                    limit=hits,
                    output_fields=[self._column],
                    search_params={"params": parameters},
                )
        return list(zip(queries, answers, strict=True))

    def _best(self, query: np.ndarray, hits: list[Mapping[str, Any]], k: int) -> tuple[list[str], list[float]]:
        """Ids and exact scores of the k best hits."""
        if not hits:
            return [], []
        rows = np.asarray([hit["entity"][self._column] for hit in hits], dtype=np.float32)
        near = zip(scores(query, rows, metric=self.metric).tolist(), (hit[ID] for hit in hits), strict=True)
        best = sorted(near, key=lambda hit: (-hit[0], hit[1]))[:k]
        return [id_ for _, id_ in best], [score for score, _ in best]
