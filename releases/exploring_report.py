"""What exploring has shown so far: how much of it was taken, and what other policies would have brought."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from retrieval.exploring.exposure import Exposure
from retrieval.exploring.exposure_log import ExposureLog
from retrieval.exploring.judging import Judged, judged
from retrieval.exploring.logged_choices import LoggedChoices

JUDGED = 20_000


@dataclass(frozen=True, kw_only=True)
class Places:
    """Places of lists: how many were shown, of how many something came back, how many of these brought something."""

    shown: int
    rewarded: int
    taken: int
    reward: float

    @property
    def click_rate(self) -> float | None:
        """The share of places that brought something; None where there are none."""
        return self.taken / self.shown if self.shown else None

    def to_json(self) -> dict[str, Any]:
        """With the rate."""
        return {**asdict(self), "click_rate": self.click_rate}


@dataclass(frozen=True, kw_only=True)
class ExposureReport:
    """Explored and other places, and policies by off-policy estimates over the explored ones.

    A place of which nothing was heard so far counts as one that brought nothing.
    """

    explored: Places
    others: Places
    users: int
    policies: tuple[Judged, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line and an API give it."""
        return {
            "explored": self.explored.to_json(),
            "others": self.others.to_json(),
            "users": self.users,
            "policies": [asdict(one) for one in self.policies],
        }


def report_of(log: ExposureLog) -> ExposureReport:
    """The report of a log; policies are judged by its last `JUDGED` explored places, and not at all without any."""
    rewards = log.rewards()
    explored, others, users = Counted(rewards), Counted(rewards), set()
    told: deque[tuple[Exposure, np.ndarray]] = deque(maxlen=JUDGED)
    for exposure, _ in log.exposures_since():
        (explored if exposure.explored else others).add(exposure)
        if exposure.explored:
            users.add(exposure.user)
        if exposure.explored and exposure.contexts:
            # As tuples of numbers they would take several times the room.
            told.append((replace(exposure, contexts=()), np.array(exposure.contexts, dtype=np.float64)))
    known = choices_of([one for one in told if one[1].shape[1] == told[-1][1].shape[1]], rewards)
    return ExposureReport(
        explored=explored.places,
        others=others.places,
        users=len(users),
        policies=tuple(judged(known)) if known is not None else (),
    )


@dataclass
class Counted:
    """Places, counted one by one."""

    rewards: Mapping[str, float]
    places: Places = Places(shown=0, rewarded=0, taken=0, reward=0.0)

    def add(self, exposure: Exposure) -> None:
        """Count a place, with what came back."""
        reward, before = self.rewards.get(exposure.id), self.places
        self.places = Places(
            shown=before.shown + 1,
            rewarded=before.rewarded + (reward is not None),
            taken=before.taken + (reward is not None and reward > 0),
            reward=before.reward + (reward or 0.0),
        )


def choices_of(told: Sequence[tuple[Exposure, np.ndarray]], rewards: Mapping[str, float]) -> LoggedChoices | None:
    """Explored places as arrays; None where there are none."""
    if not told:
        return None
    return LoggedChoices(
        contexts=tuple(rows for _, rows in told),
        chosen=np.array([one.chosen for one, _ in told]),
        propensities=np.array([one.propensity for one, _ in told]),
        rewards=np.array([rewards.get(one.id, 0.0) for one, _ in told], dtype=np.float64),
        users=np.array([one.user for one, _ in told]),
    )
