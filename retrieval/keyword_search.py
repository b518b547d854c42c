"""Search by words over the segments of an index, as if they were one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import RequestError
from retrieval.keywords import KeywordIndex, rarity
from retrieval.words import Term, terms


@dataclass(frozen=True)
class WordedPart:
    """A segment's words and ids by their places, and which of its items are there; None for all."""

    index: KeywordIndex
    id_at: Callable[[int], str]
    place_of: Callable[[str], int]
    alive: np.ndarray | None


class KeywordSearch:
    """BM25 over all parts.

    How rare a term is follows from all texts, also of items taken out since the last compaction; what a text's length
    counts is by its own segment's mean.
    """

    def __init__(self, parts: Sequence[WordedPart], *, split: Callable[[np.ndarray], list[np.ndarray]]) -> None:
        self._parts = parts
        self._split = split

    def search(self, query: str, k: int, *, allowed: np.ndarray | None = None) -> list[tuple[str, float]]:
        """The k best of the items that hold a term of the query, of those `allowed`, bool [items], and their scores.

        Equal scores stand in the order of the items. Raises RequestError for k < 1 or a query without a term.
        """
        if k < 1:
            raise RequestError(f"k is {k}; ask for at least 1 hit.")
        asked = Counter(term.text for term in query_terms(query))
        masks = [part.alive for part in self._parts] if allowed is None else self._split(allowed)
        factors = self._factors(asked)
        hits: list[tuple[str, float]] = []
        for number, (part, mask) in enumerate(zip(self._parts, masks, strict=True)):
            places, scores = best(self._scores(number, asked, factors), mask, k)
            hits += [(part.id_at(place), score) for place, score in zip(places.tolist(), scores.tolist(), strict=True)]
        # Sorting keeps the order of equal ones, which is that of the items.
        return hits if len(self._parts) == 1 else sorted(hits, key=lambda hit: -hit[1])[:k]

    def rarity(self, term: str) -> float:
        """The inverse document frequency of a term among all texts."""
        count = sum(len(part.index) for part in self._parts)
        return rarity(count=count, holders=sum(part.index.holders(term) for part in self._parts))

    def explain(self, query: str, item: str) -> dict[str, float]:
        """What each term of the query adds to an item's score, the largest first; terms that it lacks are left out."""
        asked = Counter(term.text for term in query_terms(query))
        factors = self._factors(asked)
        found = {}
        for number, part in enumerate(self._parts):
            place = part.place_of(item)
            if place < 0 or (part.alive is not None and not part.alive[place]):
                continue
            for term, times in asked.items():
                places, scores = part.index.postings(term)
                if (share := float(scores[places == place].sum())) > 0:
                    found[term] = times * share * factors[number].get(term, 1.0)
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def _scores(self, number: int, asked: Counter[str], factors: Sequence[dict[str, float]]) -> np.ndarray:
        """Each item's score in one part, float32 [items]."""
        index = self._parts[number].index
        scores = np.zeros(len(index), dtype=np.float32)
        for term, times in asked.items():
            places, shares = index.postings(term)
            scores[places] += times * factors[number].get(term, 1.0) * shares
        return scores

    def _factors(self, asked: Counter[str]) -> list[dict[str, float]]:
        """For each part by how much a term counts more or less among all texts than among the part's own."""
        if len(self._parts) == 1:
            return [{}]
        holders = {term: [part.index.holders(term) for part in self._parts] for term in asked}
        count = sum(len(part.index) for part in self._parts)
        whole = {term: rarity(count=count, holders=sum(each)) for term, each in holders.items()}
        return [
            {
                term: whole[term] / rarity(count=len(part.index), holders=holders[term][number])
                for term in asked
                if holders[term][number]
            }
            for number, part in enumerate(self._parts)
        ]


def best(scores: np.ndarray, mask: np.ndarray | None, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and scores of the k best above 0 that are marked, equal ones in order."""
    if mask is not None:
        scores = np.where(mask, scores, 0.0)
    places = np.flatnonzero(scores > 0)
    if len(places) > k:
        least = np.partition(scores[places], -k)[-k]
        places = places[scores[places] >= least]
    order = np.lexsort((places, -scores[places]))[:k]
    return places[order], scores[places[order]]


def query_terms(query: str) -> list[Term]:
    """The terms of a query. Raises RequestError when it has none."""
    found = terms(query)
    if not found:
        raise RequestError(f"{query!r} has no word to search for. Ask with at least one letter or digit.")
    return found
