"""Search in one field over the parts of an opened index."""

from collections.abc import Sequence

import numpy as np

from polyloom.errors import RequestError
from retrieval.items import Field
from retrieval.kinds import Reach
from retrieval.metrics import asked
from retrieval.parts import Part, split_mask
from retrieval.protocol import Neighbours
from retrieval.segment_vectors import Near
from retrieval.selection import Selection, both
from retrieval.vectors import check_request, missing_item

USUAL_REACH = Reach()


class FieldSearch:
    """The vectors of one field, as `retrieval.protocol.Generation` has them; `ids` are those of the whole index.

    An item without a vector here is never found.
    """

    def __init__(self, field: Field, *, name: str, parts: Sequence[Part], ids: Sequence[str]) -> None:
        self.encoder_digest = field.encoder_digest
        self.dim = field.dim
        self.metric = field.metric
        self.reach = USUAL_REACH
        self.ids = ids
        self._parts = parts
        self._vectors = [part.segment.vectors[name] for part in parts]
        self._usual = [
            both(None if part.alive is None else Selection(part.alive), own.present)
            for part, own in zip(parts, self._vectors, strict=True)
        ]

    @property
    def is_approximate(self) -> bool:
        """Whether a search may overlook items."""
        return any(own.is_approximate for own in self._vectors)

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query; see `Generation.search`. Approximate kinds may overlook some."""
        return self._search(vectors, k, allowed=allowed, exact=False)

    def search_exactly(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query, none overlooked: what approximate answers are judged by."""
        return self._search(vectors, k, allowed=allowed, exact=True)

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The vector [dim] of one item. Raises: RequestError when there is no such item, or it has none here."""
        if id not in self.ids:
            raise missing_item(id, count=len(self.ids), example=next(iter(self.ids), None))
        found = self.vectors([id])
        if id not in found:
            raise RequestError(f"The item {id!r} has no vector here. Ask by what it has.")
        return found[id]

    def vectors(self, ids: Sequence[str]) -> dict[str, np.ndarray]:
        """The vectors [dim] of those of the items that have one."""
        found: dict[str, np.ndarray] = {}
        for part, own, usual in zip(self._parts, self._vectors, self._usual, strict=True):
            places = part.segment.ids.places(ids)
            known = np.flatnonzero((places >= 0) & (True if usual is None else usual.mask[places]))
            if len(known):
                found |= zip([ids[row] for row in known.tolist()], own.at(places[known]), strict=True)
        return found

    def _search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None, exact: bool) -> Neighbours:
        queries = asked(vectors, metric=self.metric, dim=self.dim)
        check_request(k, allowed, count=len(self.ids))
        selections = self._usual if allowed is None else self._selections(allowed)
        each: list[list[Near]] = []
        for own, only in zip(self._vectors, selections, strict=True):
            if only is not None and not only.count:
                continue
            if exact:
                each.append(own.exact(queries, k, allowed=only))
            else:
                each.append(own.nearest(queries, k, allowed=only, reach=self.reach))
        named = [part for part, only in zip(self._parts, selections, strict=True) if only is None or only.count]
        answers = [merged([one[row] for one in each], named, k) for row in range(len(queries))]
        return Neighbours(ids=[ids for ids, _ in answers], scores=[scores for _, scores in answers])

    def _selections(self, allowed: np.ndarray) -> list[Selection | None]:
        """For each part which of its items may be found."""
        masks = split_mask(self._parts, allowed)
        return [both(Selection(mask), own.present) for mask, own in zip(masks, self._vectors, strict=True)]


def merged(each: Sequence[Near], parts: Sequence[Part], k: int) -> tuple[list[str], list[float]]:
    """Ids and scores of one query's k best of all parts; equal scores in the order of parts and places."""
    ids: list[str] = []
    scores: list[float] = []
    for part, near in zip(parts, each, strict=True):
        ids += [part.segment.ids[place] for place in near.places.tolist()]
        scores += near.scores.tolist()
    if len(each) == 1:
        return ids, scores
    order = sorted(range(len(ids)), key=lambda place: -scores[place])[:k]
    return [ids[place] for place in order], [scores[place] for place in order]
