"""Preparations: what turns raw values into arrays, fitted on the training rows."""

from typing import Any

from flows.assembly import build_preparation
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
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise DataError(
            f"data.{job.task_table}: no rows in the split(s) {', '.join(empty)} ({counts}). "
            "Give more rows, or larger shares under `splits`."
        )
    rows = job.rows(job.task_table)
    training = [rows[number] for number in job.split("train")]
    declared = job.scenario.data[job.task_table]
    with (
        progress.stage("prepare", total=len(job.scenario.modalities), unit="modalities") as bar,
        publish_folder(job.folder / "preparation") as draft,
    ):
        for name, modality in job.scenario.modalities.items():
            folder = draft / name
            folder.mkdir()
            build_preparation(name, modality, rows=declared, training=training).save(folder)
            bar.advance()
    return job.finish("prepare", {"rows": counts})
