"""From which score on to answer, so that few of the answers given are wrong: a promise that holds.

Selective prediction with a guaranteed risk (Geifman and El-Yaniv, "Selective classification for deep neural networks",
2017), by fixed-sequence tests with several starts ("Learn then test", Angelopoulos et al., 2021).

A grid of thresholds is fixed before any row is seen. For one of them, given how many rows it answers, the number of
wrong ones is binomial, so P(Binomial(answered, alpha) <= wrong) is a valid p-value for "more than alpha of what it
answers is wrong". From each of the starts, also fixed, thresholds are tested from the strictest down, each at
delta / starts, until one is not passed. To pass a bad threshold a sequence must pass its first bad one, which happens
with at most that probability; so with at most delta does any of them, whichever is taken and however error depends on
the score. What is assumed: calibration rows and later questions are drawn alike, independently of each other and of
what the score was fitted on. The scores of `Confidence` are probabilities, for which the usual grid is made.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from polyloom.errors import RequestError

GRID = tuple(float(value) for value in 1 / (1 + np.exp(-np.arange(6.0, -6.05, -0.1))))
"""The usual thresholds for probabilities, strictest first, even in their logits."""
STARTS = (0.98, 0.95, 0.9, 0.8, 0.5)
"""Where sequences begin: at the first threshold that is not above."""


@dataclass(frozen=True)
class Threshold:
    """Answer where the score is at least `value`; None: never, and `reason` says why.

    `bound` is the upper confidence bound of the error rate among answered questions, `answered_share` and `wrong` are
    of the `rows` it was chosen by, `needed` is the least number of rows by which anything can be promised.
    """

    value: float | None
    alpha: float
    delta: float
    rows: int
    answered_share: float
    wrong: int
    bound: float
    needed: int
    reason: str

    def answers(self, score: float) -> bool:
        """Whether to answer at a score; NaN is never enough."""
        return self.value is not None and score >= self.value

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Threshold":
        """As `to_json` gave it."""
        return cls(**value)


@dataclass(frozen=True)
class Tried:
    """A threshold, with how many rows are answered by it and how many of these wrongly."""

    value: float
    answered: int
    wrong: int


def choose_threshold(
    scores: np.ndarray,
    right: np.ndarray,
    *,
    alpha: float,
    delta: float,
    grid: Sequence[float] = GRID,
    starts: Sequence[float] = STARTS,
) -> Threshold:
    """The lowest threshold whose error rate among answered questions is at most `alpha`, at confidence 1 - `delta`.

    `scores` [rows] (a NaN is never answered), `right` bool [rows]; rows are questions that nothing was fitted on, those
    that have no answer among them as not right. `grid` and `starts` must not come from these rows; for scores that are
    no probabilities give, for instance, quantiles of those of other rows.

    Raises: RequestError for an alpha or delta outside 0..1, lengths that differ, and an empty grid or no starts.
    """
    _check(scores, right, alpha, delta, grid, starts)
    level = delta / len(starts)
    needed = least_rows(alpha=alpha, delta=level)
    descending = sorted(set(grid), reverse=True)
    tried = [_tried(scores, np.asarray(right, dtype=bool), value) for value in descending]
    passed = [one for start in starts for one in _sequence(tried, start, alpha=alpha, level=level)]
    if passed:
        lowest = min(passed, key=lambda one: one.value)
        return _chosen(lowest, rows=len(scores), alpha=alpha, delta=delta, level=level, needed=needed)
    most = max((one.answered for one in tried), default=0)
    reason = _reason(len(scores), most, int(np.sum(right)), needed=needed, alpha=alpha, delta=delta)
    return Threshold(None, alpha, delta, len(scores), 0.0, 0, 1.0, needed, reason)


def _sequence(tried: Sequence[Tried], start: float, *, alpha: float, level: float) -> list[Tried]:
    """The thresholds from a start down that pass, as far as the first that does not."""
    return list(
        takewhile(
            lambda one: one.answered and tail(one.wrong, one.answered, alpha) <= level,
            (one for one in tried if one.value <= start),
        )
    )


def _reason(rows: int, answered: int, right: int, *, needed: int, alpha: float, delta: float) -> str:
    """Why no threshold passed."""
    promise = f"at most {alpha:.3g} errors at confidence {1 - delta:.3g}"
    if answered < needed:
        return (
            f"{answered} of {rows} rows have a score: too few to promise {promise}. At least {needed} are needed, all "
            "right, and more where some are wrong."
        )
    return (
        f"No threshold over {rows} rows, {right} of them right, keeps to {promise}. Give more rows, a better score, or "
        "a larger alpha."
    )


def least_rows(*, alpha: float, delta: float) -> int:
    """How many rows, all right, it takes for the bound to be `alpha`."""
    return math.ceil(math.log(delta) / math.log1p(-alpha) - 1e-9)


def tail(wrong: int, answered: int, rate: float) -> float:
    """The probability of at most so many wrong answers when each is wrong at this rate."""
    from scipy.stats import binom

    return float(binom.cdf(wrong, answered, rate))


def upper_bound(wrong: int, answered: int, *, delta: float) -> float:
    """The upper bound of a rate at confidence 1 - delta (Clopper and Pearson, 1934)."""
    from scipy.stats import beta

    return 1.0 if wrong >= answered else float(beta.ppf(1 - delta, wrong + 1, answered - wrong))


def _check(
    scores: np.ndarray, right: np.ndarray, alpha: float, delta: float, grid: Sequence[float], starts: Sequence[float]
) -> None:
    for name, value in (("alpha", alpha), ("delta", delta)):
        if not 0 < value < 1:
            raise RequestError(f"{name} is {value}; it must be above 0 and below 1, such as 0.05.")
    if np.ndim(scores) != 1 or np.shape(scores) != np.shape(right):
        raise RequestError(
            f"Scores {np.shape(scores)} and right {np.shape(right)} do not fit; give one of each for every row."
        )
    if not len(grid) or not len(starts) or not np.isfinite([*grid, *starts]).all():
        raise RequestError(
            f"{len(grid)} thresholds and {len(starts)} starts were given; at least one finite number of each is needed."
        )


def _tried(scores: np.ndarray, right: np.ndarray, value: float) -> Tried:
    answered = scores >= value
    return Tried(value, int(answered.sum()), int((answered & ~right).sum()))


def _chosen(tried: Tried, *, rows: int, alpha: float, delta: float, level: float, needed: int) -> Threshold:
    bound = upper_bound(tried.wrong, tried.answered, delta=level)
    reason = (
        f"{tried.wrong} of {tried.answered} answered rows are wrong; with confidence {1 - delta:.3g} at most "
        f"{bound:.3g} of later answers are."
    )
    return Threshold(
        value=tried.value,
        alpha=alpha,
        delta=delta,
        rows=rows,
        answered_share=tried.answered / rows,
        wrong=tried.wrong,
        bound=bound,
        needed=needed,
        reason=reason,
    )
