"""What exploring has shown so far: how much of it was taken, and what other policies would have brought."""

from dataclasses import asdict, dataclass
from typing import Any

from retrieval.exploring.exposure import Exposure
from retrieval.exploring.exposure_log import ExposureLog, choices_of
from retrieval.exploring.judging import Judged, judged


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
            "explored": self.explored.to_json(), "others": self.others.to_json(), "users": self.users,
            "policies": [asdict(one) for one in self.policies],
        }  # fmt: skip


def report_of(log: ExposureLog) -> ExposureReport:
    """The report of a log; of an empty one without policies."""
    exposures, rewards = log.exposures(), log.rewards()
    explored = [one for one in exposures if one.explored]
    others = [one for one in exposures if not one.explored]
    told = [one for one in explored if one.contexts and len(one.contexts[0]) == len(explored[-1].contexts[0])]
    return ExposureReport(
        explored=places_of(explored, rewards),
        others=places_of(others, rewards),
        users=len({one.user for one in explored}),
        policies=tuple(judged(choices_of(told, rewards, without_reward=0.0))) if told else (),
    )


def places_of(exposures: list[Exposure], rewards: dict[str, float]) -> Places:
    """How places fared."""
    found = [rewards[one.id] for one in exposures if one.id in rewards]
    return Places(
        shown=len(exposures), rewarded=len(found), taken=sum(value > 0 for value in found), reward=float(sum(found))
    )
