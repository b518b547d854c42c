"""Items for a user out of a release: by the user's history, within a filter, with what speaks for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyloom.errors import RequestError
from releases.search import Searcher
from retrieval.recommending.item_facts import ItemFacts, places_of, read_facts
from retrieval.recommending.recommender import Event, Recommender, open_recommender

if TYPE_CHECKING:
    from retrieval.recommending.ranking import Ranking

FOLDER, QUALITY, RANKING = "recommender", "quality.json", "ranking"
KEPT_MASKS = 32


@dataclass(frozen=True)
class Recommendation:
    """An item with its columns, its score, each model's share in it, and the items of the history that speak for it.

    `because` are ids; `image` is the picture's name among the blobs. Where a learned order chose the place, `why` says
    what weighs most in it, as shares; those below 0 speak against it.
    """

    id: str
    score: float
    row: Mapping[str, Any]
    parts: Mapping[str, float]
    because: Sequence[str]
    image: str | None = None
    why: Mapping[str, float] = field(default_factory=dict)


class Recommending:
    """The recommender of a release, with a learned order where it has one, over the index's present state."""

    def __init__(
        self,
        recommender: Recommender,
        *,
        facts: Mapping[str, Any],
        index: Mapping[str, Any],
        ranking: "Ranking | None" = None,
    ) -> None:
        self.recommender = recommender
        self._facts = facts
        self._index = index
        self._ranking = ranking
        self._present: Present | None = None

    @classmethod
    def open(cls, folder: Path, *, facts: Mapping[str, Any], index: Mapping[str, Any]) -> "Recommending":
        """What a run sealed; `facts` are the settings, `index` what the release says of the items."""
        ranking = None
        if (folder / RANKING).is_dir():
            # LightGBM takes its time, and a release without a learned order needs none.
            from retrieval.recommending.ranking import open_ranking

            ranking = open_ranking(folder / RANKING)
        return cls(open_recommender(folder), facts=facts, index=index, ranking=ranking)

    def recommend(
        self,
        searcher: Searcher,
        history: Sequence[Event],
        *,
        k: int,
        where: str | None = None,
        diversity: float | None = None,
    ) -> list[Recommendation]:
        """The k best items that are in the index now and meet the scenario's filter and this one.

        Raises: RequestError for a k below 1 or a diversity outside 0..1, FilterError for a filter that means nothing.
        """
        if k < 1:
            raise RequestError(f"-k is {k}; ask for at least 1 item.")
        present = self._at(searcher)
        found = self.recommender.recommend(
            history,
            k=k,
            allowed=present.allowed(where),
            seen=self._facts["seen"],
            diversity=self._facts["diversity"] if diversity is None else diversity,
            order=present.order,
        )
        rows = searcher.snapshot.rows([one.id for one in found])
        return [
            Recommendation(
                id=one.id,
                score=round(one.score, 6),
                row={name: rows[one.id][name] for name in self._index["show"]},
                parts={name: round(share, 4) for name, share in one.parts.items() if share > 0},
                because=list(one.because),
                image=rows[one.id].get(self._index["image"]) if self._index["image"] else None,
                why={name: round(share, 4) for name, share in one.why.items()},
            )
            for one in found
        ]

    def _at(self, searcher: Searcher) -> "Present":
        """The catalogue as the index has it now; made anew when that has changed."""
        present = self._present
        if present is None or present.searcher is not searcher:
            present = Present(searcher, self.recommender.items, self._facts, self._index, self._ranking)
            self._present = present
        return present


class Present:
    """A catalogue in one state of the index: where its items stand there, which may be shown, how they are ordered."""

    def __init__(
        self,
        searcher: Searcher,
        items: Sequence[str],
        facts: Mapping[str, Any],
        index: Mapping[str, Any],
        ranking: "Ranking | None",
    ) -> None:
        self.searcher = searcher
        self._facts = facts
        self._index = index
        self._places = places_of(items, searcher.snapshot.ids)
        self._masks: dict[str | None, np.ndarray] = {}
        self.order = None if ranking is None else ranking.over(self._item_facts())

    def allowed(self, where: str | None) -> np.ndarray:
        """Which items of the catalogue may be shown, bool [items]; the last filters are remembered."""
        masks = self._masks
        if where not in masks:
            if len(masks) >= KEPT_MASKS:
                self._masks = masks = {}
            masks[where] = self._shown(where)
        return masks[where]

    def _shown(self, where: str | None) -> np.ndarray:
        """The mask, found anew."""
        snapshot = self.searcher.snapshot
        # An item that is not there any more has the place -1, the last one.
        mask = np.append(np.ones(len(snapshot.ids), dtype=bool), False)
        for condition in (self._facts["where"], where):
            if condition:
                # The parser of SQL takes its time, and many never filter.
                from retrieval.where import parse_filter

                mask[:-1] &= snapshot.marked(parse_filter(condition, self._index["columns"]).mask)
        return np.asarray(mask[self._places])

    def _item_facts(self) -> ItemFacts:
        """What the index says of the items now."""
        asked = {name: self._facts["rank"][name] for name in ("price", "published", "category")}
        columns = [name for name in asked.values() if name is not None and name in self.searcher.snapshot.columns]
        return read_facts(self.searcher.snapshot.table(columns), self._places, **asked)
