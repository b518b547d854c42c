"""What a recipe's teacher says of the training rows: its exported graphs answer once, and their embeddings are kept."""

from typing import TYPE_CHECKING, Any

import numpy as np

from flows.modality_spec import Image, Text
from flows.stages.encoders import embed_values
from flows.stages.job import Job, modality_values
from flows.task_spec import Classification
from flows.teacher import open_teacher
from flows.zero_shot import is_zero_shot
from heads.decoding import ClassificationDecoder
from heads.onnx import OnnxHead
from modalities.encoders.onnx import VectorEncoder
from polyloom.errors import RequestError
from polyloom.progress import Progress
from releases.runtime import Runtime

if TYPE_CHECKING:
    from training.distillation import Distillation, Taught
    from training.targets import Target


def teach(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Let the teacher read the training rows before the fit; says which bundle it is and how many rows it read."""
    done = job.finished("teach")
    if done is not None:
        return done
    given = job.scenario.recipe.distill
    if given is None:
        return job.finish("teach", {})
    teacher = open_teacher(given.teacher)
    rows = job.split("train")
    embedded = {name: embeddings(job, teacher, name, rows, progress=progress)[2] for name in read_by(job, teacher)}
    return job.finish("teach", {"teacher": teacher.digest, "rows": len(rows), "embedded": embedded})


def distillation(job: Job, targets: dict[str, "Target"], *, progress: Progress) -> "Distillation | None":
    """What the fit learns from the teacher. Raises RequestError where its labels are others."""
    from training.distillation import Distillation, Taught

    given = job.scenario.recipe.distill
    if given is None:
        return None
    # Where no stage has asked before, as in a fit that stands alone; what is told of the run rests on its report.
    teach(job, progress=progress)
    teacher = open_teacher(given.teacher)
    rows, count = job.split("train"), len(job.task_rows)
    read = {name: embeddings(job, teacher, name, rows, progress=progress) for name in read_by(job, teacher)}
    logits = {}
    for task in taught_tasks(job):
        head = head_of(teacher, task)
        said = head({name: read[name][0] for name in head.inputs}, {name: read[name][1] for name in head.inputs})
        known = np.any([read[name][1] for name in head.inputs], axis=0)
        ordered = said["logits"][:, label_order(teacher, task, targets[task])]
        logits[task] = spread(Taught(ordered, known), rows, count=count)
    hints = {
        name: spread(Taught(vectors, present), rows, count=count)
        for name, (vectors, present, _) in read.items()
        if given.features and isinstance(job.scenario.modalities.get(name), Image | Text)
    }
    return Distillation(
        logits=logits,
        embeddings=hints,
        multilabel=frozenset(task for task in logits if getattr(targets[task].decoder, "problem", "") == "multilabel"),
        temperature=given.temperature,
        weight=given.weight,
        features=given.features,
    )


def taught_tasks(job: Job) -> list[str]:
    """The tasks that a teacher can speak of: classifications that are fitted."""
    return [
        task
        for task, settings in job.scenario.tasks.items()
        if isinstance(settings, Classification) and not is_zero_shot(settings)
    ]


def read_by(job: Job, teacher: Runtime) -> list[str]:
    """The teacher's modalities that its heads for these tasks read. Raises RequestError where it has no such head."""
    return list(dict.fromkeys(name for task in taught_tasks(job) for name in head_of(teacher, task).inputs))


def head_of(teacher: Runtime, task: str) -> OnnxHead:
    """The teacher's head for a task. Raises RequestError that says which tasks it has."""
    head = teacher.heads.get(task)
    if head is None or not isinstance(head.decoder, ClassificationDecoder):
        known = [name for name, one in teacher.heads.items() if isinstance(one.decoder, ClassificationDecoder)]
        raise RequestError(
            f"recipe.distill.teacher: {teacher.name!r} has no classification {task!r}; it has "
            f"{', '.join(known) or 'none'}. A teacher's task has the name of the student's."
        )
    return head


def label_order(teacher: Runtime, task: str, target: "Target") -> list[int]:
    """Where each of the student's labels stands among the teacher's. Raises RequestError where they are others."""
    theirs = list(getattr(head_of(teacher, task).decoder, "labels", ()))
    ours = list(getattr(target.decoder, "labels", ()))
    other = sorted(set(theirs) ^ set(ours))
    if other:
        raise RequestError(
            f"recipe.distill.teacher: the labels of {teacher.name!r} for {task!r} are not those of the training rows; "
            f"only one of them knows {', '.join(map(repr, other[:5]))}. Take a teacher with the same labels."
        )
    return [theirs.index(label) for label in ours]


def embeddings(
    job: Job, teacher: Runtime, name: str, rows: np.ndarray, *, progress: Progress
) -> tuple[np.ndarray, np.ndarray, int]:
    """A teacher's embeddings of rows, who is present, and how many had to be computed: they are kept by content."""
    preparation, encoder = teacher.preparations[name], teacher.encoders[name]
    given = modality_values(preparation, [job.task_rows[row] for row in rows])
    report = embed_values(
        given, preparation=preparation, encoder=encoder, name=f"{name}, by the teacher", progress=progress
    )
    computed = 0 if isinstance(encoder, VectorEncoder) else report.embedded
    return report.vectors, given.present, computed


def spread(taught: "Taught", rows: np.ndarray, *, count: int) -> "Taught":
    """What is said of some rows, put into their places among all."""
    from training.distillation import Taught

    values = np.zeros((count, taught.values.shape[1]), dtype=np.float32)
    known = np.zeros(count, dtype=bool)
    values[rows], known[rows] = taught.values, taught.known
    return Taught(values, known)
