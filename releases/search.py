"""Search over an index: each field's vectors and words give a ranking, joined to one, filtered before."""

import contextlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polyloom.errors import RequestError, suggestion
from releases.found import Found, Wishes
from releases.reranker import RERANK
from releases.shown_items import ShownItems
from retrieval.diversity import maximal_marginal_relevance
from retrieval.grouping import best_per_group
from retrieval.joining import USUAL_SHARE, join
from retrieval.rank_fusion import reciprocal_rank_fusion
from retrieval.recall_log import RecallLog, recall_at_k
from retrieval.words import KEYWORD, terms

if TYPE_CHECKING:
    from retrieval.milvus_live import PlacedIndex
    from retrieval.snapshot import Snapshot

Rerank = Callable[[str, Sequence[str]], np.ndarray]
CANDIDATES = 100
KEPT_MASKS = 32
RECALL_AT = 10
SPLIT = "_split"


@dataclass(frozen=True)
class Asked:
    """A question: a vector [1, dim] by field with how far its encoder can read it, 0..1, and words.

    `worded` is the field whose vectors are of texts too: its cosines and the keyword scores make one ranking.
    `question` is what a reranker reads: the words, whether or not the index is searched by them.
    """

    vectors: Mapping[str, tuple[np.ndarray, float]]
    words: str | None = None
    worded: str | None = None
    question: str | None = None


class Searcher:
    """One opened state of an index; `facts` is what its release says of the items.

    A share of the queries is asked again exactly, and what they overlooked is noted in `watch`; `rerank` scores
    passages together with the words of a question.
    """

    def __init__(
        self,
        snapshot: "Snapshot | PlacedIndex",
        *,
        facts: Mapping[str, Any],
        watch: RecallLog | None = None,
        rerank: Rerank | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._rerank = rerank
        self._read_again: int = facts.get("rerank", 0)
        self._words: Sequence[str] = facts.get("words", ())
        self._watch = watch
        self._watched_share: float = facts.get("watch", 0.0)
        self.fields: tuple[str, ...] = snapshot.fields
        self.keyword: bool = snapshot.keywords is not None
        self._columns: dict[str, str] = facts["columns"]
        self._weights: dict[str, float] = facts["weights"]
        self._share: float = facts.get("keyword_share", USUAL_SHARE)
        self._group: str | None = facts["group"]
        self._shown = ShownItems(snapshot, facts=facts)
        self._masks: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def rankings(self) -> tuple[str, ...]:
        """What items can be found by."""
        again = [RERANK] if self._rerank is not None else []
        return (*self.fields, *([KEYWORD] if self.keyword else []), *again)

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
            known = [name for name in self.rankings if name != RERANK]
            raise RequestError(f"Nothing in the question can be searched; this index finds by {', '.join(known)}.")
        worded = asked.worded if asked.worded in vectors else None
        return Asked(vectors, asked.words if readable else None, worded, question=asked.words)

    def _mask(self, where: str | None, *, learned: bool) -> np.ndarray | None:
        """Which items may be found; None for all."""
        mask = None if where is None else self._where(where)
        if learned and SPLIT in self.snapshot.columns:
            training = self.snapshot.marked(lambda table: np.asarray(pc.equal(table[SPLIT], "train")))
            mask = training if mask is None else mask & training
        return mask

    def _where(self, where: str) -> np.ndarray:
        """The items that a filter lets through; the last filters are remembered."""
        mask = self._masks.get(where)
        if mask is None:
            # The parser of SQL takes its time, and many never filter.
            from retrieval.where import parse_filter

            mask = self.snapshot.marked(parse_filter(where, self._columns).mask)
            with self._lock:
                self._masks[where] = mask
                while len(self._masks) > KEPT_MASKS:
                    self._masks.popitem(last=False)
        return mask

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
        grouped = self._reranked(self._grouped(ranking, wishes), asked, wishes, ranks)
        if wishes.diversity:
            vectors = self.snapshot.field(asked.worded or next(iter(found))).vectors([item for item, _ in grouped])
            grouped = maximal_marginal_relevance(
                grouped, vectors=vectors, diversity=wishes.diversity, k=max(1, min(wishes.last, len(grouped)))
            )
        page = grouped[wishes.last - wishes.k : wishes.last]
        return Found(
            hits=self._shown.hits(page, ranks=ranks, cosines=found, words=asked.words),
            facets=self._shown.counts([item for item, _ in ranking], wishes.facets),
        )

    def _reranked(
        self, ranking: list[tuple[str, float]], asked: Asked, wishes: Wishes, ranks: dict[str, dict[str, int]]
    ) -> list[tuple[str, float]]:
        """The first hits in the order of a cross-encoder, which reads each with the question; then the others."""
        if self._rerank is None or not asked.question or not wishes.weights.get(RERANK, 1.0):
            return ranking
        first = ranking[: self._read_again]
        rows = self.snapshot.rows([item for item, _ in first], list(self._words))
        passages = ["\n".join(str(value) for value in rows[item].values() if value) for item, _ in first]
        order = np.argsort(-self._rerank(asked.question, passages), kind="stable").tolist()
        ranks[RERANK] = {first[place][0]: rank for rank, place in enumerate(order, start=1)}
        return [*(first[place] for place in order), *ranking[self._read_again :]]

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
        if self._group is None or not wishes.grouped:
            return ranking
        group = self._group
        rows = self.snapshot.rows([item for item, _ in ranking], [group])
        values = {item: None if row[group] is None else str(row[group]) for item, row in rows.items()}
        wanted = len(ranking) if wishes.diversity else max(wishes.last, self._read_again)
        return best_per_group(ranking, group_of=values.get, k=max(1, wanted))

    def _wordings(self, item: str) -> list[str]:
        """The items of an item's group."""
        value = self.snapshot.rows([item], [self._group])[item][self._group] if self._group else None
        if value is None:
            return []
        same = self.snapshot.marked(lambda table: np.asarray(pc.is_in(table[self._group], pa.array([value]))))
        return [self.snapshot.ids[place] for place in np.flatnonzero(same).tolist()]
