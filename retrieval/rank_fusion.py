"""One ranking out of several, by ranks alone: scores of different encoders cannot be compared."""

import math
from collections.abc import Sequence

from polyloom.errors import RequestError


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], *, weights: Sequence[float], constant: int = 60
) -> list[tuple[str, float]]:
    """Ids with the sum over the rankings of `weight / (constant + rank)`, ranks from 1, best first, ties by id.

    Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009.

    Raises: RequestError for weights that do not fit the rankings, or an id that stands twice in one ranking.
    """
    _check(rankings, weights, constant)
    shares: dict[str, list[float]] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, id_ in enumerate(ranking, start=1):
            shares.setdefault(id_, []).append(weight / (constant + rank))
    # fsum, so that the order of the rankings cannot break a tie.
    fused = ((id_, math.fsum(parts)) for id_, parts in shares.items())
    return sorted(fused, key=lambda hit: (-hit[1], hit[0]))


def _check(rankings: Sequence[Sequence[str]], weights: Sequence[float], constant: int) -> None:
    if len(weights) != len(rankings):
        raise RequestError(f"There are {len(weights)} weights for {len(rankings)} rankings; each ranking needs one.")
    wrong = [weight for weight in weights if not 0 < weight < math.inf]
    if wrong:
        raise RequestError(f"The weight {wrong[0]} is not allowed; weights are finite and above 0.")
    if constant < 0:
        raise RequestError(f"The constant is {constant}; it must be 0 or more. 60 is usual.")
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            twice = next(id_ for id_ in ranking if list(ranking).count(id_) > 1)
            raise RequestError(f"{twice!r} stands more than once in one ranking; an id has one rank.")
