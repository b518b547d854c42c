"""Search over a bundle's generations: one exact index a modality and one of words, joined by rank, filtered before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polyloom.errors import RequestError, suggestion
from retrieval.grouping import best_per_group
from retrieval.keywords import KeywordIndex, open_keywords
from retrieval.protocol import Generation
from retrieval.rank_fusion import reciprocal_rank_fusion
from retrieval.vectors import DECIMALS
from retrieval.where import parse_filter
from retrieval.words import KEYWORD, terms

KEYWORDS = "keywords"
CANDIDATES = 100
# What the best keyword score counts beside a cosine of 1; scores joined so find more than ranks that are merged.
KEYWORD_SHARE = 1 / 3
SPLIT = "_split"


@dataclass(frozen=True)
class Hit:
    """One found item: rank-fusion score, its columns, and for each ranking its rank (from 1).

    `cosines` are by modality; `terms` is what each word of the question adds to its keyword score.
    """

    id: str
    score: float
    row: dict[str, Any]
    ranks: dict[str, int]
    cosines: dict[str, float]
    image: str | None
    terms: dict[str, float] = field(default_factory=dict)


class Searcher:
    """The opened index of one bundle."""

    def __init__(
        self,
        *,
        items: pa.Table,
        generations: Mapping[str, Generation],
        facts: Mapping[str, Any],
        keywords: KeywordIndex | None = None,
    ) -> None:
        self.modalities = tuple(generations)
        self.keywords = keywords
        self._items = items
        self._generations = generations
        self._columns: dict[str, str] = facts["columns"]
        self._weights: dict[str, float] = facts["weights"]
        self._group: str | None = facts["group"]
        self._image: str | None = facts["image"]
        self._show: Sequence[str] = facts["show"]
        self._places = {id_: place for place, id_ in enumerate(items["_key"].to_pylist())}
        self._held = {name: set(generation.ids) for name, generation in generations.items()}
        self._rows_of = {
            name: np.array([self._places[id_] for id_ in generation.ids], dtype=np.int64)
            for name, generation in generations.items()
        }

    @classmethod
    def open(cls, bundle: Path, *, facts: Mapping[str, Any], digests: Mapping[str, str]) -> "Searcher":
        """Open a bundle's generations; each must belong to the encoder of that digest."""
        # faiss takes half a second to import, and a release without an index needs none.
        from retrieval.generation import open_generation

        generations = {
            name: open_generation(bundle / "index" / name, encoder_digest=digests[name]) for name in facts["embed"]
        }
        keywords = open_keywords(bundle / KEYWORDS) if facts.get("keyword") else None
        items = pq.read_table(bundle / "items.parquet")
        return cls(items=items, generations=generations, facts=facts, keywords=keywords)

    def search(
        self,
        queries: Mapping[str, tuple[np.ndarray, float]],
        *,
        k: int,
        words: str | None = None,
        worded: str | None = None,
        where: str | None = None,
        learned: bool = False,
    ) -> list[Hit]:
        """The k best items for query vectors [1, dim] by modality, each with the weight of its ranking, and for words.

        `worded` is the modality whose vectors are of texts too: its cosines and the keyword scores make one ranking.
        With `learned` only those of the training split, where the bundle says which these are.
        """
        if k < 1:
            raise RequestError(f"k is {k}; ask for at least 1 hit.")
        usable = {name: query for name, query in queries.items() if np.any(query[0]) and query[1] > 0}
        words = words if self.keywords is not None and words is not None and terms(words) else None
        if not usable and words is None:
            known = [*self.modalities, *([KEYWORD] if self.keywords is not None else [])]
            raise RequestError(f"Nothing in the question can be searched; this index finds by {', '.join(known)}.")
        mask = None if where is None else self._mask(where)
        if learned and SPLIT in self._items.column_names:
            training = np.asarray(pc.equal(self._items[SPLIT], "train"))
            mask = training if mask is None else mask & training
        found = {name: self._neighbours(name, vector, k, mask) for name, (vector, _) in usable.items()}
        weights = [self._weights.get(name, 1.0) * usable[name][1] for name in found]
        held = {} if words is None else self._holding(words, k, mask)
        rankings = {name: list(hits) for name, hits in found.items()}
        lists = {**found, **({KEYWORD: held} if held else {})}
        ranks = {name: {item: rank for rank, item in enumerate(hits, start=1)} for name, hits in lists.items()}
        if held and worded in found:
            found[worded] = self._with_cosines(worded, usable[worded][0], found[worded], held)
            rankings[worded] = self._joined(worded, usable[worded][1], found[worded], held)
        elif held:
            rankings[KEYWORD] = list(held)
            weights.append(self._weights.get(KEYWORD, 1.0))
        ranking = reciprocal_rank_fusion(list(rankings.values()), weights=weights)
        return [self._hit(id_, score, ranks, found, words) for id_, score in self._grouped(ranking, k)]

    def like(self, item: str, *, k: int, where: str | None = None) -> list[Hit]:
        """The k items nearest to an item, itself (and its group) left out."""
        if item not in self._places:
            near = suggestion(item, list(self._places)[:5000])
            raise RequestError(f"There is no item {item!r} in this index of {len(self._places)}.{near}")
        queries = {
            name: (generation.vector(item)[None], 1.0)
            for name, generation in self._generations.items()
            if item in self._held[name]
        }
        own = self._group_of(item)
        hits = self.search(queries, k=k + 1, where=where)
        return [hit for hit in hits if hit.id != item and (own is None or self._group_of(hit.id) != own)][:k]

    def item(self, id: str) -> dict[str, Any]:  # noqa: A002
        """All columns of an item."""
        row: dict[str, Any] = self._items.slice(self._places[id], 1).to_pylist()[0]
        return row

    def _mask(self, where: str) -> np.ndarray:
        return np.asarray(parse_filter(where, self._columns).mask(self._items))

    def _neighbours(self, name: str, vector: np.ndarray, k: int, mask: np.ndarray | None) -> dict[str, float]:
        """Item -> cosine, best first."""
        allowed = None if mask is None else mask[self._rows_of[name]]
        found = self._generations[name].search(vector, self._depth(k), allowed=allowed)
        return dict(zip(found.ids[0], found.scores[0], strict=True))

    def _holding(self, words: str, k: int, mask: np.ndarray | None) -> dict[str, float]:
        """The items that hold some of these words with their keyword scores, best first."""
        assert self.keywords is not None
        found = self.keywords.search(words, self._depth(k), allowed=mask)
        keys = self._items["_key"]
        return {
            keys[place].as_py(): score
            for place, score in zip(found.places.tolist(), found.scores.tolist(), strict=True)
        }

    def _with_cosines(
        self, name: str, query: np.ndarray, cosines: Mapping[str, float], held: Mapping[str, float]
    ) -> dict[str, float]:
        """The cosines of a modality's hits, and of those items that only words found."""
        unit = query[0] / np.linalg.norm(query[0])
        others = [item for item in held if item not in cosines and item in self._held[name]]
        found = {item: round(float(self._generations[name].vector(item) @ unit), DECIMALS) for item in others}
        return {**cosines, **found}

    def _joined(self, name: str, readable: float, cosines: Mapping[str, float], held: Mapping[str, float]) -> list[str]:
        """The items of a modality and those that hold words, by cosine and keyword score together, best first."""
        share = KEYWORD_SHARE * self._weights.get(KEYWORD, 1.0) / self._weights.get(name, 1.0)
        most = max(held.values())
        scores = {
            item: readable * cosines.get(item, 0.0) + share * held.get(item, 0.0) / most
            for item in dict.fromkeys([*cosines, *held])
        }
        return sorted(scores, key=lambda item: (-scores[item], item))

    def _depth(self, k: int) -> int:
        """How many of each ranking are joined."""
        return max(CANDIDATES, 10 * k) if self._group else max(CANDIDATES, 3 * k)

    def _grouped(self, ranking: list[tuple[str, float]], k: int) -> list[tuple[str, float]]:
        return best_per_group(ranking, group_of=self._group_of, k=k) if self._group else ranking[:k]

    def _group_of(self, item: str) -> str | None:
        if self._group is None:
            return None
        value = self._items[self._group][self._places[item]].as_py()
        return None if value is None else str(value)

    def _hit(
        self,
        item: str,
        score: float,
        ranks: Mapping[str, Mapping[str, int]],
        found: Mapping[str, Mapping[str, float]],
        words: str | None,
    ) -> Hit:
        row = self.item(item)
        held = item in ranks.get(KEYWORD, {})
        return Hit(
            id=item,
            score=score,
            row={name: row[name] for name in self._show},
            ranks={name: own[item] for name, own in ranks.items() if item in own},
            cosines={name: hits[item] for name, hits in found.items() if item in hits},
            image=row.get(self._image) if self._image else None,
            terms=self.keywords.explain(words, self._places[item]) if self.keywords and words and held else {},
        )
