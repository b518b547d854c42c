"""What another policy would have brought, from the choices that one policy logged with their propensities.

A user's choices resemble each other, so where the log says whose they are, intervals resample users, not choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import DataError, RequestError
from retrieval.exploring.intervals import bootstrap_t
from retrieval.exploring.logged_choices import LoggedChoices
from retrieval.exploring.reward_model import cross_fitted

# Below the first an estimate rests on too few choices to be given, below the second to go unremarked.
LEAST_EFFECTIVE, FEW_EFFECTIVE = 20, 100
FEW_USERS = 30
# The weights' mean is one where the log supports the policy; so many standard errors below it does not.
FAR_BELOW = 4.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A policy's mean reward a choice, its interval, and what to know about it.

    `effective_choices` is how many choices of the policy's own would say as much; `warnings` are sentences.
    """

    method: str
    value: float
    low: float
    high: float
    choices: int
    effective_choices: float
    warnings: tuple[str, ...]


def importance_sampling(
    log: LoggedChoices,
    policy: Sequence[np.ndarray],
    *,
    clip: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The mean of rewards weighted by how much likelier `policy` makes the logged choice: unbiased without a clip.

    `policy` are the judged policy's probabilities [candidates] for each choice; `clip` is the highest weight.

    Source: Horvitz and Thompson 1952; clipping: Ionides, "Truncated importance sampling", JCGS 2008.
    Raises: DataError where the log does not support the policy, RequestError for settings that there are not.
    """
    weights = _weights(log, policy, clip=clip, confidence=confidence)
    return _estimate("importance sampling", log, weights, weights * log.rewards, None, clip, confidence, seed)


def self_normalised(
    log: LoggedChoices,
    policy: Sequence[np.ndarray],
    *,
    clip: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """As `importance_sampling`, divided by the weights' mean: a little bias, usually less variance.

    Source: Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", NeurIPS 2015.
    """
    weights = _weights(log, policy, clip=clip, confidence=confidence)
    return _estimate("self-normalised", log, weights, weights * log.rewards, weights, clip, confidence, seed)


def doubly_robust(
    log: LoggedChoices,
    policy: Sequence[np.ndarray],
    *,
    predicted: Sequence[np.ndarray] | None = None,
    clip: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """What a model predicts for the policy, corrected by the weighted errors of the model on what was chosen.

    `predicted` are rewards [candidates] for each choice by a model that did not learn from it; None for a ridge
    regression, cross-fitted.

    Source: Dudik, Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011.
    """
    weights = _weights(log, policy, clip=clip, confidence=confidence)
    model = cross_fitted(log, folds=min(5, int(log.units.max()) + 1), seed=seed) if predicted is None else predicted
    direct = np.array([own @ rewards for own, rewards in zip(policy, model, strict=True)])
    terms = direct + weights * (log.rewards - log.of_chosen(model))
    return _estimate("doubly robust", log, weights, terms, None, clip, confidence, seed)


def effective_choices(weights: np.ndarray) -> float:
    """How many equally weighted choices say as much as these: Kish's `(sum w)^2 / sum w^2`."""
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def _weights(log: LoggedChoices, policy: Sequence[np.ndarray], *, clip: float | None, confidence: float) -> np.ndarray:
    """How much likelier the policy makes each logged choice [choices], after all checks."""
    if clip is not None and not clip > 0:
        raise RequestError(f"clip is {clip}; it must be above 0, or None for no clipping.")
    if not 0 < confidence < 1:
        raise RequestError(f"The confidence is {confidence}; it must lie between 0 and 1. 0.95 is usual.")
    if len(policy) != len(log):
        raise RequestError(f"The policy has probabilities for {len(policy)} choices, the log holds {len(log)}.")
    for number, (own, rows) in enumerate(zip(policy, log.contexts, strict=True)):
        if len(own) != len(rows) or not np.isclose(np.sum(own), 1.0, atol=1e-6) or np.min(own) < 0:
            raise RequestError(
                f"The policy's probabilities of choice {number} are {len(own)} with the sum {np.sum(own):.4g}; they "
                f"must be {len(rows)}, one for each candidate, none below 0, with the sum 1."
            )
    weights = log.of_chosen(policy) / log.propensities
    return np.asarray(weights if clip is None else np.minimum(weights, clip))


def _estimate(
    method: str,
    log: LoggedChoices,
    weights: np.ndarray,
    over: np.ndarray,
    under: np.ndarray | None,
    clip: float | None,
    confidence: float,
    seed: int,
) -> Estimate:
    effective = effective_choices(weights)
    if effective < LEAST_EFFECTIVE:
        raise DataError(
            f"The {len(log)} logged choices say as much about this policy as {effective:.1f} of its own; at least "
            f"{LEAST_EFFECTIVE} are needed. Log more, explore more, or judge a policy nearer to the logging one."
        )
    below = log.by_user(np.ones(len(log)) if under is None else under)
    found = bootstrap_t(log.by_user(over), below, confidence=confidence, seed=seed)
    return Estimate(
        method=method,
        value=found.value,
        low=found.low,
        high=found.high,
        choices=len(log),
        effective_choices=effective,
        warnings=tuple(_warnings(weights, over, units=len(below), effective=effective, clip=clip)),
    )


def _warnings(weights: np.ndarray, terms: np.ndarray, *, units: int, effective: float, clip: float | None) -> list[str]:
    found = []
    if effective < FEW_EFFECTIVE:
        found.append(f"Only {effective:.0f} effective choices: the interval may be too narrow.")
    if units < min(FEW_USERS, len(weights)):
        found.append(f"Only {units} users: the interval may be too narrow.")
    clipped = 0.0 if clip is None else float((weights >= clip).mean())
    if clipped:
        found.append(
            f"{clipped:.1%} of the weights were clipped to {clip:g}: the estimate is biased, its interval too."
        )
    below = (1 - weights.mean()) / max(float(weights.std()) / np.sqrt(len(weights)), 1e-12)
    if not clipped and below > FAR_BELOW:
        found.append(
            f"The weights' mean is {weights.mean():.2f}, far below 1: the policy chooses what the log never could."
        )
    if np.ptp(terms) == 0:
        found.append("All terms are equal: the interval has no width and says nothing.")
    return found
