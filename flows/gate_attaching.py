"""A gate's report where people look for it: with both runs in MLflow, and with the flow run in Prefect."""

from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.gate_report import MARKDOWN, PAGE
from flows.stages.gate import AGAINST, report_folder
from flows.stages.job import Job
from flows.tracking import TrainingRun
from polyloom.durable import read_json

# The tag of a version that says where the report of its gate lies.
REPORT_TAG = "polyloom.gate_report"


def attach_report(job: Job, *, tracking_uri: str) -> None:
    """Attach the report that a gate left; nothing where it judged nothing."""
    folder = report_folder(job)
    if not (folder / AGAINST).is_file():
        return
    against = read_json(folder / AGAINST)
    files = [path for path in sorted(folder.iterdir()) if path.name != AGAINST]
    own = TrainingRun.attach(tracking_uri=tracking_uri, run_id=job.ref["run_id"])
    for path in files:
        own.log_artifact(path, "gate")
    report = f"runs:/{job.ref['run_id']}/gate/{PAGE}"
    own.client.set_model_version_tag(job.scenario.name, against["version"], REPORT_TAG, report)
    if against["run_id"] and against["run_id"] != job.ref["run_id"]:
        other = TrainingRun.attach(tracking_uri=tracking_uri, run_id=against["run_id"])
        for path in files:
            other.log_artifact(path, f"gate/challenged_by_{against['version']}")
    if against["champion"] and against["champion"] != against["version"]:
        tag = f"{REPORT_TAG}.challenged_by_{against['version']}"
        own.client.set_model_version_tag(job.scenario.name, against["champion"], tag, report)
    if flow_run.get_id():
        text = (folder / MARKDOWN).read_text(encoding="utf-8")
        create_markdown_artifact(text, key=f"gate-{job.scenario.name.replace('_', '-')}")
