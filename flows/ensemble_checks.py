"""What must hold for an ensemble of heads."""

from collections.abc import Iterator

from flows.modality_spec import Image, Text
from flows.spec import Scenario
from flows.task_reads import modalities_read_whole
from flows.task_spec import Classification, FusedTask

PLACE = "recipe.ensemble"


def ensemble_problems(scenario: Scenario) -> Iterator[str]:
    """Members that could not share their encoders, and answers that cannot be averaged."""
    if scenario.recipe.ensemble is None:
        return
    yield from live_encoders(scenario)
    for name, task in scenario.tasks.items():
        if not isinstance(task, FusedTask):
            yield (
                f"{PLACE}: {name!r} is of kind {task.kind}, whose answers cannot be averaged. Leave ensemble out; it "
                "is for classification and regression."
            )
        elif isinstance(task, Classification):
            yield from apart(name, task)
    if scenario.robustness.attack is not None:
        yield f"robustness.attack: an ensemble is not attacked. Drop the attack, or {PLACE}."


def live_encoders(scenario: Scenario) -> Iterator[str]:
    """Encoders that would be trained, one for each member."""
    trained = {
        f"modalities.{name}.train": modality.train
        for name, modality in scenario.modalities.items()
        if isinstance(modality, Image | Text) and modality.train is not None
    }
    recipe = scenario.recipe
    climbs = recipe.strategy == "auto" and any(rung.strategy == "frozen" for rung in recipe.auto.rungs)
    for place, strategy in {"recipe.strategy": "frozen" if climbs else recipe.strategy, **trained}.items():
        if strategy != "frozen":
            yield (
                f"{place}: {strategy} trains encoders, and the members of {PLACE} share frozen ones: a release has one "
                "encoder a modality. Write frozen, or leave ensemble out."
            )
    for name in sorted(modalities_read_whole(scenario)):
        yield f"{PLACE}: a task reads more of {name!r} than its pooled embedding. Leave ensemble out."


def apart(name: str, task: Classification) -> Iterator[str]:
    """What each member would have for itself."""
    if task.zero_shot is not None and task.head == "linear":
        yield f"{PLACE}: tasks.{name} is zero-shot, so that all members would be the same. Leave ensemble out."
    if task.out_of_scope is not None and task.out_of_scope.score in {"combined", "distance"}:
        yield (
            f"tasks.{name}.out_of_scope.score: each member of {PLACE} has an embedding of its own, so there is no one "
            "distance. Use energy, probability, max_logit or entropy."
        )
