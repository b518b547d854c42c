"""From a recipe's `r_drop` to what holds two answers to the same rows together."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.spec import Scenario
from flows.task_spec import Classification, Relation

if TYPE_CHECKING:
    from training.consistency import Consistency
    from training.targets import Target


def build_consistency(scenario: Scenario, targets: Mapping[str, "Target"]) -> "Consistency | None":
    """What compares the two passes of a step, over the tasks whose answers are probabilities of labels."""
    from heads.decoding import ClassificationDecoder
    from training.consistency import Consistency

    if not scenario.recipe.r_drop:
        return None
    compared = {}
    for name, task in scenario.tasks.items():
        decoder = targets[name].decoder
        if isinstance(task, Classification | Relation):
            compared[name] = not (isinstance(decoder, ClassificationDecoder) and decoder.problem == "multilabel")
    return Consistency(weight=scenario.recipe.r_drop, tasks=compared)
