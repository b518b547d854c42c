"""What a search is asked for, and what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyloom.errors import RequestError, suggestion
from retrieval.facets import FacetCount
from retrieval.highlights import Span


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a search is to be answered.

    `k` hits on page `page` (from 1); `where` filters by the items' columns; `weights` are what rankings count beside
    the scenario's own, 0 leaves one out; `diversity`, 0..1, is how much hits are to differ from each other; `facets`
    names columns whose values are counted among what was found. Without `grouped`, items of one group are hits of their
    own.
    """

    k: int = 10
    page: int = 1
    where: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    diversity: float = 0.0
    facets: Sequence[str] = ()
    grouped: bool = True

    @property
    def last(self) -> int:
        """How many hits there are up to the end of the page."""
        return self.k * self.page

    def check(self, rankings: Sequence[str]) -> None:
        """Raises: RequestError for what cannot be, of an index with these rankings."""
        if self.k < 1:
            raise RequestError(f"k is {self.k}; ask for at least 1 hit.")
        if self.page < 1:
            raise RequestError(f"The page is {self.page}; pages are counted from 1.")
        for name, weight in self.weights.items():
            if name not in rankings:
                raise RequestError(
                    f"There is no ranking {name!r} to weigh.{suggestion(name, rankings)} "
                    f"This index finds by {', '.join(rankings)}."
                )
            if not 0 <= weight < float("inf"):
                raise RequestError(f"The weight of {name!r} is {weight}; weights are finite and 0 or more.")


@dataclass(frozen=True)
class Hit:
    """One found item: rank-fusion score, its columns, and for each ranking its rank (from 1).

    `cosines` are by modality; `terms` is what each word of the question adds to its keyword score; `highlights` are,
    by column, the characters that stand for a word of the question, the end exclusive.
    """

    id: str
    score: float
    row: dict[str, Any]
    ranks: dict[str, int]
    cosines: dict[str, float]
    image: str | None
    terms: dict[str, float] = field(default_factory=dict)
    highlights: dict[str, list[Span]] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The hits of a page, and for each asked column how often its values stand among all that was found.

    Vectors find everything, so that what is counted are the best of each ranking, some hundred and more of them.
    """

    hits: list[Hit]
    facets: dict[str, list[FacetCount]] = field(default_factory=dict)
