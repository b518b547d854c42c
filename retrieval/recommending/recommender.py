"""What to offer to whom: a catalogue and a blend of models, for any history, also one that nobody had before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from polyloom.durable import publish_folder, read_json, write_json
from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.diversity import maximal_marginal_relevance
from retrieval.recommending.blend import Blend
from retrieval.recommending.interactions import decayed
from retrieval.recommending.kinds import load_model

RECORD, MODELS = "recommender.json", "models"
# Of so many best items for each place those are chosen that differ; and so many of a history are named.
POOL, NAMED = 5, 3


class Event(NamedTuple):
    """Something a user took: its item, a weight above 0, and a time in seconds since 1970."""

    item: str
    weight: float = 1.0
    time: float = 0.0


@dataclass(frozen=True)
class Recommended:
    """An item, its score, the share of each kind of model in what speaks for it, and what in the history does.

    Where a learned order put it in its place, the score is that order's, and `why` says what weighs most there.
    """

    id: str
    score: float
    parts: Mapping[str, float]
    because: Sequence[str]
    why: Mapping[str, float] = field(default_factory=dict)


class Order(Protocol):
    """What puts the blend's best items in another order, such as `ranking.Order`."""

    @property
    def candidates(self) -> int:
        """How many of the best it is asked about."""

    def rows(self, history: sp.csr_matrix, parts: np.ndarray, items: np.ndarray, *, latest: float) -> np.ndarray:
        """What it goes by, [candidates, columns], of items [candidates] for one history whose last event was then."""

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """How far up each row belongs."""

    def why(self, rows: np.ndarray) -> list[Mapping[str, float]]:
        """What weighs most in the place of each row."""


