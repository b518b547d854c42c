"""What must hold for teachers, for pruning and for variants of exported graphs."""

from collections.abc import Iterator

from flows.compress_spec import Prune
from flows.modality_spec import Image, Text
from flows.source_checks import unknown
from flows.spec import Scenario
from flows.strategies import fit_plans, strategy_of
from flows.task_spec import Classification
from flows.zero_shot import learns_nothing


def compress_problems(scenario: Scenario) -> Iterator[str]:
    """Teachers that nobody listens to, encoders that cannot be pruned, graphs that no runtime has."""
    if scenario.recipe.distill is not None:
        yield from distill_problems(scenario)
    if scenario.recipe.prune is not None:
        yield from prune_problems(scenario, scenario.recipe.prune)
    yield from export_problems(scenario)


def distill_problems(scenario: Scenario) -> Iterator[str]:
    """No task that a teacher could speak of, or hints for encoders that learn nothing."""
    given = scenario.recipe.distill
    if given is None:
        return
    if not any(isinstance(task, Classification) for task in scenario.tasks.values()) or learns_nothing(scenario):
        yield "recipe.distill: no task of kind classification is fitted, and a teacher speaks of labels. Leave it out."
    trained = [name for name in scenario.modalities if name in trainable(scenario)]
    if given.features and not trained:
        yield (
            "recipe.distill.features: every encoder is frozen, so no embedding can follow the teacher's. Write "
            "`features: 0`, or `train: full` under a modality."
        )


def prune_problems(scenario: Scenario, given: Prune) -> Iterator[str]:
    """An encoder that is unknown, not trained whole, or one of several."""
    if scenario.recipe.strategy == "auto":
        yield "recipe.prune: the rungs of `strategy: auto` start from each other's weights. Write `strategy: full`."
        return
    wholly = [name for name, strategy in trainable(scenario).items() if strategy == "full"]
    if given.modality is not None and given.modality not in scenario.modalities:
        yield unknown("recipe.prune.modality", given.modality, scenario.modalities)
    elif given.modality is not None and given.modality not in wholly:
        yield (
            f"recipe.prune.modality: {given.modality!r} is not trained whole, so it cannot learn to do without what "
            "goes. Write `train: full` under it, for a modality of kind image or text."
        )
    elif not wholly:
        yield (
            "recipe.prune: no encoder is trained whole, and a frozen one cannot learn to do without what goes. Write "
            "`strategy: full`, or `train: full` under a modality."
        )
    elif given.modality is None and len(wholly) > 1:
        yield f"recipe.prune.modality: {', '.join(wholly)} could be pruned; name one, for example `{wholly[0]}`."
    if scenario.recipe.average is not None:
        yield (
            "recipe.prune: a mean of weights holds what went before it went, and so does recipe.average. Leave one of "
            "them out."
        )
    if given.kind == "structured" and scenario.recipe.unfreeze_epochs:
        yield (
            "recipe.prune.kind: structured judges all layers by their gradients, and under recipe.unfreeze_epochs some "
            "have none. Write `unfreeze_epochs: 0`."
        )


def export_problems(scenario: Scenario) -> Iterator[str]:
    """Variants that do not exist."""
    given = scenario.export
    if given.int8 is None and given.runtime == "onnxruntime":
        return
    if not any(isinstance(modality, Image | Text) for modality in scenario.modalities.values()):
        yield "export: no modality has an encoder, so there is no graph to make smaller. Leave it out."
    if given.int8 == "dynamic" and given.runtime == "openvino":
        yield "export.runtime: openvino runs graphs as they are or `int8: static`. Write one of these, or onnxruntime."
    if given.int8 is not None and given.runtime == "openvino_bf16":
        yield "export.runtime: openvino_bf16 runs graphs as they are. Drop `int8`, or write `runtime: auto`."


def trainable(scenario: Scenario) -> dict[str, str]:
    """The strategies of encoders that some fit trains, by modality."""
    found = {name: strategy_of(scenario, name, plan) for plan in fit_plans(scenario) for name in scenario.modalities}
    return {name: strategy for name, strategy in found.items() if strategy != "frozen"}
