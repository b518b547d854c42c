"""Search over an index: each field's vectors and words give a ranking, joined to one, filtered before."""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polyloom.errors import RequestError, suggestion
from releases.found import Found, Hit, Wishes
from retrieval.diversity import maximal_marginal_relevance
from retrieval.facets import facet_counts
from retrieval.grouping import best_per_group
from retrieval.highlights import highlights
from retrieval.joining import USUAL_SHARE, join
from retrieval.rank_fusion import reciprocal_rank_fusion
from retrieval.recall_log import RecallLog, recall_at_k
from retrieval.where import parse_filter
from retrieval.words import KEYWORD, terms

if TYPE_CHECKING:
    from retrieval.snapshot import Snapshot

CANDIDATES = 100
KEPT_MASKS = 32
RECALL_AT = 10
SPLIT = "_split"


@dataclass(frozen=True)
class Asked:
    """A question: a vector [1, dim] by field with how far its encoder can read it, 0..1, and words.

    `worded` is the field whose vectors are of texts too: its cosines and the keyword scores make one ranking.
    """

    vectors: Mapping[str, tuple[np.ndarray, float]]
    words: str | None = None
    worded: str | None = None


class Searcher:
    """One opened state of an index; `facts` is what its release says of the items."""

    def __init__(self, snapshot: "Snapshot", *, facts: Mapping[str, Any], watch: RecallLog | None = None) -> None:
        self.snapshot = snapshot
        self._watch = watch
        self._watched_share: float = facts.get("watch", 0.0)
        self.fields: tuple[str, ...] = snapshot.fields
        self.keyword: bool = snapshot.keywords is not None
        self._columns: dict[str, str] = facts["columns"]
        self._weights: dict[str, float] = facts["weights"]
        self._share: float = facts.get("keyword_share", USUAL_SHARE)
        self._group: str | None = facts["group"]
        self._image: str | None = facts["image"]
        self._show: Sequence[str] = facts["show"]
        self._masks: OrderedDict[str, np.ndarray] = OrderedDict()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        facts: Mapping[str, Any],
        digests: Mapping[str, str],
        trusted: bool = False,
        watch: RecallLog | None = None,
    ) -> "Searcher":
        """Open the index in a folder; each field must belong to the encoder of that digest.

        A share of the queries is asked again exactly, and what they overlooked is noted in `watch`.
        """
        # faiss takes half a second to import, and a release without an index needs none.
        from retrieval.live import open_index

        return cls(open_index(folder, encoders=digests, trusted=trusted), facts=facts, watch=watch)

    @property
    def rankings(self) -> tuple[str, ...]:
        """What items can be found by."""
        return (*self.fields, *([KEYWORD] if self.keyword else []))

    def find(self, asked: Asked, wishes: Wishes, *, learned: bool = False, but: Collection[str] = ()) -> Found:
        """The best items for a question, `but` left out; with `learned` only those of the training split.

        Raises: RequestError for a question that cannot be searched or wishes that cannot be.
        """
        wishes.check(self.rankings)
        asked = self._usable(asked, wishes)
        mask = self._mask(wishes.where, learned=learned)
        depth = self._depth(wishes.last + len(but))
        found = {
            name: dict(zip(hits.ids[0], hits.scores[0], strict=True))
            for name, (vector, _) in asked.vectors.items()
            for hits in [self.snapshot.field(name).search(vector, depth, allowed=mask)]
        }
        for name, (vector, _) in asked.vectors.items():
            self._note_recall(name, vector, mask, list(found[name])[:RECALL_AT])
        held: dict[str, float] = {}
        if asked.words is not None and self.snapshot.keywords is not None:
            held = dict(self.snapshot.keywords.search(asked.words, depth, allowed=mask))
        return self._answer(asked, wishes, found, held, but)

    def like(self, item: str, wishes: Wishes) -> Found:
        """The items nearest to an item, itself (and its group) left out. Raises: RequestError as `find` does."""
        if item not in self.snapshot.ids:
            some = [id_ for id_, _ in zip(self.snapshot.ids, range(5000), strict=False)]
            raise RequestError(
                f"There is no item {item!r} in this index of {len(self.snapshot.ids)}.{suggestion(item, some)}"
            )
        held = {name: self.snapshot.field(name).vectors([item]) for name in self.fields}
        vectors = {name: (found[item][None], 1.0) for name, found in held.items() if item in found}
        return self.find(Asked(vectors), wishes, but=[item, *self._wordings(item)])

    def item(self, id: str) -> dict[str, Any]:  # noqa: A002
        """All columns of an item."""
        return self.snapshot.row(id)

    def _note_recall(self, name: str, vector: np.ndarray, mask: np.ndarray | None, found: Sequence[str]) -> None:
        """Ask a share of the queries again exactly, and note what they overlooked."""
        field = self.snapshot.field(name)
        if self._watch is None or not field.is_approximate or np.random.default_rng().random() >= self._watched_share:
            return
        true = field.search_exactly(vector, RECALL_AT, allowed=mask).ids[0]
        # A place that cannot be written to costs the figure, not the answer.
        with contextlib.suppress(OSError):
            self._watch.add(name, recall_at_k(found, true), number=self.snapshot.number)

    def _usable(self, asked: Asked, wishes: Wishes) -> Asked:
        """What of a question can be searched."""
        weights = {name: wishes.weights.get(name, 1.0) for name in self.rankings}
        vectors = {
            name: query
            for name, query in asked.vectors.items()
            if np.any(query[0]) and query[1] > 0 and weights.get(name, 0) > 0
        }
        readable = self.keyword and asked.words is not None and terms(asked.words) and weights[KEYWORD] > 0
        if not vectors and not readable:
            raise RequestError(
                f"Nothing in the question can be searched; this index finds by {', '.join(self.rankings)}."
            )
        return Asked(vectors, asked.words if readable else None, asked.worded if asked.worded in vectors else None)

    def _mask(self, where: str | None, *, learned: bool) -> np.ndarray | None:
        """Which items may be found; None for all."""
        mask = None if where is None else self._where(where)
        if learned and SPLIT in self.snapshot.columns:
            training = self.snapshot.marked(lambda table: np.asarray(pc.equal(table[SPLIT], "train")))
            mask = training if mask is None else mask & training
        return mask

    def _where(self, where: str) -> np.ndarray:
        """The items that a filter lets through; the last filters are remembered."""
        if where not in self._masks:
            self._masks[where] = self.snapshot.marked(parse_filter(where, self._columns).mask)
            while len(self._masks) > KEPT_MASKS:
                self._masks.popitem(last=False)
        return self._masks[where]

    def _answer(
        self,
        asked: Asked,
        wishes: Wishes,
        found: dict[str, dict[str, float]],
        held: dict[str, float],
        but: Collection[str],
    ) -> Found:
        """The page of hits out of cosines by field and the keyword scores."""
        lists = {**found, **({KEYWORD: held} if held else {})}
        ranks = {name: {item: rank for rank, item in enumerate(hits, start=1)} for name, hits in lists.items()}
        if asked.worded is not None and held:
            found[asked.worded] |= self._cosines(asked, held, found[asked.worded])
        left_out = set(but)
        ranking = [hit for hit in self._ranking(asked, wishes, found, held) if hit[0] not in left_out]
        grouped = self._grouped(ranking, wishes)
        if wishes.diversity:
            vectors = self.snapshot.field(asked.worded or next(iter(found))).vectors([item for item, _ in grouped])
            grouped = maximal_marginal_relevance(
                grouped, vectors=vectors, diversity=wishes.diversity, k=max(1, min(wishes.last, len(grouped)))
            )
        page = grouped[wishes.last - wishes.k : wishes.last]
        facets = self._facets([item for item, _ in ranking], wishes.facets)
        return Found(hits=self._hits(page, ranks, found, asked.words), facets=facets)

    def _ranking(
        self, asked: Asked, wishes: Wishes, found: Mapping[str, Mapping[str, float]], held: Mapping[str, float]
    ) -> list[tuple[str, float]]:
        """All candidates, best first, with the sum of their ranks' shares."""
        rankings = {name: list(hits) for name, hits in found.items()}
        weights = {name: self._weight(name, wishes) * asked.vectors[name][1] for name in found}
        if held and asked.worded is not None:
            share = self._share * self._weight(KEYWORD, wishes) / self._weight(asked.worded, wishes)
            rankings[asked.worded] = join(
                found[asked.worded], held, share=share, readable=asked.vectors[asked.worded][1]
            )
        elif held:
            rankings[KEYWORD] = list(held)
            weights[KEYWORD] = self._weight(KEYWORD, wishes)
        return reciprocal_rank_fusion(list(rankings.values()), weights=list(weights.values()))

    def _weight(self, name: str, wishes: Wishes) -> float:
        return self._weights.get(name, 1.0) * wishes.weights.get(name, 1.0)

    def _cosines(self, asked: Asked, held: Mapping[str, float], known: Mapping[str, float]) -> dict[str, float]:
        """The cosines of those items that only words found."""
        assert asked.worded is not None
        from retrieval.hybrid import cosines_of

        query = asked.vectors[asked.worded][0][0]
        return cosines_of(self.snapshot.field(asked.worded), query, [item for item in held if item not in known])

    def _depth(self, needed: int) -> int:
        """How many of each ranking are joined: in leaps, so that neighbouring pages cut one and the same ranking."""
        wanted = max(CANDIDATES, (10 if self._group else 3) * needed)
        return int(CANDIDATES * 2 ** math.ceil(math.log2(wanted / CANDIDATES)))

    def _grouped(self, ranking: list[tuple[str, float]], wishes: Wishes) -> list[tuple[str, float]]:
        """One hit a group; more of them than are shown where they are to differ."""
        if self._group is None:
            return ranking
        group = self._group
        rows = self.snapshot.rows([item for item, _ in ranking], [group])
        values = {item: None if row[group] is None else str(row[group]) for item, row in rows.items()}
        wanted = len(ranking) if wishes.diversity else wishes.last
        return best_per_group(ranking, group_of=values.get, k=max(1, wanted))

    def _wordings(self, item: str) -> list[str]:
        """The items of an item's group."""
        value = self.snapshot.rows([item], [self._group])[item][self._group] if self._group else None
        if value is None:
            return []
        same = self.snapshot.marked(lambda table: np.asarray(pc.is_in(table[self._group], pa.array([value]))))
        return [self.snapshot.ids[place] for place in np.flatnonzero(same).tolist()]

    def _facets(self, items: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
        """How often the values of these columns stand among the candidates."""
        if not names:
            return {}
        known = [name for name in names if name in self._columns]
        rows = self.snapshot.taken(items, known) if items else pa.table({})
        return facet_counts(rows, self._columns, names=names) if items else {name: [] for name in names}

    def _hits(
        self,
        page: Sequence[tuple[str, float]],
        ranks: Mapping[str, Mapping[str, int]],
        found: Mapping[str, Mapping[str, float]],
        words: str | None,
    ) -> list[Hit]:
        """A page's hits with all that is shown of them."""
        rows = self.snapshot.rows([item for item, _ in page])
        return [
            Hit(
                id=item,
                score=score,
                row={name: rows[item][name] for name in self._show},
                ranks={name: own[item] for name, own in ranks.items() if item in own},
                cosines={name: hits[item] for name, hits in found.items() if item in hits},
                image=rows[item].get(self._image) if self._image else None,
                terms=self._terms(item, words) if item in ranks.get(KEYWORD, {}) else {},
                highlights=self._highlights(rows[item], words),
            )
            for item, score in page
        ]

    def _terms(self, item: str, words: str | None) -> dict[str, float]:
        """What each word of the question adds to an item."""
        keywords = self.snapshot.keywords
        return keywords.explain(words, item) if keywords is not None and words is not None else {}

    def _highlights(self, row: Mapping[str, Any], words: str | None) -> dict[str, Any]:
        """Where the shown texts hold a word of the question."""
        if words is None:
            return {}
        texts = {name: row[name] for name in self._show if self._columns.get(name) == "text" and row.get(name)}
        spans = {name: highlights(text, words) for name, text in texts.items() if isinstance(text, str)}
        return {name: found for name, found in spans.items() if found}
