"""The stages of a run one after another in this process, without Prefect and MLflow."""

from pathlib import Path

from flows.scenario_file import load_scenario
from flows.stages.embed import embed_frozen
from flows.stages.evaluate import evaluate
from flows.stages.export import export_graphs
from flows.stages.fit import fit
from flows.stages.ingest import ingest, snapshot_summary
from flows.stages.job import Job
from flows.stages.package import package
from flows.stages.prepare import prepare
from polyloom.durable import json_digest
from polyloom.progress import SILENT


def job_for(scenario: Path, *overrides: str) -> Job:
    """A job over a snapshot taken now."""
    loaded = load_scenario(str(scenario), overrides=list(overrides))
    report = ingest(loaded, progress=SILENT)
    return Job.load(
        {
            "scenario": str(scenario),
            "overrides": list(overrides),
            "snapshot": str(report.folder),
            "data": snapshot_summary(report),
            "fingerprint": json_digest([loaded.scenario.model_dump(mode="json"), report.id]),
        }
    )


def fitted(job: Job, *, epochs: list | None = None) -> dict:
    """Everything up to the fit; gives its report. Epochs that it tells of are added to `epochs`."""
    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    return fit(job, progress=SILENT, on_epoch=(epochs if epochs is not None else []).append)


def packaged(job: Job) -> Path:
    """Everything up to the bundle; gives its folder."""
    fitted(job)
    export_graphs(job, progress=SILENT)
    evaluate(job, progress=SILENT)
    return Path(package(job, progress=SILENT)["folder"])
