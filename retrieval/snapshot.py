"""One state of a live index, opened: it answers as it was, whatever is written meanwhile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from retrieval.kinds import Reach
from retrieval.metrics import Metric, asked
from retrieval.protocol import Neighbours
from retrieval.segment import Segment
from retrieval.vectors import check_request, missing_item

USUAL_REACH = Reach()


@dataclass(frozen=True)
class Part:
    """A segment, and which of its items are still there, bool [items]; None for all."""

    segment: Segment
    alive: np.ndarray | None

    @property
    def count(self) -> int:
        """How many items are there."""
        return len(self.segment) if self.alive is None else int(np.count_nonzero(self.alive))


class Snapshot:
    """The items of all parts, in the order in which they were put in."""

    def __init__(
        self,
        *,
        number: int,
        encoder_digest: str,
        dim: int,
        metric: Metric,
        parts: tuple[Part, ...],
        reach: Reach = USUAL_REACH,
    ) -> None:
        self.number = number
        self.encoder_digest = encoder_digest
        self.dim = dim
        self.metric: Metric = metric
        self.reach = reach
        self.ids: Sequence[str] = Ids(parts)
        self._parts = parts

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query; see `Generation.search`. Approximate kinds may overlook some."""
        return self._search(vectors, k, allowed=allowed, exact=False)

    def search_exactly(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query, none overlooked: what approximate answers are judged by."""
        return self._search(vectors, k, allowed=allowed, exact=True)

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The vector [dim] of one item. Raises: RequestError when there is no such item."""
        for part in self._parts:
            (place,) = part.segment.ids.places([id])
            if place >= 0 and (part.alive is None or part.alive[place]):
                found: np.ndarray = part.segment.vectors(np.array([place]))[0]
                return found
        raise missing_item(id, count=len(self.ids), example=next(iter(self.ids), None))

    def _search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None, exact: bool) -> Neighbours:
        queries = asked(vectors, metric=self.metric, dim=self.dim)
        check_request(k, allowed, count=len(self.ids))
        masks = self._masks(allowed)
        answers = [self._answer(query, k, masks, exact=exact) for query in queries]
        return Neighbours(ids=[ids for ids, _ in answers], scores=[scores for _, scores in answers])

    def _answer(
        self, query: np.ndarray, k: int, masks: Sequence[np.ndarray | None], *, exact: bool
    ) -> tuple[list[str], list[float]]:
        """Ids and scores of one query's k best; equal scores in the order of parts and places."""
        ids: list[str] = []
        scores: list[float] = []
        for part, mask in zip(self._parts, masks, strict=True):
            segment = part.segment
            if exact:
                places, near = segment.exact(query, k, allowed=mask)
            else:
                places, near = segment.nearest(query, k, allowed=mask, reach=self.reach)
            ids += [segment.ids[place] for place in places.tolist()]
            scores += near.tolist()
        if len(self._parts) == 1:
            return ids, scores
        order = sorted(range(len(ids)), key=lambda place: -scores[place])[:k]
        return [ids[place] for place in order], [scores[place] for place in order]

    def _masks(self, allowed: np.ndarray | None) -> list[np.ndarray | None]:
        """For each part which of its items may be found; None for all."""
        if allowed is None:
            return [part.alive for part in self._parts]
        ends = list(accumulate(part.count for part in self._parts))
        masks: list[np.ndarray | None] = []
        for part, end in zip(self._parts, ends, strict=True):
            own = allowed[end - part.count : end]
            if part.alive is None:
                masks.append(own)
            else:
                mask = np.zeros(len(part.segment), dtype=bool)
                mask[np.flatnonzero(part.alive)] = own
                masks.append(mask)
        return masks


class Ids(Sequence[str]):
    """The ids of all items that are there, read when they are asked for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._counts = [part.count for part in parts]

    def __len__(self) -> int:
        return sum(self._counts)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        """The id at a position from 0 on."""
        if place < 0:
            raise IndexError(place)
        for part, count in zip(self._parts, self._counts, strict=True):
            if place < count:
                own = place if part.alive is None else int(np.flatnonzero(part.alive)[place])
                return part.segment.ids[own]
            place -= count
        raise IndexError(place)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            alive = [True] * len(part.segment) if part.alive is None else part.alive.tolist()
            yield from (id_ for id_, there in zip(part.segment.ids, alive, strict=True) if there)
