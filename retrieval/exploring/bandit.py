"""A bandit: chooses among candidates, says how likely that choice was, and learns from what it brought."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from polyloom.durable import replace_file
from polyloom.errors import IntegrityError, RequestError, suggestion
from retrieval.exploring.linear_payoff import LinearPayoff
from retrieval.exploring.rules import RULES, Rule

ARRAYS = ("precision", "covariance", "moment", "weights")


@dataclass(frozen=True)
class Choice:
    """Which candidate was chosen, and the probability with which this one is."""

    place: int
    propensity: float


@dataclass(frozen=True)
class Slate:
    """Candidates in the order in which they are shown.

    The one at `explored` was chosen by the rule with probability `propensity` among `candidates`, which are those that
    stand no higher; the others are in the order of their expected reward.
    """

    places: tuple[int, ...]
    explored: int
    propensity: float
    candidates: tuple[int, ...]


class Bandit:
    """A rule over a payoff model; `seed` makes its choices repeatable."""

    def __init__(self, payoff: LinearPayoff, rule: Rule, *, seed: int) -> None:
        self.payoff = payoff
        self.rule = rule
        self.generator = np.random.default_rng(seed)

    @property
    def name(self) -> str:
        """The rule's name, for the log."""
        return self.rule.name

    @property
    def version(self) -> str:
        """What it has learned so far, for the log: the number of updates."""
        return str(self.payoff.updates)

    def probabilities(self, contexts: np.ndarray) -> np.ndarray:
        """The probability [candidates] of each of contexts [candidates, dim]; all above zero, their sum one."""
        rows = self.payoff.checked(contexts)
        return self.rule.probabilities(rows, payoff=self.payoff, generator=self.generator)

    def choose(self, contexts: np.ndarray) -> Choice:
        """One of the candidates of contexts [candidates, dim]. Raises: RequestError as `LinearPayoff.checked` does."""
        probabilities = self.probabilities(contexts)
        steps = np.cumsum(probabilities)
        place = int(np.searchsorted(steps, self.generator.random() * steps[-1], side="right"))
        return Choice(place, float(probabilities[place]))

    def slate(self, contexts: np.ndarray, k: int, *, explored: int = 0) -> Slate:
        """The first k candidates; the one at place `explored` by the rule, the others by expected reward.

        Raises: RequestError for k < 1, an `explored` beyond the slate, and as `choose` does.
        """
        rows = self.payoff.checked(contexts)
        k = min(k, len(rows))
        if not 0 <= explored < k:
            raise RequestError(f"explored is {explored} of {k} places; it must lie between 0 and k - 1.")
        order = np.argsort(-self.payoff.means(rows), kind="stable")
        above, left = order[:explored], order[explored:]
        choice = self.choose(rows[left])
        places = [*above, left[choice.place], *np.delete(left, choice.place)][:k]
        return Slate(tuple(map(int, places)), explored, choice.propensity, tuple(map(int, left)))

    def update(self, context: np.ndarray, reward: float) -> None:
        """Learn what the candidate of a context [dim] brought; see `LinearPayoff.update`."""
        self.payoff.update(context, reward)

    def save(self, path: Path) -> None:
        """Write a safetensors file in one step, the settings as JSON in its header."""
        settings = {
            "rule": {"name": self.rule.name, **asdict(self.rule)},  # type: ignore[call-overload]
            "payoff": {name: getattr(self.payoff, name) for name in ("dim", "ridge", "forgetting", "updates")},
            "generator": self.generator.bit_generator.state,
        }
        arrays = {name: np.ascontiguousarray(getattr(self.payoff, name)) for name in ARRAYS}
        replace_file(path, save(arrays, metadata={"settings": json.dumps(settings)}))

    @classmethod
    def load(cls, path: Path) -> "Bandit":
        """The bandit that was saved; it goes on exactly. Raises: IntegrityError for a file that is not one's."""
        try:
            with safe_open(path, framework="numpy") as file:
                settings = json.loads((file.metadata() or {})["settings"])
                arrays = {name: file.get_tensor(name) for name in ARRAYS}
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise IntegrityError(
                f"{path} is not a whole file of a bandit ({error}). Restore it, or begin anew."
            ) from error
        return cls._restored(settings, arrays)

    @classmethod
    def _restored(cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Bandit":
        own = dict(settings["payoff"])
        updates = own.pop("updates")
        payoff = LinearPayoff(**own)
        payoff.updates = updates
        for name, value in arrays.items():
            setattr(payoff, name, value)
        bandit = cls(payoff, rule_of(**settings["rule"]), seed=0)
        bandit.generator.bit_generator.state = settings["generator"]
        return bandit


def rule_of(name: str, **settings: Any) -> Rule:
    """The rule of that name with these settings. Raises: RequestError for a name that there is not."""
    if name not in RULES:
        raise RequestError(f"{name!r} is not a rule.{suggestion(name, RULES)} There are {', '.join(RULES)}.")
    return RULES[name](**settings)
