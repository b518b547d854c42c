"""What must hold for rows that are mixed in training."""

from collections.abc import Iterator

from flows.mix_assembly import mixed_picture, read_names
from flows.spec import Scenario
from flows.strategies import is_trained
from flows.task_spec import FusedTask


def mix_problems(scenario: Scenario) -> Iterator[str]:
    """Rows that cannot be mixed."""
    given = scenario.recipe.mix
    if given is None:
        return
    whole = [name for name, task in scenario.tasks.items() if not isinstance(task, FusedTask)]
    if whole:
        task = scenario.tasks[whole[0]]
        yield (
            f"recipe.mix: {whole[0]!r} is of kind {task.kind}, whose truth cannot be mixed. Leave mix out; it is for "
            "classification and regression."
        )
        return
    known = read_names(scenario) and read_names(scenario) <= set(scenario.modalities)
    if given.kind != "cutmix" or not known:
        return
    picture = mixed_picture(scenario)
    if picture is None:
        yield "recipe.mix.kind: cutmix is for tasks that read one picture and nothing else. Write `kind: mixup`."
    elif not is_trained(scenario, picture):
        yield (
            f"recipe.mix.kind: cutmix changes pictures, and the encoder of {picture!r} is frozen. Write `kind: mixup`, "
            f"which mixes its vectors, or `train: full` under modalities.{picture}."
        )
