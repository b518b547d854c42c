"""Items for a user out of a release: by the user's history, within a filter, with what speaks for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyloom.errors import RequestError
from releases.search import Searcher
from retrieval.recommending.recommender import Event, Recommender, open_recommender
from retrieval.where import parse_filter

FOLDER, QUALITY = "recommender", "quality.json"
KEPT_MASKS = 32


@dataclass(frozen=True)
class Recommendation:
    """An item with its columns, its score, each model's share in it, and the items of the history that speak for it.

    `because` are ids; `image` is the picture's name among the blobs.
    """

    id: str
    score: float
    row: Mapping[str, Any]
    parts: Mapping[str, float]
    because: Sequence[str]
    image: str | None = None


class Recommending:
    """The recommender of a release over the index's present state."""

    def __init__(self, recommender: Recommender, *, facts: Mapping[str, Any], index: Mapping[str, Any]) -> None:
        self.recommender = recommender
        self._facts = facts
        self._index = index
        self._masks: tuple[Searcher | None, dict[str | None, np.ndarray]] = (None, {})

    @classmethod
    def open(cls, folder: Path, *, facts: Mapping[str, Any], index: Mapping[str, Any]) -> "Recommending":
        """What a run sealed; `facts` are the settings, `index` what the release says of the items."""
        return cls(open_recommender(folder), facts=facts, index=index)

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
        found = self.recommender.recommend(
            history,
            k=k,
            allowed=self._allowed(searcher, where),
            seen=self._facts["seen"],
            diversity=self._facts["diversity"] if diversity is None else diversity,
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
            )
            for one in found
        ]

    def _allowed(self, searcher: Searcher, where: str | None) -> np.ndarray:
        """Which items of the catalogue may be shown, bool [items]; the last filters are remembered."""
        of, masks = self._masks
        if of is not searcher or len(masks) >= KEPT_MASKS:
            masks = {}
            self._masks = (searcher, masks)
        if where not in masks:
            masks[where] = self._shown(searcher, where)
        return masks[where]

    def _shown(self, searcher: Searcher, where: str | None) -> np.ndarray:
        """The mask, found anew."""
        snapshot = searcher.snapshot
        mask = np.ones(len(snapshot.ids), dtype=bool)
        for condition in (self._facts["where"], where):
            if condition:
                mask &= snapshot.marked(parse_filter(condition, self._index["columns"]).mask)
        there = {snapshot.ids[place] for place in np.flatnonzero(mask).tolist()}
        return np.array([item in there for item in self.recommender.items], dtype=bool)
