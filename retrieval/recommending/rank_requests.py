"""Users of whom something was held out, as a ranker meets them: what is best for each at that time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.blend import Blend
from retrieval.recommending.features import DAY_SECONDS, popularity
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.item_facts import ItemFacts
from retrieval.recommending.quality import ndcg
from retrieval.recommending.ranker import Ranker
from retrieval.recommending.ranker_input import HIGHEST_RELEVANCE
from retrieval.recommending.ranking import Columns
from retrieval.recommending.recommender import best_of

Step = Callable[[int], None]
PLACES = 10
# More users than this teach an order of a dozen columns nothing new, and each costs a hundred rows.
MOST_USERS = 2_000


class Trial(NamedTuple):
    """A blend with the events and histories that it was fitted on, and what was held out of them."""

    blend: Blend
    train: Interactions
    own: sp.csr_matrix
    held_out: Interactions


class Requests:
    """Users of a trial as a ranker meets them: the blend's best items for each, at the time of what was held out."""

    def __init__(
        self, trial: Trial, facts: ItemFacts, *, models: Sequence[int], candidates: int, window_days: float
    ) -> None:
        self.trial = trial
        self.facts = facts
        self.models = models
        self.candidates = candidates
        self.window_days = window_days
        self.train = trial.train.rows(np.argsort(trial.train.times, kind="stable"))
        self.moments = np.full(len(trial.train.users), np.inf)
        np.minimum.at(self.moments, trial.held_out.user_numbers, trial.held_out.times)
        self.kinds = [trial.blend.models[place].kind for place in models]
        self.names = Columns(models, self.kinds, facts, np.zeros(0)).names

    def training(self, *, seed: int, step: Step) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows [rows, columns], relevance [rows] by the held-out event's weight, and each row's user [rows]."""
        told = np.unique(self.trial.held_out.user_numbers)
        if len(told) > MOST_USERS:
            told = np.sort(np.random.default_rng(seed).choice(told, MOST_USERS, replace=False))
        grades = graded(self.trial.held_out)
        rows, relevance, groups = [np.zeros((0, len(self.names)))], [np.zeros(0)], [np.zeros(0, np.int64)]
        for user in told.tolist():
            items, own_rows, _ = self.of(user)
            wanted = np.array([grades.get((user, item), 0) for item in items.tolist()], np.float64)
            # A user whose held-out item is not among the best has nothing to say about their order.
            if wanted.any():
                rows.append(own_rows)
                relevance.append(wanted)
                groups.append(np.full(len(items), user, np.int64))
            step(1)
        return np.concatenate(rows), np.concatenate(relevance), np.concatenate(groups)

    def values(self, ranker: Ranker, *, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """Each user's nDCG@10 in the ranker's order and in the blend's [users], over what was held out."""
        told = np.unique(self.trial.held_out.user_numbers)
        lists = np.full((2, len(told), PLACES), -1, np.int64)
        for place, user in enumerate(told.tolist()):
            items, rows, blended = self.of(user)
            for number, scores in enumerate((ranker.scores(rows), blended)):
                best = items[np.argsort(-scores, kind="stable")[:PLACES]]
                lists[number, place, : len(best)] = best
            step(1)
        relevant = self.trial.held_out.matrix()[told]
        return ndcg(lists[0], relevant), ndcg(lists[1], relevant)

    def of(self, user: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best items [candidates] of those that a user did not take, their rows, and the blend's scores."""
        history = self.trial.own[user]
        parts = self.trial.blend.parts(history)[:, 0, :]
        scores = parts.sum(axis=0)
        allowed = np.ones(len(scores), dtype=bool)
        allowed[history.indices] = False
        items = best_of(scores, allowed, count=self.candidates)
        now = float(self.moments[user])
        begin, end = np.searchsorted(self.train.times, [now - self.window_days * DAY_SECONDS, now])
        lately = recent(self.train.rows(np.arange(begin, end)), now=now, days=self.window_days)
        columns = Columns(self.models, self.kinds, self.facts, lately)
        return items, columns.rows(history, parts, items, now=now), scores[items]


def recent(events: Interactions, *, now: float, days: float) -> np.ndarray:
    """How often each item was taken within so many days before a moment [items]."""
    own = (events.times < now) & (events.times >= now - days * DAY_SECONDS)
    chosen = (events.item_numbers[own], events.times[own])
    return popularity(*chosen, count=len(events.items), now=now, window_days=days).astype(np.float32)


def graded(held_out: Interactions) -> dict[tuple[int, int], int]:
    """How relevant each held-out item is to its user: 1 for events of the lowest weight, one more for each above."""
    levels = np.unique(held_out.weights)
    grades = np.minimum(np.searchsorted(levels, held_out.weights) + 1, HIGHEST_RELEVANCE)
    found: dict[tuple[int, int], int] = {}
    for user, item, grade in zip(held_out.user_numbers, held_out.item_numbers, grades, strict=True):
        found[user, item] = max(found.get((int(user), int(item)), 0), int(grade))
    return found
