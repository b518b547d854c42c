"""Recommendations that explore: some places go to items of which more should be learned, and what comes back is kept.

The bandit learns when the next list is made, not when feedback comes: feedback is one appended line then, which is
fast, cannot be lost and may come from any process; what was learned is only a summary of the log, made again if lost.
"""

import functools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from polyloom.errors import RequestError, suggestion
from releases.exploring_contexts import DIM, contexts
from releases.recommending import FOLDER, Recommendation
from retrieval.exploring.bandit import Bandit, rule_of
from retrieval.exploring.exposure import Exposure, user_hash
from retrieval.exploring.exposure_log import ExposureLog, Rewarded
from retrieval.exploring.key_file import read_or_make_key
from retrieval.exploring.learned import Learner
from retrieval.recommending.popularity import Popularity
from retrieval.recommending.recommender import Event, open_recommender

KEY = "key"
PLAIN = "recommender"
HOUR = 3600.0


class Recommends(Protocol):
    """What is asked of a release, such as `releases.runtime.Runtime`."""

    name: str
    facts: dict[str, Any]

    def recommend(
        self, history: Sequence[Event], *, k: int = 10, where: str | None = None, diversity: float | None = None
    ) -> list[Recommendation]:
        """The k best items for a history."""
        ...


@dataclass(frozen=True)
class Shown:
    """An item of a list, the id by which feedback speaks of it, and how likely it was; None where it was certain."""

    item: Recommendation
    exposure: str
    propensity: float | None

    def to_json(self) -> dict[str, Any]:
        """As the command line and an API give it."""
        explored = {} if self.propensity is None else {"propensity": self.propensity}
        return {**vars(self.item), "exposure": self.exposure, **explored}


