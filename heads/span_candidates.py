"""The spans that an answer can be, best first, out of a span head's logits."""

from typing import NamedTuple

import numpy as np

from heads.decoder import Outputs

# The rest of a row's thousands of spans share almost no probability.
KEPT = 256
NO_ANSWER = -1


class Candidates(NamedTuple):
    """A row's best spans: `scores` [found], best first, `starts` and `ends` in characters of the context.

    `none` is the score of "no answer".
    """

    scores: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    none: float


def candidates(outputs: Outputs, *, max_answer_tokens: int) -> list[Candidates]:
    """Every row's candidates from `start` and `end` [rows, tokens] and `characters` [rows, tokens, 2]."""
    rows = zip(outputs["start"], outputs["end"], outputs["characters"].astype(np.int64), strict=True)
    return [
        row_candidates(start.astype(np.float64), end.astype(np.float64), offsets, max_answer_tokens=max_answer_tokens)
        for start, end, offsets in rows
    ]


def row_candidates(start: np.ndarray, end: np.ndarray, offsets: np.ndarray, *, max_answer_tokens: int) -> Candidates:
    """Pairs of context tokens of one window, the end not before the start, by their summed logits.

    Devlin et al., "BERT" (2019), section 4.2.
    """
    first, after = offsets[:, 0], offsets[:, 1]
    context = after > first
    window = np.cumsum(first == NO_ANSWER)
    starts = np.flatnonzero(context)
    ends = starts[:, None] + np.arange(max_answer_tokens)
    inside = np.minimum(ends, len(start) - 1)
    valid = (ends == inside) & context[inside] & (window[inside] == window[starts][:, None])
    scores = np.where(valid, start[starts][:, None] + end[inside], -np.inf).ravel()
    best = largest(scores, min(KEPT, int(valid.sum())))
    marks = first == NO_ANSWER
    return Candidates(
        scores=scores[best],
        starts=first[starts[best // max_answer_tokens]],
        ends=after[inside.ravel()[best]],
        none=float((start + end)[marks].max()) if marks.any() else 0.0,
    )


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` largest values, largest first, equal ones in order."""
    if count < len(values):
        # Ties at the edge are all taken in before the order decides among them.
        edge = np.partition(values, len(values) - count)[len(values) - count] if count else np.inf
        places = np.flatnonzero(values >= edge)
    else:
        places = np.arange(len(values))
    return places[np.argsort(-values[places], kind="stable")][:count]