class Ranked(NamedTuple):
    """Items by number, best first, what each is worth, and the rows that an order went by."""

    items: np.ndarray
    worth: np.ndarray
    rows: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Recommender:
    """`items` are the ids of the numbers that the blend's models score; None for a blend where there are no items.

    With `half_life_days` an event counts half for each such span before the history's latest one.
    """

    items: Sequence[str]
    blend: Blend | None
    half_life_days: float | None = None

    def __post_init__(self) -> None:
        scored = self.blend.count if self.blend else 0
        if scored != len(self.items):
            raise DataError(
                f"The catalogue has {len(self.items)} items, the blend scores {scored}. Fit the models on matrices "
                "over this catalogue's item numbers."
            )

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each item id."""
        return {id_: number for number, id_ in enumerate(self.items)}

    def recommend(
        self,
        history: Sequence[Event],
        *,
        k: int,
        allowed: np.ndarray | None = None,
        seen: Literal["leave_out", "keep"] = "leave_out",
        diversity: float = 0.0,
        order: Order | None = None,
    ) -> list[Recommended]:
        """The k best items for a history, best first; fewer, or none, where fewer are left.

        `allowed` [items] bool keeps to the items marked True. `diversity` between 0 and 1 puts items that are like
        those before them further down. Items of the history that the catalogue does not have are ignored. An `order`
        is asked about the best that are allowed, unless nothing is known of the user.

        Raises: RequestError for a k below 1, a mask of another size, or a diversity outside 0..1.
        """
        self._check(k, allowed, seen, diversity)
        if self.blend is None:
            return []
        own = self.histories([history])
        parts = self.blend.parts(own)[:, 0, :]
        scores = parts.sum(axis=0)
        open_ = np.ones(len(scores), dtype=bool) if allowed is None else allowed.copy()
        if seen == "leave_out":
            open_[own.indices] = False
        wanted = k * POOL if diversity else k
        if order is None or not own.nnz:
            best = best_of(scores, open_, count=wanted)
            ranked = Ranked(best, scores[best])
        else:
            best = best_of(scores, open_, count=max(wanted, order.candidates))
            ranked = put_in_order(order, own, parts, best, latest=max(event.time for event in history))
        chosen = self._differing(ranked, diversity=diversity, k=k) if diversity else np.arange(len(ranked.items))[:k]
        why = [{}] * len(chosen) if order is None or ranked.rows is None else order.why(ranked.rows[chosen])
        return [
            self._told(int(ranked.items[place]), own, parts, score=float(ranked.worth[place]), why=reasons)
            for place, reasons in zip(chosen, why, strict=True)
        ]

    def histories(self, events: Sequence[Sequence[Event]]) -> sp.csr_matrix:
        """Histories [users, items] as the models take them, of items that the catalogue has."""
        rows, columns, weights = [], [], []
        for row, own in enumerate(events):
            known = [event for event in own if event.item in self.numbers and event.weight > 0]
            rows += [row] * len(known)
            columns += [self.numbers[event.item] for event in known]
            weights += self._weights(known)
        shape = (len(events), len(self.items))
        found = sp.csr_matrix((np.array(weights, np.float32), (rows, columns)), shape=shape)
        found.sum_duplicates()
        return found

    def save(self, folder: Path) -> None:
        """Write a new folder in one step. Raises: DataError where it is there already."""
        if folder.exists():
            raise DataError(f"{folder} is there already. Name another folder.")
        models = self.blend.models if self.blend else ()
        names = [f"{number}-{model.kind}" for number, model in enumerate(models)]
        with publish_folder(folder) as draft:
            for name, model in zip(names, models, strict=True):
                model.save(draft / MODELS / name)
            record = {
                "items": list(self.items),
                "models": names,
                "weights": self.blend.weights if self.blend else [],
                "half_life_days": self.half_life_days,
            }
            write_json(draft / RECORD, record)

    def _weights(self, events: Sequence[Event]) -> list[float]:
        weights = np.array([event.weight for event in events], np.float64)
        if self.half_life_days is None or not events:
            return list(weights)
        times = np.array([event.time for event in events], np.float64)
        return list(decayed(weights, times.max() - times, half_life_days=self.half_life_days))

    def _differing(self, ranked: Ranked, *, diversity: float, k: int) -> np.ndarray:
        """Of what is ranked the places of k that are good and differ; of the first k where nothing tells."""
        assert self.blend is not None
        items, first = ranked.items[: k * POOL], np.arange(len(ranked.items))[:k]
        looks = next((found for model in self.blend.models if (found := model.looks(items)) is not None), None)
        if looks is None:
            return first
        pairs = [(str(place), float(worth)) for place, worth in enumerate(ranked.worth[: k * POOL])]
        vectors = {id_: look for (id_, _), look in zip(pairs, looks, strict=True)}
        chosen = maximal_marginal_relevance(pairs, vectors=vectors, diversity=diversity, k=k)
        return np.array([int(id_) for id_, _ in chosen], dtype=np.int64)

    def _told(
        self, item: int, history: sp.csr_matrix, parts: np.ndarray, *, score: float, why: Mapping[str, float]
    ) -> Recommended:
        """One item with what speaks for it; a model that speaks against it has no share."""
        assert self.blend is not None
        for_ = np.maximum(parts[:, item], 0.0)
        shares = for_ / for_.sum() if for_.sum() > 0 else for_
        by_kind: dict[str, float] = {}
        for model, share in zip(self.blend.models, shares, strict=True):
            by_kind[model.kind] = by_kind.get(model.kind, 0.0) + float(share)
        reasons = self.blend.reasons(history, item, shares=list(map(float, shares)))
        because = [self.items[reason.item] for reason in reasons[:NAMED]]
        return Recommended(self.items[item], score, parts=by_kind, because=because, why=why)

    def _check(self, k: int, allowed: np.ndarray | None, seen: str, diversity: float) -> None:
        if k < 1:
            raise RequestError(f"k is {k}; ask for at least 1 item.")
        if allowed is not None and (allowed.shape != (len(self.items),) or allowed.dtype != np.bool_):
            raise RequestError(
                f"The mask of allowed items is {allowed.dtype} {list(allowed.shape)}; it must be bool "
                f"[{len(self.items)}], one for each item of the catalogue."
            )
        if seen not in {"leave_out", "keep"}:
            raise RequestError(f"seen is {seen!r}; items of the history are 'leave_out' or 'keep'.")
        if not 0 <= diversity <= 1:
            raise RequestError(f"The diversity is {diversity}; it must lie between 0 and 1. 0.3 is usual.")


def open_recommender(folder: Path) -> Recommender:
    """What `save` wrote, its arrays mapped. Raises: IntegrityError for what is missing or of another kind."""
    try:
        record = read_json(folder / RECORD)
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{folder} holds no recommender: {error}. Fit and save one there.") from error
    models = tuple(load_model(folder / MODELS / name) for name in record["models"])
    blend = Blend(models, tuple(record["weights"])) if models else None
    return Recommender(record["items"], blend, half_life_days=record["half_life_days"])


def put_in_order(
    order: Order, history: sp.csr_matrix, parts: np.ndarray, items: np.ndarray, *, latest: float
) -> Ranked:
    """Items as an order puts them, for one history [1, items] and what each model adds, parts [models, items]."""
    if not len(items):
        return Ranked(items, np.zeros(0))
    rows = order.rows(history, parts, items, latest=latest)
    worth = order.scores(rows)
    places = np.argsort(-worth, kind="stable")
    return Ranked(items[places], worth[places], rows[places])


def best_of(scores: np.ndarray, allowed: np.ndarray, *, count: int) -> np.ndarray:
    """The numbers of the `count` allowed items of highest score, best first; equal ones by number."""
    numbers = np.flatnonzero(allowed)
    if count < len(numbers):
        border = np.partition(scores[numbers], len(numbers) - count)[len(numbers) - count]
        numbers = numbers[scores[numbers] >= border]
    return numbers[np.argsort(-scores[numbers], kind="stable")][:count]
