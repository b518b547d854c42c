"""Is a difference between two models' scores more than luck? A percentile bootstrap over rows, paired.

Each resample draws the same rows for both models, so what makes a row easy or hard for either cancels out (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from heads.decoder import Scorer


@dataclass(frozen=True)
class Difference:
    """How much better the first model scores than the second, and the interval that holds the true difference."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SeedsDifference(Difference):
    """A mean over seeds. `clear` says that it is more than luck beside all differences looked at together.

    Of twenty differences that are none, one lies outside its own 95% interval; `clear` asks for so much more that all
    of them together are right as often (Bonferroni), by the normal distribution of the resamples.
    """

    clear: bool


def paired_difference(
    *,
    scorer: Scorer,
    truth: np.ndarray,
    predicted: np.ndarray,
    against: np.ndarray,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Difference:
    """The difference in score of two models' predictions of the same rows; a higher score is better."""
    scores = resampled(scorer, truth, [predicted, against], resamples=resamples, seed=seed)
    low, high = interval(scores[:, 0] - scores[:, 1], confidence=confidence)
    return Difference(value=float(scorer(truth, predicted)) - float(scorer(truth, against)), low=low, high=high)


def resampled(
    scorer: Scorer, truth: np.ndarray, outputs: Sequence[np.ndarray], *, resamples: int, seed: int
) -> np.ndarray:
    """Scores [resamples, outputs], each resample over rows drawn with replacement."""
    random = np.random.default_rng(seed)
    scores = np.empty((resamples, len(outputs)))
    for resample in range(resamples):
        rows = random.integers(0, len(truth), len(truth))
        drawn = truth[rows]
        scores[resample] = [scorer(drawn, output[rows]) for output in outputs]
    return scores


def interval(samples: np.ndarray, *, confidence: float) -> tuple[float, float]:
    """The central part of the samples that holds this share of them."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def paired_difference_over_seeds(
    *,
    scorer: Scorer,
    truth: np.ndarray,
    predicted: Sequence[np.ndarray],
    against: Sequence[np.ndarray],
    seed: int,
    comparisons: int = 1,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> SeedsDifference:
    """The mean difference in score of two ways to fit, each from several seeds, on the same rows.

    Each resample draws rows and, with replacement, seeds, so that the interval holds the luck of both. `comparisons` is
    how many such differences are looked at together: see `SeedsDifference.clear`.
    """
    random = np.random.default_rng(seed)
    pairs = list(zip(predicted, against, strict=True))
    samples = np.empty(resamples)
    for resample in range(resamples):
        rows = random.integers(0, len(truth), len(truth))
        drawn = [pairs[place] for place in random.integers(0, len(pairs), len(pairs))]
        samples[resample] = np.mean(
            [scorer(truth[rows], one[rows]) - scorer(truth[rows], other[rows]) for one, other in drawn]
        )
    value = float(np.mean([scorer(truth, one) - scorer(truth, other) for one, other in pairs]))
    low, high = interval(samples, confidence=confidence)
    beside = NormalDist().inv_cdf(1 - (1 - confidence) / 2 / comparisons) * float(samples.std())
    return SeedsDifference(value=value, low=low, high=high, clear=abs(value) > beside)
