"""Rules by which a bandit explores: each gives the probability of choosing each candidate, all of them above zero."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from polyloom.errors import RequestError
from retrieval.exploring.linear_payoff import LinearPayoff


class Rule(Protocol):
    """What is expected of candidates, to how likely each is chosen."""

    name: ClassVar[str]

    def probabilities(
        self, contexts: np.ndarray, *, payoff: LinearPayoff, generator: np.random.Generator
    ) -> np.ndarray:
        """The probability [candidates] of choosing each of contexts [candidates, dim]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Thompson:
    """Each candidate as often as it is the best under weights drawn from what is believed of them.

    How often is counted over `draws`, a share `explore` of the choices is uniform, and the candidate is then chosen by
    just these probabilities: what is logged is exact given the draws, and what no draw favoured keeps a floor.

    Source: Agrawal and Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML 2013.
    """

    name: ClassVar[str] = "thompson"
    scale: float = 0.3
    draws: int = 256
    explore: float = 0.01

    def __post_init__(self) -> None:
        _check_share(self.explore)
        _check_positive("scale", self.scale)
        _check_positive("number of draws", self.draws)

    def probabilities(
        self, contexts: np.ndarray, *, payoff: LinearPayoff, generator: np.random.Generator
    ) -> np.ndarray:
        """As `Rule` says."""
        drawn = payoff.draws(contexts, number=self.draws, scale=self.scale, generator=generator)
        best = np.bincount(drawn.argmax(axis=1), minlength=len(contexts))
        return _mixed(best / self.draws, explore=self.explore)


@dataclass(frozen=True, kw_only=True)
class UpperBound:
    """The candidate whose expected reward plus `width` deviations is highest; a share `explore` is uniform.

    Source: LinUCB of Li et al., WWW 2010, which does not mix and so has no propensities to judge other policies by.
    """

    name: ClassVar[str] = "upper_bound"
    width: float = 0.5
    explore: float = 0.01

    def __post_init__(self) -> None:
        _check_share(self.explore)
        _check_positive("width", self.width)

    def probabilities(
        self, contexts: np.ndarray, *, payoff: LinearPayoff, generator: np.random.Generator
    ) -> np.ndarray:
        """As `Rule` says; nothing is random."""
        del generator
        return _mixed(_highest(payoff.means(contexts) + self.width * payoff.spreads(contexts)), explore=self.explore)


@dataclass(frozen=True, kw_only=True)
class EpsilonGreedy:
    """The candidate with the highest expected reward; a share `explore` of the choices is uniform."""

    name: ClassVar[str] = "epsilon_greedy"
    explore: float = 0.1

    def __post_init__(self) -> None:
        _check_share(self.explore)

    def probabilities(
        self, contexts: np.ndarray, *, payoff: LinearPayoff, generator: np.random.Generator
    ) -> np.ndarray:
        """As `Rule` says; nothing is random."""
        del generator
        return _mixed(_highest(payoff.means(contexts)), explore=self.explore)


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """Candidates by `exp(expected reward / temperature)`; a share `explore` of the choices is uniform."""

    name: ClassVar[str] = "softmax"
    temperature: float = 0.1
    explore: float = 0.01

    def __post_init__(self) -> None:
        _check_share(self.explore)
        _check_positive("temperature", self.temperature)

    def probabilities(
        self, contexts: np.ndarray, *, payoff: LinearPayoff, generator: np.random.Generator
    ) -> np.ndarray:
        """As `Rule` says; nothing is random."""
        del generator
        means = payoff.means(contexts)
        weights = np.exp((means - means.max()) / self.temperature)
        return _mixed(weights / weights.sum(), explore=self.explore)


RULES: dict[str, type[Thompson | UpperBound | EpsilonGreedy | Softmax]] = {
    rule.name: rule for rule in (Thompson, UpperBound, EpsilonGreedy, Softmax)
}


def _highest(scores: np.ndarray) -> np.ndarray:
    """Certainty for the highest score, shared among equals."""
    best = scores == scores.max()
    return np.asarray(best / best.sum())


def _mixed(probabilities: np.ndarray, *, explore: float) -> np.ndarray:
    return np.asarray((1 - explore) * probabilities + explore / len(probabilities))


def _check_share(explore: float) -> None:
    if not 0 < explore <= 1:
        raise RequestError(
            f"explore is {explore}; it must be above 0, so that every candidate can be chosen and other policies can "
            "be judged by the log, and at most 1, which is uniform."
        )


def _check_positive(what: str, value: float) -> None:
    if not value > 0:
        raise RequestError(f"The {what} is {value}; it must be above 0.")
