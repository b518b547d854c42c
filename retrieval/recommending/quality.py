"""How good lists of recommendations are: hits, and what hits do not show.

`lists` are item numbers [users, k], best first, -1 where a list is shorter; `relevant` is [users, items] bool or
sparse, what was held out. Users of whom nothing was held out are NaN; a mean over the others is `np.nanmean`.

Hits are counted as in `recommenders/evaluation/python_evaluation.py` of Microsoft's recommenders, relevance binary.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp

Relevant: TypeAlias = np.ndarray | sp.csr_matrix
RESAMPLES = 2000


class Interval(NamedTuple):
    """A mean difference, and where it lies with 95% confidence."""

    mean: float
    low: float
    high: float


def top_lists(scores: np.ndarray, *, k: int, left_out: Relevant | None = None) -> np.ndarray:
    """The k items [users, k] of highest score [users, items]; equal ones by number; -1 where too few are left."""
    worth = np.array(scores, dtype=np.result_type(scores, np.float32))
    if left_out is not None:
        worth[left_out.nonzero()] = -np.inf
    k = min(k, worth.shape[1])
    if k == 0:
        return np.zeros((len(worth), 0), np.int64)
    # A score at the border may be shared: the lowest numbers are taken, whatever the partition chose.
    border = -np.partition(-worth, k - 1, axis=1)[:, k - 1 : k]
    above, level = worth > border, worth == border
    room = k - above.sum(axis=1)
    shared = level.sum(axis=1) > room
    level[shared] &= np.cumsum(level[shared], axis=1) <= room[shared, None]
    chosen = above | level
    items = np.nonzero(chosen)[1].reshape(len(worth), k)
    own = np.take_along_axis(worth, items, axis=1)
    order = np.argsort(-own, axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    return np.where(np.isfinite(np.take_along_axis(own, order, axis=1)), ranked, -1)


def ndcg(lists: np.ndarray, relevant: Relevant) -> np.ndarray:
    """Each user's discounted gain over that of an ideal list of the same length, [users]."""
    hits, counts = _hits(lists, relevant)
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discounts)])[np.minimum(counts, hits.shape[1])]
    return np.asarray((hits @ discounts) / ideal)


def precision(lists: np.ndarray, relevant: Relevant) -> np.ndarray:
    """Each user's hits over k."""
    hits, counts = _hits(lists, relevant)
    return np.where(counts > 0, hits.sum(axis=1) / max(hits.shape[1], 1), np.nan)


def recall(lists: np.ndarray, relevant: Relevant) -> np.ndarray:
    """Each user's hits over what was held out."""
    hits, counts = _hits(lists, relevant)
    return np.asarray(hits.sum(axis=1) / np.where(counts > 0, counts, np.nan))


def average_precision(lists: np.ndarray, relevant: Relevant) -> np.ndarray:
    """Each user's mean of the precision at each hit, over the most hits that the list can hold (`map_at_k` there)."""
    hits, counts = _hits(lists, relevant)
    at_hits = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1) * hits
    return np.asarray(at_hits.sum(axis=1) / np.where(counts > 0, np.minimum(counts, hits.shape[1]), np.nan))


def coverage(lists: np.ndarray, *, count: int) -> float:
    """The share of `count` items that stand in any list."""
    return len(np.unique(lists[lists >= 0])) / count if count else 0.0


def novelty(lists: np.ndarray, *, takers: np.ndarray, users: int) -> float:
    """The mean self-information -log2(takers / users) in bits; an item [items] that nobody took counts as by one.

    Source: Zhou and others, "Solving the apparent diversity-accuracy dilemma", PNAS 2010.
    """
    shown = lists[lists >= 0]
    return float(np.mean(-np.log2(np.maximum(takers[shown], 1) / users))) if len(shown) else 0.0


def list_diversity(lists: np.ndarray, vectors: np.ndarray) -> float:
    """The mean over lists of one minus the mean cosine of their pairs; vectors [items, dim] of any length.

    Source: Ziegler and others, "Improving recommendation lists through topic diversification", WWW 2005.
    """
    found = []
    for own in lists:
        near = vectors[own[own >= 0]].astype(np.float64)
        if len(near) > 1:
            lengths = np.linalg.norm(near, axis=1, keepdims=True)
            near = near / np.where(lengths > 0, lengths, 1.0)
            pairs = len(near) * (len(near) - 1)
            found.append(1 - (np.square(near.sum(axis=0)).sum() - np.square(near).sum()) / pairs)
    return float(np.mean(found)) if found else 0.0


def popularity_percentile(lists: np.ndarray, *, takers: np.ndarray) -> float:
    """The mean over what is shown of the share of items that fewer took, equal ones by half: 0.5 is no bias."""
    ordered = np.sort(takers)
    below, up_to = np.searchsorted(ordered, takers, "left"), np.searchsorted(ordered, takers, "right")
    shown = lists[lists >= 0]
    return float(np.mean((below + up_to)[shown] / 2 / len(takers))) if len(shown) else 0.0


def exposure_gini(lists: np.ndarray, *, count: int) -> float:
    """How unequally `count` items are shown: 0 all alike, towards 1 few alone."""
    shown = np.sort(np.bincount(lists[lists >= 0], minlength=count)).astype(np.float64)
    if not shown.sum():
        return 0.0
    return float((2 * np.arange(1, count + 1) - count - 1) @ shown / (count * shown.sum()))


def paired_interval(ours: np.ndarray, theirs: np.ndarray, *, seed: int = 7, resamples: int = RESAMPLES) -> Interval:
    """The mean difference by user [users], and a bootstrap interval over users; NaN in either leaves a user out."""
    difference = ours - theirs
    difference = difference[np.isfinite(difference)]
    if not len(difference):
        return Interval(0.0, 0.0, 0.0)
    random = np.random.default_rng(seed)
    means = [difference[random.integers(0, len(difference), len(difference))].mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(difference.mean()), float(low), float(high))


def mean_interval(values: np.ndarray, *, seed: int = 7) -> Interval:
    """A mean by user with its bootstrap interval."""
    return paired_interval(values, np.zeros_like(values), seed=seed)


def summary(
    lists: np.ndarray, relevant: Relevant, *, takers: np.ndarray, users: int, vectors: np.ndarray | None = None
) -> dict[str, float]:
    """All of it, means over users; the diversity where there are vectors."""
    measures: Sequence[Any] = (ndcg, precision, recall, average_precision)
    found = {measure.__name__: float(np.nanmean(measure(lists, relevant))) for measure in measures}
    found |= {
        "coverage": coverage(lists, count=len(takers)),
        "novelty_bits": novelty(lists, takers=takers, users=users),
        "popularity_percentile": popularity_percentile(lists, takers=takers),
        "exposure_gini": exposure_gini(lists, count=len(takers)),
    }
    return found if vectors is None else {**found, "list_diversity": list_diversity(lists, vectors)}


def _hits(lists: np.ndarray, relevant: Relevant) -> tuple[np.ndarray, np.ndarray]:
    """Whether each place of a list is a hit [users, k], and how many items were held out of each user [users]."""
    known = _dense(relevant)
    hits = np.take_along_axis(known, np.maximum(lists, 0), axis=1) & (lists >= 0)
    return hits.astype(np.float64), known.sum(axis=1)


def _dense(marks: Relevant) -> np.ndarray:
    return np.asarray((marks if isinstance(marks, np.ndarray) else marks.toarray()) > 0)
