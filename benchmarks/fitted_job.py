"""A scenario file's fit, for benchmarks that look at the fitted model itself."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.stages.job import Job


def fitted_job(path: Path) -> "Job":
    """The job of a scenario, from its rows to fitted weights."""
    from flows.scenario_file import load_scenario
    from flows.stages.attempt import fitted
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from polyloom.durable import json_digest
    from polyloom.progress import SILENT

    snapshot = str(ingest(load_scenario(str(path)), progress=SILENT).folder)
    ref = {"scenario": str(path), "overrides": [], "snapshot": snapshot}
    job = Job.load({**ref, "fingerprint": json_digest(ref)})
    fitted(job, progress=SILENT, on_epoch=lambda _: None)
    return job
