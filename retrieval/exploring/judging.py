"""What four policies would bring: the one that logged, the first candidate, what is best as far as is known, chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import DataError
from retrieval.exploring.logged_choices import LoggedChoices
from retrieval.exploring.off_policy import doubly_robust, importance_sampling
from retrieval.exploring.reward_model import ridge_fit

FOLDS = 5
LEAST_USERS = 2
SHOWN = "as shown"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A policy's estimated reward a choice with its 95% interval; None where the log says too little of it.

    `effective` is how many choices of its own would say as much, `notes` what to know.
    """

    policy: str
    value: float | None
    low: float | None
    high: float | None
    effective: float
    notes: tuple[str, ...]


def judged(log: LoggedChoices, *, seed: int = 0) -> list[Judged]:
    """The four policies, by estimates over users: the mean of what was shown, and doubly robust ones of the others."""
    policies: Mapping[str, Sequence[np.ndarray]] = {
        SHOWN: shown_policy(log),
        "recommender's best": [_only(0, len(rows)) for rows in log.contexts],
        "bandit's best": learned_best(log, seed=seed),
        "uniform": [np.full(len(rows), 1 / len(rows)) for rows in log.contexts],
    }
    return [_judged(name, log, policy, seed=seed) for name, policy in policies.items()]


def shown_policy(log: LoggedChoices) -> list[np.ndarray]:
    """Probabilities like those that were chosen by: the logged one for what was chosen, the rest shared."""
    found = []
    for rows, place, propensity in zip(log.contexts, log.chosen, log.propensities, strict=True):
        own = np.full(len(rows), (1 - propensity) / max(len(rows) - 1, 1))
        own[place] = propensity
        found.append(own)
    return found


def learned_best(log: LoggedChoices, *, seed: int = 0) -> list[np.ndarray]:
    """Certainty for the candidate that is best by what other users' choices taught.

    A policy that learned from the very rewards by which it is judged would look better than it is.
    """
    users = int(log.units.max()) + 1
    folds = min(FOLDS, users)
    fold_of = (np.random.default_rng(seed).permutation(users) % folds)[log.units]
    features = log.features
    found: list[np.ndarray] = [np.empty(0)] * len(log)
    for fold in range(folds):
        others = fold_of != fold if folds > 1 else fold_of == fold
        fit = ridge_fit(features[others], log.rewards[others], ridge=1.0)
        for number in np.flatnonzero(fold_of == fold).tolist():
            rows = log.contexts[number]
            found[number] = _only(int(np.argmax(rows @ fit[1:])), len(rows))
    return found


def _only(place: int, count: int) -> np.ndarray:
    return np.asarray(np.arange(count) == place, dtype=np.float64)


def _judged(name: str, log: LoggedChoices, policy: Sequence[np.ndarray], *, seed: int) -> Judged:
    """An estimate, or why there is none."""
    weights = log.of_chosen(policy) / log.propensities
    squares = float(np.square(weights).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    if int(log.units.max()) + 1 < LEAST_USERS:
        return _untold(name, effective, "too few exposures to tell: all are of one user")
    try:
        # Of what was not chosen the log does not know how likely it was, so no model may stand in for it.
        estimate = importance_sampling if name == SHOWN else doubly_robust
        found = estimate(log, policy, seed=seed)
    except DataError:
        return _untold(name, effective, "too few exposures to tell")
    return Judged(
        policy=name, value=found.value, low=found.low, high=found.high, effective=effective, notes=found.warnings
    )


def _untold(name: str, effective: float, why: str) -> Judged:
    return Judged(policy=name, value=None, low=None, high=None, effective=effective, notes=(why,))
