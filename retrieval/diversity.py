"""Hits that differ from each other: what stands in the ranking twice in other words comes once."""

from collections.abc import Mapping, Sequence

import numpy as np

from polyloom.errors import RequestError
from retrieval.vectors import DECIMALS


def maximal_marginal_relevance(
    ranking: Sequence[tuple[str, float]], *, vectors: Mapping[str, np.ndarray], diversity: float, k: int
) -> list[tuple[str, float]]:
    """The first k of `ranking` (best first), each chosen for its score and for being unlike those before it.

    A hit is worth `(1 - diversity) * relevance - diversity * similarity`: its score rescaled to 0..1 over the ranking,
    and its highest cosine to a hit chosen before. An item without a vector is similar to nothing. 0 leaves the order
    as it is; hits of equal worth keep theirs, and each keeps its score.

    Source: Carbonell and Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998.

    Raises: RequestError for a diversity outside 0..1, or k < 1.
    """
    _check(diversity, k)
    relevance = _rescaled(np.array([score for _, score in ranking], dtype=np.float64))
    directions = _directions([id_ for id_, _ in ranking], vectors)
    left = np.ones(len(ranking), dtype=bool)
    nearest = np.zeros(len(ranking))
    chosen: list[int] = []
    while len(chosen) < min(k, len(ranking)):
        # Rounded, so that sums in another order cannot break a tie.
        worth = np.round((1 - diversity) * relevance - diversity * nearest, DECIMALS)
        place = int(np.where(left, worth, -np.inf).argmax())
        similarity = directions @ directions[place]
        nearest = np.maximum(nearest, similarity) if chosen else similarity
        left[place] = False
        chosen.append(place)
    return [ranking[place] for place in chosen]


def _rescaled(scores: np.ndarray) -> np.ndarray:
    """Scores with the lowest at 0 and the highest at 1; all at 1 where they are equal."""
    if not len(scores) or scores.max() == scores.min():
        return np.ones(len(scores))
    return np.asarray((scores - scores.min()) / (scores.max() - scores.min()))


def _directions(ids: Sequence[str], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """The items' vectors at length one [items, dim], zeros for one that has none."""
    dim = next((len(vectors[id_]) for id_ in ids if id_ in vectors), 1)
    found = np.zeros((len(ids), dim))
    for place, id_ in enumerate(ids):
        if id_ in vectors:
            found[place] = vectors[id_]
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(lengths > 0, lengths, 1.0))


def _check(diversity: float, k: int) -> None:
    if not 0 <= diversity <= 1:
        raise RequestError(
            f"The diversity is {diversity}; it must lie between 0, which leaves the order, and 1, which looks at "
            "nothing but differences. 0.3 is usual."
        )
    if k < 1:
        raise RequestError(f"k is {k}; ask for at least 1 hit.")
