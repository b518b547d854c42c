"""Preparations: what turns raw values into arrays, fitted on the training rows."""

from typing import Any

from flows.assembly import build_preparation
from flows.scenario_checks import table_of
from flows.stages.job import Job
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
    return job.finish("prepare", {"rows": counts})


def refuse_empty_splits(job: Job, task: str) -> None:
    """Raises DataError when a task has nothing to learn from, to choose by or to be judged on."""
    counts = {name: len(job.split(name, task=task)) for name in ("train", "validation", "test")}
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise DataError(
            f"data.{table_of(job.scenario, task)}: no rows in the split(s) {', '.join(empty)} ({counts}). "
            "Give more rows, or larger shares under `splits`."
        )
