"""Cosines and keyword scores of one query joined to one ranking, and how much words are to count, learned from queries.

A cosine means the same for every query, a keyword score does not: it is taken as a share of the query's best one.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polyloom.errors import RequestError

USUAL_SHARE = 1 / 3
# So large a share that cosines order only what words leave equal.
WORDS_ALONE = 1000.0
SHARES = (0.0, 1 / 8, 1 / 4, USUAL_SHARE, 1 / 2, 3 / 4, 1.0, 2.0, WORDS_ALONE)
LEAST_QUERIES = 30


def join(
    cosines: Mapping[str, float], keyword: Mapping[str, float], *, share: float, readable: float = 1.0
) -> list[str]:
    """Ids of both, by `readable` x cosine + `share` x keyword score / best keyword score; best first, ties by id.

    What one of them lacks counts 0 there. `readable` is how far the encoder can read the query, 0..1.

    Raises: RequestError for a share that is negative or not finite.
    """
    _check(share)
    most = max(keyword.values(), default=1.0)
    scores = {
        id_: readable * cosines.get(id_, 0.0) + share * keyword.get(id_, 0.0) / most
        for id_ in dict.fromkeys([*cosines, *keyword])
    }
    return sorted(scores, key=lambda id_: (-scores[id_], id_))


@dataclass(frozen=True)
class Judged:
    """A query with what is to be joined, over its candidates, and the ids that answer it."""

    cosines: Mapping[str, float]
    keyword: Mapping[str, float]
    relevant: Collection[str]


@dataclass(frozen=True)
class Learned:
    """The share to join by, and why.

    Figures are mean reciprocal ranks: `at_usual` of the usual share, `at_best` of the share that stands first beside
    it. `low` and `high` hold the gain of that one over the usual share, at 95% for all shares looked at together.
    """

    share: float
    at_usual: float
    at_best: float
    low: float
    high: float
    queries: int
    why: str


def learn_share(
    judged: Sequence[Judged],
    *,
    usual: float = USUAL_SHARE,
    shares: Sequence[float] = SHARES,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Learned:
    """The share with the best mean reciprocal rank of the first answer; the usual one unless the gain is significant.

    Fewer than 30 queries teach nothing. The bootstrap draws queries, the same for all shares, and its interval is wide
    enough for all differences at once (studentised maximum: Romano and Wolf, "Stepwise Multiple Testing as Formalized
    Data Snooping", 2005).

    Raises: RequestError for a share that is negative or not finite.
    """
    for share in (usual, *shares):
        _check(share)
    if len(judged) < LEAST_QUERIES:
        found = float(np.mean([_reciprocal_ranks(one, [usual]) for one in judged])) if judged else 0.0
        why = f"{len(judged)} judged queries are too few to learn from, {LEAST_QUERIES} are needed: the usual share."
        return Learned(usual, found, found, 0.0, 0.0, len(judged), why)
    others = [share for share in dict.fromkeys(shares) if share != usual]
    ranks = np.array([_reciprocal_ranks(one, [usual, *others]) for one in judged])
    gains = ranks[:, 1:] - ranks[:, :1]
    best = int(gains.mean(axis=0).argmax())
    within = float(_margin(gains, confidence=confidence, resamples=resamples, seed=seed)[best])
    gain = float(gains[:, best].mean())
    clear = gain > within
    at_usual, at_best = float(ranks[:, 0].mean()), float(ranks[:, 1 + best].mean())
    return Learned(
        share=others[best] if clear else usual,
        at_usual=at_usual,
        at_best=at_best,
        low=gain - within,
        high=gain + within,
        queries=len(judged),
        why=(
            f"{_called(others[best])} has a mean reciprocal rank of {at_best:.3f} on {len(judged)} judged queries, the "
            f"usual share {at_usual:.3f}: {'better' if clear else 'not significantly better, so the usual one stays'} "
            f"({gain - within:+.3f} to {gain + within:+.3f})."
        ),
    )


def _reciprocal_ranks(judged: Judged, shares: Sequence[float]) -> np.ndarray:
    """1 / rank of the query's first answer by each share, [shares]; 0 where no candidate answers it."""
    ids = sorted({*judged.cosines, *judged.keyword})
    if not ids:
        return np.zeros(len(shares))
    cosines = np.array([judged.cosines.get(id_, 0.0) for id_ in ids])
    keyword = np.array([judged.keyword.get(id_, 0.0) for id_ in ids])
    most = max(judged.keyword.values(), default=1.0)
    scores = cosines + np.asarray(shares)[:, None] * keyword / most
    # Stable over ids in their order: as `join` breaks ties.
    order = np.argsort(-scores, axis=1, kind="stable")
    answers = np.array([id_ in judged.relevant for id_ in ids])[order]
    return np.asarray(np.where(answers.any(axis=1), 1.0 / (answers.argmax(axis=1) + 1), 0.0))


def _margin(gains: np.ndarray, *, confidence: float, resamples: int, seed: int) -> np.ndarray:
    """How far each mean of gains [queries, shares] may be from the true one, with this confidence for all, [shares]."""
    random = np.random.default_rng(seed)
    count = len(gains)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    apart = np.abs(drawn @ gains / count - gains.mean(axis=0))
    deviation = gains.std(axis=0) / math.sqrt(count)
    steps = np.divide(apart, deviation, out=np.zeros_like(apart), where=deviation > 0)
    return np.asarray(np.quantile(steps.max(axis=1), confidence) * deviation)


def _called(share: float) -> str:
    return "Words alone" if share == WORDS_ALONE else f"The share {share:g}"


def _check(share: float) -> None:
    if not 0 <= share < math.inf:
        raise RequestError(f"The share {share} is not allowed; what the best keyword score counts is 0 or more.")
