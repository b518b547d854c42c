"""Where heads begin: prototypes at their labels' training rows or texts, alignments where the closed form puts them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from flows.scenario_columns import task_inputs
from flows.stages.encoders import open_encoder
from flows.stages.job import Job
from flows.task_spec import Alignment, Classification, ZeroShot
from flows.zero_shot import has_prototypes, is_solved, is_zero_shot, label_texts
from heads.decoding import ClassificationDecoder
from heads.label_vectors import directions, label_means, mixed
from modalities.preparation.entailment import EntailmentPreparation
from polyloom.errors import DataError
from polyloom.progress import Progress

if TYPE_CHECKING:
    from heads.alignment import AlignmentHead
    from heads.prototypes import Prototypes
    from training.inputs import ModalityInput
    from training.model import ApplicationModel
    from training.targets import Target
    from training.task_models import TaskModel


def begin_prototypes(
    job: Job,
    model: "ApplicationModel",
    inputs: Mapping[str, "ModalityInput"],
    targets: Mapping[str, "Target"],
    *,
    progress: Progress,
) -> None:
    """Put every task's prototypes where they begin."""
    for task, settings in job.scenario.tasks.items():
        decoder = targets[task].decoder
        if not (isinstance(settings, Classification) and has_prototypes(settings)):
            continue
        if not isinstance(decoder, ClassificationDecoder):
            raise TypeError(f"prototypes have no use for a decoder of kind {decoder.kind!r}")
        beginning = begin_at(job, model, inputs, targets[task], task=task, labels=decoder.labels, progress=progress)
        cast("Prototypes", cast("TaskModel", model.tasks[task]).head.linear).begin_at(beginning)


def solve_alignments(job: Job, model: "ApplicationModel", inputs: Mapping[str, "ModalityInput"]) -> None:
    """Put the projections of every alignment that is solved where its training pairs put them."""
    from training.fused import head_inputs

    for task, settings in job.scenario.tasks.items():
        if not (isinstance(settings, Alignment) and is_solved(settings)):
            continue
        whole = np.logical_and.reduce([inputs[name].present for name in task_inputs(job.scenario, task)])
        rows = job.split("train", task=task)
        first, second = head_inputs(model, inputs, task=task, rows=rows[whole[rows]])
        head = cast("AlignmentHead", cast("TaskModel", model.tasks[task]).head)
        head.begin_at(first, second, shrinkage=settings.shrinkage)


def begin_at(
    job: Job,
    model: "ApplicationModel",
    inputs: Mapping[str, "ModalityInput"],
    target: "Target",
    *,
    task: str,
    labels: Sequence[str],
    progress: Progress,
) -> np.ndarray:
    """Where a task's prototypes begin [labels, dim]: its labels' texts, the means of their rows, or between."""
    from training.fused import fused_embeddings

    settings = job.scenario.tasks[task]
    zero_shot = settings.zero_shot if isinstance(settings, Classification) else None
    if zero_shot is not None and is_zero_shot(settings):
        return label_vectors(job, task, zero_shot, labels, progress=progress)
    rows = job.split("train", task=task)
    fused = fused_embeddings(model, inputs, task=task, rows=rows)
    means = label_means(fused, target.truth["labels"][rows], count=len(labels))
    if zero_shot is None:
        return means
    return mixed(means, label_vectors(job, task, zero_shot, labels, progress=progress), share=zero_shot.weight)


def label_vectors(job: Job, task: str, settings: ZeroShot, labels: Sequence[str], *, progress: Progress) -> np.ndarray:
    """What the task's own text encoder says of each label, at length 1 [labels, dim]; of several texts the mean.

    Where texts are held against hypotheses, a label's vector points at its own.
    """
    (name,) = task_inputs(job.scenario, task)
    texts = [label_texts(settings, label) for label in labels]
    flat = [text for one in texts for text in one]
    preparation = job.preparations[name]
    if isinstance(preparation, EntailmentPreparation):
        refuse_untold(task, settings, labels)
        told = np.eye(len(preparation.hypotheses))[[preparation.hypotheses.index(text) for text in flat]]
    else:
        encoder = open_encoder(job, name, progress=progress)
        size = encoder.batch_size
        told = np.concatenate([encoder(preparation(flat[start : start + size])) for start in range(0, len(flat), size)])
    owners = np.repeat(np.arange(len(labels)), [len(one) for one in texts])
    return directions(label_means(directions(told), owners, count=len(labels))).astype(np.float32)


def refuse_untold(task: str, settings: ZeroShot, labels: Sequence[str]) -> None:
    """Raises DataError for labels that no hypothesis speaks for."""
    untold = [label for label in labels if label not in settings.descriptions]
    if untold:
        named = ", ".join(map(repr, untold[:5]))
        raise DataError(
            f"tasks.{task}.zero_shot.descriptions: nothing is said of {named}, {len(untold)} of {len(labels)} "
            "labels of the data. A model of inference needs a description of each."
        )
