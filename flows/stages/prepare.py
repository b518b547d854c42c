"""Preparations: what turns raw values into arrays, fitted on the training rows."""

from typing import Any

import numpy as np

from flows.assembly import build_preparation
from flows.scenario_columns import table_of
from flows.stages.job import Job
from flows.zero_shot import is_zero_shot
from modalities.preparation.words import WordPreparation
from polyloom.durable import publish_folder
from polyloom.errors import DataError
from polyloom.progress import Progress


def prepare(job: Job, *, progress: Progress) -> dict[str, Any]:
    """Fit and save every modality's preparation; says how many rows each split has."""
    done = job.finished("prepare")
    if done is not None:
        return done
    counts = {name: len(job.split(name)) for name in ("train", "validation", "test")}
    for task in job.scenario.tasks:
        refuse_empty_splits(job, task)
    training = [job.task_rows[number] for number in job.split("train")]
    with (
        progress.stage("prepare", total=len(job.scenario.modalities), unit="modalities") as bar,
        publish_folder(job.folder / "preparation") as draft,
    ):
        for name in job.scenario.modalities:
            folder = draft / name
            folder.mkdir()
            build_preparation(job.scenario, name, training=training).save(folder)
            bar.advance()
    unlabelled = {name: unlabelled_words(job, name, progress=progress) for name in word_modalities(job)}
    return job.finish("prepare", {"rows": counts, "unlabelled_words": unlabelled})


def refuse_empty_splits(job: Job, task: str) -> None:
    """Raises DataError when a task has nothing to learn from, to choose by or to be judged on."""
    counts = {name: len(job.split(name, task=task)) for name in ("train", "validation", "test")}
    unfitted = is_zero_shot(job.scenario.tasks[task])
    empty = [name for name, count in counts.items() if not count and not (unfitted and name == "train")]
    if empty:
        raise DataError(
            f"data.{table_of(job.scenario, task)}: no rows in the split(s) {', '.join(empty)} ({counts}). "
            "Give more rows, or larger shares under `splits`."
        )


def word_modalities(job: Job) -> list[str]:
    """The modalities that are read word by word."""
    return [name for name, preparation in job.preparations.items() if isinstance(preparation, WordPreparation)]


def unlabelled_words(job: Job, name: str, *, progress: Progress) -> int:
    """How many words of the task rows stay without a label, mostly for they lie beyond `max_tokens`; it is said."""
    preparation = job.preparations[name]
    if not isinstance(preparation, WordPreparation):
        return 0
    values = [value for value in job.task_values(name).values if value is not None]
    missing = preparation.unlabelled(values)
    if missing.any():
        progress.log(
            f"modalities.{name}: {int(missing.sum()):,} words of {int(np.count_nonzero(missing)):,} rows stay "
            f"unlabelled: they lie beyond max_tokens ({preparation.max_tokens}), or the tokenizer drops them"
        )
    return int(missing.sum())
