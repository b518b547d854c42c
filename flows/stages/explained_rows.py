"""Which test rows are worth an explanation: sure and right answers, sure and wrong ones, unsure ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heads.decoder import Decoder, Outputs, Truth
from heads.number_decoding import RegressionDecoder

RIGHT, WRONG, UNSURE = "sure and right", "sure and wrong", "unsure"
NEAR, FAR = "nearest to the truth", "farthest off"


@dataclass(frozen=True)
class ChosenRow:
    """A row's place among the test rows, and why it was chosen."""

    place: int
    why: str


def chosen_rows(decoder: Decoder, outputs: Outputs, truth: Truth, *, most: int) -> list[ChosenRow]:
    """At most so many rows, an equal share for each reason; where there are too few for one, the others get more."""
    orders = reasons(decoder, outputs, truth)
    chosen: dict[str, list[int]] = {why: [] for why in orders}
    taken: set[int] = set()
    while len(taken) < most and any(orders.values()):
        for why, order in orders.items():
            order[:] = [place for place in order if place not in taken]
            if order and len(taken) < most:
                taken.add(order[0])
                chosen[why].append(order.pop(0))
    return [ChosenRow(place, why) for why, places in chosen.items() for place in places]


def reasons(decoder: Decoder, outputs: Outputs, truth: Truth) -> dict[str, list[int]]:
    """For each reason the rows that it fits, the best first."""
    target, predicted = decoder.comparable(outputs, truth)
    if isinstance(decoder, RegressionDecoder):
        finite = np.flatnonzero(np.isfinite(target))
        order = finite[np.argsort(np.abs(target - predicted)[finite], kind="stable")].tolist()
        half = len(order) // 2
        return {NEAR: order[:half], FAR: order[half:][::-1]}
    answers = decoder.answers(outputs, [None] * len(predicted), top=1)
    sure = np.array([answer.probability for answer in answers])
    # A row of several labels is right when all of them are.
    right = (target == predicted).reshape(len(target), -1).all(axis=1)
    known = np.ones(len(target), bool) if target.ndim > 1 else target >= 0
    surest = [place for place in np.argsort(-sure, kind="stable").tolist() if known[place]]
    labels = [answer.label for answer in answers]
    least = surest[len(surest) // 2 :][::-1]
    rest = [place for place in surest if place not in set(least[: len(least) // 2])]
    return {
        RIGHT: one_a_label([place for place in rest if right[place]], labels),
        WRONG: [place for place in rest if not right[place]],
        UNSURE: least,
    }


def one_a_label(places: Sequence[int], labels: Sequence[str]) -> list[int]:
    """The rows in their order, but each label's first before any label's second."""
    counts: dict[str, int] = {}
    ranks = []
    for place in places:
        ranks.append(counts.get(labels[place], 0))
        counts[labels[place]] = ranks[-1] + 1
    return [places[number] for number in np.argsort(ranks, kind="stable").tolist()]
