"""From a scenario's task to its task model: a head over what the task reads of its modalities."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.detection_assembly import detection_task
from flows.fusion_assembly import build_fusion
from flows.head_assembly import alignment_head, build_head
from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.task_reads import READS
from flows.task_spec import Alignment, Classification, Detection
from heads.decoder import Decoder, Truth
from heads.decoding import ClassificationDecoder

if TYPE_CHECKING:
    from heads.averaging import Averaging
    from training.task_models import TaskModel


def build_released_task(
    scenario: Scenario, task: str, *, decoder: Decoder, dims: Mapping[str, int], members: int
) -> "TaskModel":
    """A task's model as it is released: an ensemble of so many `members` as one, or with 0 of them a plain one."""
    if not members:
        return build_task(scenario, task, decoder=decoder, dims=dims)
    from training.ensemble import EnsembleTask

    each = [build_task(scenario, task, decoder=decoder, dims=dims) for _ in range(members)]
    return EnsembleTask(each, averaging=build_averaging(decoder))


def build_averaging(decoder: Decoder) -> "Averaging":
    """What makes one answer of several heads'."""
    from heads.averaging import Averaging

    if not isinstance(decoder, ClassificationDecoder):
        return Averaging("number")
    return Averaging("several labels" if decoder.problem == "multilabel" else "one label")


def build_task(
    scenario: Scenario, task: str, *, decoder: Decoder, dims: Mapping[str, int], training: Truth | None = None
) -> "TaskModel":
    """A task's model; `dims` are the lengths of its modalities' pooled embeddings.

    `training` is the truth of the training rows, which may weigh the loss; without it the model can only answer.
    """
    from modalities.fusion import Unchanged
    from training.task_models import FusedTask, PairTask, TokenTask

    settings = scenario.tasks[task]
    if isinstance(settings, Alignment):
        first, second = task_inputs(scenario, task)
        return PairTask(first=first, second=second, head=alignment_head(settings, dims=(dims[first], dims[second])))
    if isinstance(settings, Detection):
        return detection_task(scenario, task, settings, decoder=decoder)
    if READS[settings.kind] == "tokens":
        (name,) = task_inputs(scenario, task)
        head = build_head(scenario, task, decoder=decoder, dim=dims[name], training=training)
        return TokenTask(modality=name, head=head)
    if isinstance(settings, Classification) and settings.zero_shot is not None:
        (name,) = task_inputs(scenario, task)
        # Nearness to the labels' texts means something between embeddings as their encoder gives them.
        unchanged = Unchanged(name=name, dim=dims[name])
        head = build_head(scenario, task, decoder=decoder, dim=dims[name], training=training)
        return FusedTask(fusion=unchanged, head=head)
    fusion = build_fusion(scenario, task, {name: dims[name] for name in task_inputs(scenario, task)})
    return FusedTask(fusion=fusion, head=build_head(scenario, task, decoder=decoder, dim=fusion.dim, training=training))
