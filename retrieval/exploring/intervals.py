"""An interval for a ratio of means of skewed terms, as weighted rewards are."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

REPLICATES = 999
# More terms than this are first averaged in groups, which keeps a million of them cheap.
MOST_TERMS = 4_000
AT_ONCE = 100


class Interval(NamedTuple):
    """A value and where the true one lies at the stated confidence."""

    value: float
    low: float
    high: float


def bootstrap_t(numerators: np.ndarray, denominators: np.ndarray, *, confidence: float, seed: int) -> Interval:
    """The ratio of the means of two columns [terms] and its studentised bootstrap interval.

    Each resampled ratio's distance is measured in its own standard error, so that few large terms, which are rare in
    the sample and its resamples alike, widen the side on which they are missing. Denominators of one give the mean.
    On either side it reaches as far as Student's interval at least: where a side has hardly any large terms, resamples
    know nothing of those that are missing.

    Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 12.
    """
    generator = np.random.default_rng(seed)
    terms = _grouped(np.column_stack([numerators, denominators]).astype(np.float64), generator)
    value, error = (float(one[0]) for one in _ratios(np.ones((1, len(terms))), terms))
    if len(terms) < 2 or not error > 0:
        return Interval(value, value, value)
    distances = []
    for start in range(0, REPLICATES, AT_ONCE):
        counts = _resampled(min(AT_ONCE, REPLICATES - start), len(terms), generator)
        ratios, errors = _ratios(counts, terms)
        distances.append((ratios - value)[errors > 0] / errors[errors > 0])
    tail = (1 - confidence) / 2
    below, above = np.quantile(np.concatenate(distances), [tail, 1 - tail])
    least = float(stdtrit(len(terms) - 1, 1 - tail))
    return Interval(value, float(value - max(above, least) * error), float(value + max(-below, least) * error))


def _ratios(counts: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ratio of each weighting [replicates, terms] and its standard error by linearisation, both [replicates]."""
    over, under = terms.T
    squares = np.column_stack([over, under, over * over, over * under, under * under])
    top, bottom, top2, both, bottom2 = (counts @ squares).T
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = top / bottom
        spread = np.sqrt((top2 - 2 * ratio * both + ratio * ratio * bottom2).clip(0))
        return ratio, spread / np.abs(bottom)


def _resampled(number: int, terms: int, generator: np.random.Generator) -> np.ndarray:
    """How often each term was drawn [number, terms]."""
    places = generator.integers(0, terms, size=(number, terms)) + terms * np.arange(number)[:, None]
    return np.bincount(places.ravel(), minlength=number * terms).reshape(number, terms).astype(np.float64)


def _grouped(terms: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """At most `MOST_TERMS` sums of as many terms each, put together at random; fewer terms stay as they are."""
    if len(terms) <= MOST_TERMS:
        return terms
    order = generator.permutation(len(terms))
    return np.stack([terms[group].sum(axis=0) for group in np.array_split(order, MOST_TERMS)])