class Exploring:
    """A release whose lists explore, over the log in a folder. Any number of them may share the folder."""

    def __init__(
        self,
        runtime: Recommends,
        folder: Path,
        *,
        popularity: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        """Without a `seed` each list is drawn anew.

        Raises: RequestError where the release does not explore.
        """
        self.settings = explore_settings(runtime)
        self.runtime = runtime
        self.log = ExposureLog(folder)
        self.popularity = popularity or {}
        self.clock = clock
        self._learner = Learner(self.log, dim=DIM)
        self._seeds = None if seed is None else np.random.default_rng(seed)

    def recommend(
        self,
        history: Sequence[Event],
        *,
        user: str | None = None,
        k: int = 10,
        where: str | None = None,
        diversity: float | None = None,
    ) -> list[Shown]:
        """The k best items for a history, of which the last places are explored; all of it is logged.

        `user` stands in the log as a hash that only the folder's key can make.
        Raises: RequestError and FilterError as the release's own `recommend` does.
        """
        if k < 1:
            raise RequestError(f"-k is {k}; ask for at least 1 item.")
        sure = k - min(self.settings["slots"], k)
        offered = self.runtime.recommend(
            history, k=sure + max(self.settings["pool"], k - sure), where=where, diversity=diversity
        )
        at, user = self.clock(), self._user(user)
        places = [
            Exposure(at=at, user=user, candidates=(one.id,), chosen=0, propensity=1.0, policy=PLAIN, version="")
            for one in offered[:sure]
        ]
        places += self._drawn(offered[sure:], k - sure, known=bool(history), at=at, user=user)
        items = {one.id: one for one in offered}
        return [
            Shown(items[one.item], one.id, round(one.propensity, 6) if one.explored else None)
            for one in self.log.add(places)
        ]

    def feedback(self, exposure: str, *, reward: float | None = None, event: str | None = None) -> Rewarded:
        """Note what an exposure brought, as a number or as one of the scenario's events; see `noted`."""
        return noted(
            self.log,
            exposure,
            reward=reward,
            event=event,
            columns=self.runtime.facts["recommend"]["columns"],
            at=self.clock(),
        )

    @functools.cached_property
    def _kinds(self) -> Mapping[str, str]:
        return dict(self.runtime.facts["index"]["columns"])

    def _drawn(
        self, pool: Sequence[Recommendation], slots: int, *, known: bool, at: float, user: str
    ) -> list[Exposure]:
        """The explored places, each a choice among what the ones before it left."""
        if not pool:
            return []
        rows = contexts(pool, popularity=self.popularity, kinds=self._kinds, known=known)
        bandit = self._bandit(now=at)
        left, found = list(range(len(pool))), []
        for _ in range(min(slots, len(pool))):
            choice = bandit.choose(rows[left])
            alone = len(left) == 1
            found.append(
                Exposure(
                    at=at,
                    user=user,
                    candidates=tuple(pool[place].id for place in left),
                    chosen=choice.place,
                    propensity=min(choice.propensity, 1.0),
                    policy=PLAIN if alone else bandit.name,
                    version=bandit.version,
                    contexts=() if alone else tuple(map(tuple, rows[left].tolist())),
                )
            )
            left.pop(choice.place)
        return found

    def _bandit(self, *, now: float) -> Bandit:
        payoff = self._learner.payoff(until=now - self.settings["wait_hours"] * HOUR)
        seed = secrets.randbits(63) if self._seeds is None else int(self._seeds.integers(2**63))
        return Bandit(payoff, rule_of(self.settings["rule"], explore=self.settings["share"]), seed=seed)

    def _user(self, user: str | None) -> str:
        """A user's name in the log; who has none is another one each time."""
        name = f"visitor {secrets.token_hex(16)}" if user is None else user
        return user_hash(name, key=read_or_make_key(self.log.folder / KEY))


def open_exploring(runtime: Any, folder: Path) -> Exploring:
    """A release over its log, with what is popular by the release's own recommender.

    Raises: RequestError where the release does not explore.
    """
    explore_settings(runtime)
    return Exploring(runtime, folder, popularity=popularity_of(runtime.folder / FOLDER))


def explore_settings(runtime: Recommends) -> Mapping[str, Any]:
    """How a release explores. Raises: RequestError where it does not."""
    found: Mapping[str, Any] | None = (runtime.facts.get("recommend") or {}).get("explore")
    if not found:
        raise RequestError(
            f"{runtime.name!r} does not explore. Add `explore: {{}}` to the section `recommend` of its scenario and "
            "run it again."
        )
    return found


def popularity_of(folder: Path) -> dict[str, float]:
    """The logarithm of how many users took each item, of a stored recommender; nothing where it does not count them."""
    recommender = open_recommender(folder)
    models = recommender.blend.models if recommender.blend else ()
    counts = next((model.counts for model in models if isinstance(model, Popularity)), None)
    if counts is None:
        return {}
    return dict(zip(recommender.items, np.log1p(counts).tolist(), strict=True))


def noted(
    log: ExposureLog,
    exposure: str,
    *,
    reward: float | None = None,
    event: str | None = None,
    columns: Mapping[str, Any] | None = None,
    at: float | None = None,
) -> Rewarded:
    """Note what an exposure brought: a number, or an event of the scenario by its weight.

    The same reward again changes nothing; another one takes its place. `columns` are the scenario's columns of events.
    Raises: RequestError for neither or both, for an event without a weight, and as `ExposureLog.reward` does.
    """
    if (reward is None) == (event is None):
        raise RequestError("What came back is one thing: give a reward, such as 1 or 0, or an event, such as buy.")
    value = float(reward) if reward is not None else event_weight(str(event), columns or {})
    return log.reward(exposure, value, at=time.time() if at is None else at)


def event_weight(event: str, columns: Mapping[str, Any]) -> float:
    """What an event weighs in a scenario. Raises: RequestError for one that has no weight."""
    weights = columns.get("weight") or {}
    if event not in weights:
        said = f"they are {', '.join(weights)}" if weights else "it names none"
        raise RequestError(
            f"{event!r} is no event that the scenario weighs; {said}.{suggestion(event, weights)} Give a reward as a "
            "number instead, or add the event to `weight` of the table of events and run again."
        )
    return float(weights[event])
