"""A learned order for the best items of a blend: columns from scores, recent popularity and what items are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from polyloom.durable import read_json, write_json
from polyloom.errors import IntegrityError
from retrieval.recommending.arrays import open_arrays, write_arrays
from retrieval.recommending.features import freshness_days
from retrieval.recommending.item_facts import UNKNOWN, ItemFacts
from retrieval.recommending.ranker import Ranker

RANKER, TABLES, RECORD = "ranker", "tables.safetensors", "ranking.json"
BLEND = "blend"
# So many of what weighs most in a place are named.
NAMED = 3


@dataclass(frozen=True, eq=False)
class Columns:
    """What a row is made of: `models` whose scores count, by number, how they are called, and what is known of items.

    `popularity` [items] is how often each was taken of late.
    """

    models: Sequence[int]
    kinds: Sequence[str]
    facts: ItemFacts
    popularity: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the order of `rows`."""
        named = [
            (self.facts.price, ("price_position", "price_distance")),
            (self.facts.published, ("age_days",)),
            (self.facts.category, ("category_share",)),
        ]
        known = [name for values, names in named if values is not None for name in names]
        return (*self.kinds, BLEND, "recent_popularity", *known)

    def rows(self, history: sp.csr_matrix, parts: np.ndarray, items: np.ndarray, *, now: float) -> np.ndarray:
        """Features [candidates, columns] of items [candidates] for one history [1, items]; NaN where unknown.

        `parts` [models, items] is what each model of the blend adds to the score, `now` in seconds since 1970.
        """
        facts, found = self.facts, [parts[model, items] for model in self.models]
        found += [parts[:, items].sum(axis=0), self.popularity[items]]
        if facts.level is not None and facts.position is not None:
            usual = weighted_mean(facts.level[history.indices], history.data)
            found += [facts.position[items], np.abs(facts.level[items] - usual)]
        if facts.published is not None:
            found.append(freshness_days(facts.published[items], now=now))
        if facts.category is not None:
            found.append(category_share(facts.category, history)[facts.category[items]])
        return np.column_stack(found).astype(np.float64)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """The mean of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    total = float(weights[known].sum())
    return float(weights[known] @ values[known]) / total if total > 0 else float("nan")


def category_share(categories: np.ndarray, history: sp.csr_matrix) -> np.ndarray:
    """Each category's share of a history's weight [categories + 1], NaN for the last: the unknown one, number -1."""
    own = categories[history.indices]
    count = int(categories.max(initial=UNKNOWN)) + 1
    weights = np.bincount(own[own != UNKNOWN], weights=history.data[own != UNKNOWN], minlength=count)
    total = weights.sum()
    return np.append(weights / total if total > 0 else np.full(count, np.nan), np.nan)


@dataclass(frozen=True, eq=False)
class Ranking:
    """A ranker over the blend's best `candidates`; `popularity` [items] and `latest` are of what it learned from."""

    ranker: Ranker
    models: Sequence[int]
    popularity: np.ndarray
    latest: float
    candidates: int

    def save(self, folder: Path) -> None:
        """Write it into a new folder."""
        self.ranker.save(folder / RANKER)
        write_arrays(folder / TABLES, {"popularity": self.popularity})
        record = {"models": list(self.models), "latest": self.latest, "candidates": self.candidates}
        write_json(folder / RECORD, record)

    def over(self, facts: ItemFacts) -> "Order":
        """The order of items of which so much is known now."""
        kinds = self.ranker.names[: len(self.models)]
        return Order(self, Columns(self.models, kinds, facts, self.popularity))


@dataclass(frozen=True, eq=False)
class Order:
    """A ranking over items as they are now."""

    ranking: Ranking
    columns: Columns

    @property
    def candidates(self) -> int:
        """How many of the blend's best are put in order."""
        return self.ranking.candidates

    def rows(self, history: sp.csr_matrix, parts: np.ndarray, items: np.ndarray, *, latest: float) -> np.ndarray:
        """Features [candidates, columns]; `latest` is when the history's last event was."""
        return self.columns.rows(history, parts, items, now=max(latest, self.ranking.latest))

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """How far up each row belongs."""
        return self.ranking.ranker.scores(rows, names=self.columns.names)

    def why(self, rows: np.ndarray) -> list[Mapping[str, float]]:
        """For each row what weighs most in its place, as shares of all that does; below 0 what speaks against it."""
        found: list[Mapping[str, float]] = []
        for reasons in self.ranking.ranker.contributions(rows, names=self.columns.names):
            total = sum(abs(reason.contribution) for reason in reasons) or 1.0
            told = [reason for reason in reasons[:NAMED] if reason.contribution]
            found.append({reason.name: reason.contribution / total for reason in told})
        return found


def open_ranking(folder: Path) -> Ranking:
    """What `save` wrote. Raises: IntegrityError for what is missing or not as it was recorded."""
    try:
        record = read_json(folder / RECORD)
        models, latest, candidates = record["models"], record["latest"], record["candidates"]
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(f"{folder} holds no whole ranking ({error}). Fit and save one there.") from error
    popularity = open_arrays(folder / TABLES)["popularity"]
    return Ranking(Ranker.load(folder / RANKER), models, popularity, latest=latest, candidates=candidates)
