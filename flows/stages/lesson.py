"""What an encoder learns from before the fit: values without labels, or with those of one task."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flows.scenario_columns import contrastive_tasks
from flows.stages.job import Job, modality_values
from heads.label_words import label_words
from polyloom.errors import DataError
from training.embedding import text_hash

HELD_OUT = 1000
Hashed = tuple[dict[str, object], str | None]


@dataclass(frozen=True)
class Lesson:
    """Values, each with its hash: the first `rows` are learned from, the others only looked at.

    `labels` has each value's label, where labels are learned from.
    """

    values: Sequence[object]
    hashes: Sequence[str]
    rows: int
    labels: Sequence[str] | None = None

    @property
    def identity(self) -> list[str]:
        """What the values and labels are, for a digest."""
        if self.labels is None:
            return list(self.hashes)
        return [f"{digest} {label}" for digest, label in zip(self.hashes, self.labels, strict=True)]


def lesson_of(job: Job, name: str) -> Lesson:
    """What an encoder is to learn from. Raises DataError where that is too little."""
    if job.scenario.pretrain[name].kind == "contrastive":
        return labelled(job, name, task=contrastive_task(job, name))
    return unlabelled(job, name)


def unlabelled(job: Job, name: str) -> Lesson:
    """Distinct values of training rows, and some of validation rows.

    What stands in a test row of the tasks is left out, in whichever table it comes again.
    """
    settings, preparation = job.scenario.pretrain[name], job.preparations[name]
    tested = {given for row, given in hashed(job, name, job.task_rows) if row["_split"] == "test"}
    parts: dict[str, dict[str, object]] = {"validation": {}, "train": {}}
    for table in settings.rows or job.task_tables:
        for row, digest in hashed(job, name, job.rows(table)):
            if digest is not None and digest not in tested and row["_split"] in parts:
                parts[str(row["_split"])].setdefault(digest, preparation.value(row))
    held_out = list(parts["validation"].items())[:HELD_OUT]
    rows = [pair for pair in parts["train"].items() if pair[0] not in parts["validation"]]
    if len(rows) < 2:
        raise DataError(
            f"pretrain.{name}: {len(rows)} training row(s) have something to learn from; two are the least. "
            f"Name tables with more under pretrain.{name}.rows."
        )
    both = [*rows, *held_out]
    return Lesson(values=[value for _, value in both], hashes=[digest for digest, _ in both], rows=len(rows))


def labelled(job: Job, name: str, *, task: str) -> Lesson:
    """A task's training rows and some of its validation rows, mixed so that a batch has many labels."""
    settings = job.scenario.pretrain[name]
    rows = labelled_rows(job, name, task=task, split="train")
    if settings.label_names:
        names = {label: label_words(label) for *_, label in rows}
        rows += [(words, text_hash(words), label) for label, words in sorted(names.items())]
    labels = [label for *_, label in rows]
    if len(set(labels)) < 2 or len(set(labels)) == len(labels):
        raise DataError(
            f"pretrain.{name}: the training rows of tasks.{task} have {len(labels)} value(s) of {len(set(labels))} "
            "label(s); contrastive learning needs two labels, and two values of one of them. Give more rows."
        )
    validation = labelled_rows(job, name, task=task, split="validation")
    order = np.random.default_rng(job.scenario.recipe.seed).permutation(len(validation))[:HELD_OUT]
    both = [*rows, *(validation[place] for place in order)]
    return Lesson(
        values=[value for value, *_ in both],
        hashes=[digest for _, digest, _ in both],
        rows=len(rows),
        labels=[label for *_, label in both],
    )


def labelled_rows(job: Job, name: str, *, task: str, split: str) -> list[tuple[object, str, str]]:
    """A task's rows of one split that have the modality and a label: value, its hash, label."""
    targets, preparation = job.targets(task), job.preparations[name]
    numbers = job.split(split, task=task)
    given = hashed(job, name, [job.task_rows[number] for number in numbers])
    return [
        (preparation.value(row), digest, str(targets[number]))
        for number, (row, digest) in zip(numbers, given, strict=True)
        if digest is not None and targets[number] is not None
    ]


def contrastive_task(job: Job, name: str) -> str:
    """The task whose labels an encoder learns from: the one that is named, else the only classification."""
    return job.scenario.pretrain[name].task or contrastive_tasks(job.scenario, name)[0]


def hashed(job: Job, name: str, rows: list[dict[str, object]]) -> list[Hashed]:
    """Rows, each with the hash of its value of a modality."""
    return list(zip(rows, modality_values(job.preparations[name], rows).hashes, strict=True))
