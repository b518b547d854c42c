"""What must hold between attacks, in training and in evaluation, and the modalities that they move."""

from collections.abc import Iterator

from flows.attack_assembly import ATTACKED_KINDS, attackable
from flows.modality_spec import Image, Text
from flows.recipe import Adversarial
from flows.scenario_columns import task_inputs
from flows.source_checks import unknown
from flows.spec import Attacked, Scenario
from flows.task_spec import FusedTask

NEEDS = {"text": "a text encoder", "image": "a picture encoder"}


def attack_problems(scenario: Scenario) -> Iterator[str]:
    """Attacks on what is not there, not trained or not read, and measurements that nothing can be measured by."""
    given = scenario.recipe.adversarial
    if given is not None:
        yield from training_problems(scenario, given)
    if scenario.robustness.attack or scenario.robustness.typos or scenario.robustness.noise or scenario.robustness.blur:
        yield from measuring_problems(scenario)


def training_problems(scenario: Scenario, given: Adversarial) -> Iterator[str]:
    """An attack in training on what is not trained."""
    place = "recipe.adversarial"
    if scenario.recipe.compile is True:
        yield (
            f"{place}: an encoder that is attacked is not compiled, and recipe.compile is true. Write `compile: auto`."
        )
    found = attackable(scenario, given.kind, trained=True)
    frozen = [name for name in attackable(scenario, given.kind, trained=False) if name not in found]
    wanted = [given.modality] if given.modality else frozen if not found else []
    if wanted and wanted[0] in frozen:
        yield (
            f"{place}: the encoder of {wanted[0]!r} is frozen: its vectors are computed once, and nothing in front of "
            f"them can learn to withstand an attack. Write `train: full` under modalities.{wanted[0]}, or another "
            "recipe.strategy."
        )
    else:
        yield from choice_problems(scenario, place, given, found)


def choice_problems(
    scenario: Scenario, place: str, given: Adversarial | Attacked, found: tuple[str, ...]
) -> Iterator[str]:
    """A modality that is unknown, of the wrong kind, or not named where several could be."""
    wanted = " or ".join(NEEDS[kind] for kind in ATTACKED_KINDS[given.kind])
    if given.modality is not None and given.modality not in scenario.modalities:
        yield unknown(f"{place}.modality", given.modality, scenario.modalities)
    elif given.modality is not None and given.modality not in found:
        kind = scenario.modalities[given.modality].kind
        yield f"{place}.kind: {given.kind} attacks {wanted}, and {given.modality!r} is of kind {kind}."
    elif not found:
        kinds = ", ".join(sorted({modality.kind for modality in scenario.modalities.values()}))
        yield f"{place}.kind: {given.kind} attacks {wanted}, and there is none: the modalities are of kind {kinds}."
    elif given.modality is None and len(found) > 1:
        yield f"{place}.modality: {given.kind} could attack {', '.join(found)}; name one, for example `{found[0]}`."


def measuring_problems(scenario: Scenario) -> Iterator[str]:
    """Measurements of a task that cannot be measured so, or that change nothing that it reads."""
    name = scenario.gate.metric.partition(".")[0]
    task, asked = scenario.tasks.get(name), scenario.robustness
    if task is None:
        return
    if not isinstance(task, FusedTask):
        yield (
            f"robustness: the gate's task {name!r} is of kind {task.kind}; what changed inputs do is measured for "
            "classification and regression. Leave the section out, or let the gate name such a task."
        )
        return
    read = [scenario.modalities[one] for one in task_inputs(scenario, name) if one in scenario.modalities]
    if asked.typos and not any(isinstance(modality, Text) and modality.form == "text" for modality in read):
        yield f"robustness.typos: {name!r} reads no modality of kind text and form text. Leave typos out."
    for key in ("noise", "blur"):
        if getattr(asked, key) and not any(isinstance(modality, Image) for modality in read):
            yield f"robustness.{key}: {name!r} reads no modality of kind image. Leave {key} out."
    if asked.attack is not None:
        inputs = task_inputs(scenario, name)
        found = tuple(one for one in attackable(scenario, asked.attack.kind, trained=False) if one in inputs)
        yield from choice_problems(scenario, "robustness.attack", asked.attack, found)
