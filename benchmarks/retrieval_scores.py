"""How good a ranking is: what is relevant among its first places."""

import math
from collections.abc import Callable, Collection, Sequence

Score = Callable[[Sequence[str], Collection[str]], float]
FIRST = 10


def ndcg_at_10(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Discounted gain of the first ten over that of the best order; what is relevant gains 1.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    gain = sum(discount(place) for place, item in enumerate(ranking[:FIRST]) if item in relevant)
    return gain / sum(discount(place) for place in range(min(FIRST, len(relevant))))


def discount(place: int) -> float:
    """What a hit counts at a place from 0 on."""
    return 1.0 / math.log2(place + 2)


def first_answers(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """1.0 where the first place is relevant."""
    return float(any(item in relevant for item in ranking[:1]))


def one_of_ten_answers(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """1.0 where one of the first ten is relevant."""
    return float(any(item in relevant for item in ranking[:FIRST]))
