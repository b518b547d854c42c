"""What must hold for weights that are averaged, and for answers that are held together."""

from collections.abc import Iterator

from flows.average_assembly import STRAIGHT, straight, swa_start
from flows.average_spec import Interpolation, Swa
from flows.spec import Scenario
from flows.strategies import fit_plans
from flows.task_spec import Classification, Relation


def average_problems(scenario: Scenario) -> Iterator[str]:
    """Means over epochs that never come, and lines without a begin."""
    given = scenario.recipe.average
    plans = fit_plans(scenario)
    if isinstance(given, Swa):
        longest = max(plans, key=lambda plan: plan.epochs)
        if swa_start(given, longest) > longest.epochs:
            yield (
                f"recipe.average.start: {given.start} is behind the last of {longest.epochs} epochs. "
                "Give an earlier epoch, or leave it out."
            )
    if isinstance(given, Interpolation):
        trained = {name for plan in plans for name in straight(scenario, plan)}
        if not trained:
            yield (
                "recipe.average.kind: interpolation is between the weights of an encoder before and after the fit, and "
                f"none is trained by {', '.join(STRAIGHT)}. Write `strategy: full`, or another kind."
            )
        for name in sorted(trained):
            if getattr(scenario.modalities[name], "weights", "") == "scratch" and name not in scenario.pretrain:
                yield (
                    f"recipe.average.kind: interpolation leads back to where an encoder began, and {name!r} begins "
                    "with random numbers. Take ema, swa or soup."
                )


def consistency_problems(scenario: Scenario) -> Iterator[str]:
    """Answers that nothing can hold together."""
    recipe = scenario.recipe
    if not recipe.r_drop:
        return
    if not any(isinstance(task, Classification | Relation) for task in scenario.tasks.values()):
        yield (
            "recipe.r_drop: it compares probabilities of labels, and no task is of kind classification or relation. "
            "Leave it out."
        )
    if recipe.adversarial is not None and recipe.adversarial.epsilon:
        yield (
            "recipe.r_drop: a step passes either twice through other dropout or through attacked inputs, and "
            "recipe.adversarial asks for these. Leave one of them out."
        )
