"""The watched metric on the test rows of every step, after one of them was learned."""

from typing import TYPE_CHECKING, Any

import numpy as np

from flows.stages.material import Material
from flows.stages.step_rows import StepRows
from heads.decoder import rows_of

if TYPE_CHECKING:
    from training.fitting import Fitting

DIGITS = 6


def step_scores(
    whole: Material, material: Material, fitting: "Fitting", *, steps: StepRows, step: int
) -> dict[str, Any]:
    """`scores` on each step's test rows, and `so_far` on those of all steps up to this one; None where there are none.

    All labels known by now compete, without being told the step. Rows of a label that comes later are never right.
    """
    task, metric = whole.watch
    goal, decoder = whole.targets[task], material.targets[task].decoder
    rows = whole.job.split("test")
    outputs, _ = fitting.score(rows)
    _, answered = decoder.comparable(outputs[task], rows_of(material.targets[task].truth, rows))
    predicted = goal.decoder.translated(answered, given_by=decoder)
    truth = goal.truth["labels"][rows]

    def score(chosen: np.ndarray) -> float | None:
        if not chosen.any():
            return None
        return round(float(goal.decoder.scorers[metric](truth[chosen], predicted[chosen])), DIGITS)

    number = steps.numbers[rows]
    return {
        "scores": [score(number == other) for other in range(len(steps.names))],
        "so_far": score((number >= 0) & (number <= step)),
    }
