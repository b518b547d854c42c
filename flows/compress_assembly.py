"""From what a recipe says of teachers and pruning to what carries it out."""

from typing import TYPE_CHECKING

from flows.compress_checks import trainable
from flows.spec import Scenario
from flows.strategies import FitPlan

if TYPE_CHECKING:
    from torch import nn

    from training.pruning import Pruning


def pruned_modality(scenario: Scenario) -> str | None:
    """The modality whose encoder is pruned: the one named, or the only one that can be; None where nothing is."""
    given = scenario.recipe.prune
    if given is None:
        return None
    return given.modality or next(name for name, strategy in trainable(scenario).items() if strategy == "full")


def build_pruning(scenario: Scenario, plan: FitPlan, encoder: "nn.Module") -> "Pruning | None":
    """What takes an encoder's weights away. Raises RequestError for a structure whose parts are not known."""
    from training.pruning import MagnitudePruning, StructuredPruning

    given = scenario.recipe.prune
    if given is None:
        return None
    made = StructuredPruning if given.kind == "structured" else MagnitudePruning
    return made(encoder, share=given.share, epochs=plan.epochs, settled_share=given.settled)
