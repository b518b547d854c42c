"""How well a model that learns in steps keeps what it learned: from scores by step [after step, rows of step].

A score is None where a step has no rows to measure. Chaudhry et al., "Riemannian Walk for Incremental Learning"
(2018).
"""

from collections.abc import Sequence

Scores = Sequence[Sequence[float | None]]


def average_score(scores: Scores, step: int) -> float | None:
    """The mean score after a step over the steps up to it; None where none of them has one."""
    return mean([score for score in scores[step][: step + 1] if score is not None])


def forgetting(scores: Scores, step: int) -> float | None:
    """How much worse earlier steps' rows are answered after a step than they were at best before it, on average.

    Below 0 later steps helped earlier ones. None after the first step.
    """
    losses = []
    for earlier in range(step):
        before = [after[earlier] for after in scores[:step]]
        best = max((score for score in before if score is not None), default=None)
        now = scores[step][earlier]
        if best is not None and now is not None:
            losses.append(best - now)
    return mean(losses)


def mean(values: Sequence[float]) -> float | None:
    """The mean of numbers, None of no number."""
    return sum(values) / len(values) if values else None
