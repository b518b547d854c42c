"""A promise put to the test: confidence fitted, threshold chosen, and errors counted on other questions, many times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.answering.confidence import fit_confidence
from retrieval.answering.selective import choose_threshold

ALPHA, DELTA = 0.05, 0.1
FIT_SHARE = 0.3


@dataclass(frozen=True)
class Asked:
    """Questions with the evidence [rows, features] for the first candidate, whether it is right, and their group.

    Rows of one group are never on both sides of a split. `answerable` says for which something in the index is right.
    """

    evidence: np.ndarray
    right: np.ndarray
    groups: np.ndarray
    answerable: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One resplit: of the tested rows how many were answered, wrongly, and how many unanswerable ones were not."""

    rows: int
    answered: int
    wrong: int
    unanswerable: int
    abstained: int
    promised: bool

    @property
    def error(self) -> float:
        """The share of the answered that are wrong; 0 where nothing was answered."""
        return self.wrong / self.answered if self.answered else 0.0


def resplit(asked: Asked, *, seed: int, fitted_on: Asked | None = None) -> Outcome:
    """Half of the groups to calibrate, the other half to test.

    The confidence is fitted on `fitted_on`, else on three tenths of the calibration groups, which then choose nothing.
    """
    calibration, test = halves(asked.groups, seed=seed)
    fit, chosen = calibration, calibration
    if fitted_on is None:
        order = np.random.default_rng([seed, 1]).permutation(np.unique(asked.groups[calibration]))
        first = np.isin(asked.groups, order[: round(FIT_SHARE * len(order))])
        fit, chosen = calibration & first, calibration & ~first
        fitted_on = Asked(asked.evidence[fit], asked.right[fit], asked.groups[fit], asked.answerable[fit])
    confidence = fit_confidence(fitted_on.evidence, fitted_on.right)
    scores = confidence(asked.evidence)
    threshold = choose_threshold(scores[chosen], asked.right[chosen], alpha=ALPHA, delta=DELTA)
    answers = test & np.array([threshold.answers(score) for score in scores])
    lost = test & ~asked.answerable
    return Outcome(
        rows=int(test.sum()),
        answered=int(answers.sum()),
        wrong=int((answers & ~asked.right).sum()),
        unanswerable=int(lost.sum()),
        abstained=int((lost & ~answers).sum()),
        promised=threshold.value is not None,
    )


def halves(groups: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the groups, as masks [rows]."""
    names = np.unique(groups)
    chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
    first = np.isin(groups, chosen)
    return first, ~first


def broken_share(outcomes: Sequence[Outcome]) -> float:
    """In which share of the resplits more than alpha of the answers were wrong."""
    return float(np.mean([one.error > ALPHA for one in outcomes]))


def coverage(outcomes: Sequence[Outcome]) -> float:
    """The mean share of the tested rows that were answered."""
    return float(np.mean([one.answered / one.rows for one in outcomes]))


def mean_error(outcomes: Sequence[Outcome]) -> float:
    """Wrong answers among all answers given."""
    return sum(one.wrong for one in outcomes) / max(1, sum(one.answered for one in outcomes))
