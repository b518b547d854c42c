"""How well a ranking finds what belongs to a query: ranks, recall, nDCG; in numpy.

`scores` are [queries, items], higher is better; `relevant` is bool [queries, items]; `excluded`, where given, is bool
[queries, items] and takes items out of a query's ranking, such as those that a person has seen already.
"""

import numpy as np

NEVER = np.float32(-np.inf)


def best_ranks(scores: np.ndarray, relevant: np.ndarray, *, excluded: np.ndarray | None = None) -> np.ndarray:
    """The place of each query's best relevant item, int64 [queries], from 1 on; 0 where nothing is relevant.

    Items that score alike stand before the relevant one: a model that scores all alike finds nothing.
    """
    allowed = np.ones_like(relevant) if excluded is None else ~excluded
    wanted = relevant & allowed
    best = np.where(wanted, scores, NEVER).max(axis=1, initial=NEVER)
    before = (scores >= best[:, None]) & allowed & ~relevant
    return np.where(wanted.any(axis=1), before.sum(axis=1) + 1, 0).astype(np.int64)


def hit_rate(ranks: np.ndarray, *, k: int) -> float:
    """Share of the queries with an answer (rank above 0) that have it among the first k; 0.0 where there are none.

    With one relevant item a query this is recall at k; with several, the recall of the literature on pictures and
    captions (Hodosh et al. 2013), which asks for any of them.
    """
    known = ranks[ranks > 0]
    return float((known <= k).mean()) if known.size else 0.0


def median_rank(ranks: np.ndarray) -> float:
    """The median of the ranks above 0; infinite where there are none."""
    known = ranks[ranks > 0]
    return float(np.median(known)) if known.size else float("inf")


def mean_reciprocal_rank(ranks: np.ndarray) -> float:
    """Mean of 1 / rank over the ranks above 0; 0.0 where there are none."""
    known = ranks[ranks > 0]
    return float((1.0 / known).mean()) if known.size else 0.0


def recall_at_k(scores: np.ndarray, relevant: np.ndarray, *, k: int, excluded: np.ndarray | None = None) -> np.ndarray:
    """Share of each query's relevant items that are among its first k, [queries]; NaN where nothing is relevant."""
    wanted = relevant if excluded is None else relevant & ~excluded
    hits = np.take_along_axis(wanted, first_k(scores, k=k, excluded=excluded), axis=1)
    return per_query(hits.sum(axis=1), wanted.sum(axis=1))


def ndcg_at_k(scores: np.ndarray, gains: np.ndarray, *, k: int, excluded: np.ndarray | None = None) -> np.ndarray:
    """Discounted gain of each query's first k over that of the best order, [queries]; NaN where nothing gains.

    `gains` [queries, items] are at least 0 (for bool: 1 where relevant). The gain at place p counts 1 / log2(p + 1):
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    offered = gains.astype(np.float64) if excluded is None else np.where(excluded, 0.0, gains)
    found = np.take_along_axis(offered, first_k(scores, k=k, excluded=excluded), axis=1)
    best = -np.sort(-offered, axis=1)[:, :k]
    discounts = 1.0 / np.log2(np.arange(found.shape[1]) + 2.0)
    return per_query(found @ discounts, best @ discounts)


def first_k(scores: np.ndarray, *, k: int, excluded: np.ndarray | None = None) -> np.ndarray:
    """Numbers of the k best items of each query, best first; of items that score alike, the lower number first."""
    offered = scores if excluded is None else np.where(excluded, NEVER, scores)
    return np.asarray(np.argsort(-offered, axis=1, kind="stable")[:, :k])


def per_query(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
