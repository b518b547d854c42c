"""What must hold between a recipe's strategies and the encoders that they train."""

from collections.abc import Iterator

from flows.modality_spec import Image, Text
from flows.recipe import Auto
from flows.spec import Scenario
from training.strategies.settings import MERGEABLE


def strategy_problems(scenario: Scenario) -> Iterator[str]:
    """Ladders that cannot be climbed, and budgets that nobody keeps."""
    recipe = scenario.recipe
    encoders = [modality for modality in scenario.modalities.values() if isinstance(modality, Image | Text)]
    if recipe.strategy == "auto":
        if not any(modality.train is None for modality in encoders):
            yield (
                "recipe.strategy: auto has no encoder to choose for. Write `strategy: frozen`, add a modality of kind "
                "image or text, or take `train` away from one."
            )
        yield from ladder_problems(recipe.auto)
    elif recipe.budget_minutes is not None:
        yield "recipe.budget_minutes: only `strategy: auto` keeps to a budget. Write it, or take the budget away."


def ladder_problems(auto: Auto) -> Iterator[str]:
    """Rungs in an order that nothing can follow."""
    names = [rung.strategy for rung in auto.rungs]
    if len(set(names)) < len(names):
        yield f"recipe.auto.rungs: {', '.join(names)} has a strategy twice. Each may stand once."
    if "frozen" in names[1:]:
        yield "recipe.auto.rungs: frozen trains the least, so it stands first or not at all."
    for name in names[:-1]:
        if name not in MERGEABLE:
            yield (
                f"recipe.auto.rungs: {name} leaves weights beside the encoder, from which no further rung can start. "
                "Put it last."
            )
