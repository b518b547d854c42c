"""Items as searches show them: columns, ranks, what a question's words added, and how often values stand among them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from releases.found import Hit
from retrieval.facets import FacetCount, facet_counts
from retrieval.highlights import Span, highlights
from retrieval.words import KEYWORD

if TYPE_CHECKING:
    from retrieval.milvus_live import PlacedIndex
    from retrieval.snapshot import Snapshot


class ShownItems:
    """The items of one state of an index; `facts` is what its release says of them."""

    def __init__(self, snapshot: "Snapshot | PlacedIndex", *, facts: Mapping[str, Any]) -> None:
        self._snapshot = snapshot
        self._columns: dict[str, str] = facts["columns"]
        self._image: str | None = facts["image"]
        self._show: Sequence[str] = facts["show"]

    def hits(
        self,
        page: Sequence[tuple[str, float]],
        *,
        ranks: Mapping[str, Mapping[str, int]],
        cosines: Mapping[str, Mapping[str, float]],
        words: str | None,
    ) -> list[Hit]:
        """A page of ids and scores with all that is shown of them."""
        rows = self._snapshot.rows([item for item, _ in page])
        return [
            Hit(
                id=item,
                score=score,
                row={name: rows[item][name] for name in self._show},
                ranks={name: own[item] for name, own in ranks.items() if item in own},
                cosines={name: own[item] for name, own in cosines.items() if item in own},
                image=rows[item].get(self._image) if self._image else None,
                terms=self._terms(item, words) if item in ranks.get(KEYWORD, {}) else {},
                highlights=self._highlights(rows[item], words),
            )
            for item, score in page
        ]

    def counts(self, items: Sequence[str], names: Sequence[str]) -> dict[str, list[FacetCount]]:
        """How often the values of these columns stand among items. Raises: RequestError as `facet_counts` does."""
        if not names:
            return {}
        known = [name for name in names if name in self._columns]
        rows = self._snapshot.taken(items, known) if items else pa.table({})
        return facet_counts(rows, self._columns, names=names) if items else {name: [] for name in names}

    def _terms(self, item: str, words: str | None) -> dict[str, float]:
        """What each word of the question adds to an item."""
        keywords = self._snapshot.keywords
        return keywords.explain(words, item) if keywords is not None and words is not None else {}

    def _highlights(self, row: Mapping[str, Any], words: str | None) -> dict[str, list[Span]]:
        """Where the shown texts hold a word of the question."""
        if words is None:
            return {}
        texts = {name: row[name] for name in self._show if self._columns.get(name) == "text" and row.get(name)}
        spans = {name: highlights(text, words) for name, text in texts.items() if isinstance(text, str)}
        return {name: found for name, found in spans.items() if found}
