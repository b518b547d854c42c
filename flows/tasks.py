"""Prefect tasks around the stages. They hand on small JSON values: paths, digests, ids, counts."""

import math
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.gate_attaching import attach_report
from flows.journal import Journal
from flows.stages.embed import embed_frozen
from flows.stages.evaluate import evaluate
from flows.stages.export import export_graphs
from flows.stages.fit import fit
from flows.stages.gate import report_folder
from flows.stages.job import Job, JobRef
from flows.stages.package import package
from flows.stages.prepare import prepare
from flows.stages.pretrain import pretrain
from flows.stages.release import release
from flows.stages.teach import teach
from flows.stages.variants import choose_variants
from flows.task_progress import Report, shown, timed
from flows.tracking import TrainingRun


@task(name="prepare", cache_policy=NO_CACHE)
def prepare_task(ref: JobRef) -> Report:
    """Preparations fitted on the training rows."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: prepare(Job.load(ref), progress=progress))


@task(name="pretrain", cache_policy=NO_CACHE)
def pretrain_task(ref: JobRef, tracking_uri: str) -> Report:
    """Encoders that learn before the fit; every epoch's losses go into the MLflow run."""
    run = TrainingRun.attach(tracking_uri=tracking_uri, run_id=ref["run_id"])
    with shown(ref["journal"]) as progress:

        def log(name: str, epoch: int, loss: float, held_out: float) -> None:
            figures = {"loss": loss, "held_out_loss": held_out}
            known = {f"pretrain.{name}.{key}": value for key, value in figures.items() if math.isfinite(value)}
            run.log_metrics(known, step=epoch)

        return timed(lambda: pretrain(Job.load(ref), progress=progress, on_epoch=log))


@task(name="embed", cache_policy=NO_CACHE)
def embed_task(ref: JobRef) -> Report:
    """Frozen encoders over all rows."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: {"encoders": embed_frozen(Job.load(ref), progress=progress)})


@task(name="teach", cache_policy=NO_CACHE)
def teach_task(ref: JobRef) -> Report:
    """A teacher over the training rows."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: teach(Job.load(ref), progress=progress))


@task(name="fit", cache_policy=NO_CACHE)
def fit_task(ref: JobRef, tracking_uri: str) -> Report:
    """The fitting loop; every epoch's figures go into the MLflow run."""
    run = TrainingRun.attach(tracking_uri=tracking_uri, run_id=ref["run_id"])

    with shown(ref["journal"]) as progress, closing(Journal(Path(ref["journal"]))) as journal:

        def log(epoch: Any) -> None:
            figures = {key: value for key, value in vars(epoch).items() if key != "epoch"}
            run.log_metrics(figures, step=epoch.epoch)
            journal.metrics(vars(epoch))

        return timed(lambda: fit(Job.load(ref), progress=progress, on_epoch=log))


@task(name="export", cache_policy=NO_CACHE)
def export_task(ref: JobRef) -> Report:
    """Graphs, compared with torch."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: export_graphs(Job.load(ref), progress=progress))


@task(name="variants", cache_policy=NO_CACHE)
def variants_task(ref: JobRef) -> Report:
    """Smaller graphs, measured against the plain ones."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: choose_variants(Job.load(ref), progress=progress))


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate_task(ref: JobRef) -> Report:
    """Calibration and test figures, by the exported graphs."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: evaluate(Job.load(ref), progress=progress))


@task(name="package", cache_policy=NO_CACHE)
def package_task(ref: JobRef) -> Report:
    """Index generations and the sealed bundle."""
    with shown(ref["journal"]) as progress:
        return timed(lambda: package(Job.load(ref), progress=progress))


@task(name="release", cache_policy=NO_CACHE)
def release_task(ref: JobRef, packaged: Report, tracking_uri: str) -> Report:
    """Registration, gate, promotion."""
    with shown(ref["journal"]) as progress:

        def work() -> Report:
            job = Job.load(ref)
            shutil.rmtree(report_folder(job), ignore_errors=True)
            released = release(job, packaged, tracking_uri=tracking_uri, progress=progress)
            attach_report(job, tracking_uri=tracking_uri)
            return released

        return timed(work)
