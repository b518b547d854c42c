"""The tasks of the flow `ingest`. They hand on small JSON values: paths, ids, counts."""

from collections import Counter
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.assembly import targets
from flows.scenario_file import LoadedData, load_data_scenario
from flows.task_progress import Report, shown, timed
from flows.tracking import TrainingRun
from ingestion.examination.card import write_data_card
from ingestion.examination.examine import examine
from ingestion.examination.findings import Finding
from ingestion.examination.signatures import SIGNATURES
from ingestion.snapshots import Snapshot, open_snapshot
from polyloom.home import home
from polyloom.progress import Progress
from polyloom.version import code_version

FINDINGS_SHOWN = 20


@task(name="examine", cache_policy=NO_CACHE)
def examine_task(scenario: str, overrides: list[str], folder: str, journal: str) -> Report:
    """The data itself looked at: findings, and the card that shows them."""
    with shown(journal) as progress:

        def work() -> Report:
            loaded = load_data_scenario(scenario, overrides=overrides)
            return data_card(loaded, open_snapshot(Path(folder)), progress=progress)

        return timed(work)


@task(name="log_ingestion", cache_policy=NO_CACHE)
def log_task(name: str, data: Report, card: str, findings: dict[str, int], flow_run_id: str, tracking_uri: str) -> str:
    """One MLflow run for a new snapshot: counts, findings, and the card; returns its id."""
    run = TrainingRun.open(
        tracking_uri=tracking_uri,
        artifact_root=home() / "mlartifacts",
        scenario=name,
        fingerprint=f"ingestion-{data['id']}",
        flow_run_id=flow_run_id or None,
        tags={"polyloom.kind": "ingestion", "polyloom.code": code_version()},
    )
    run.log_snapshot(scenario=name, snapshot_id=data["id"], rows=data["rows_kept"])
    counts = {f"data.{key}": data[key] for key in ("rows_in", "rows_kept", "rows_quarantined")}
    run.log_metrics({**counts, **{f"findings.{level}": count for level, count in findings.items()}}, step=0)
    run.log_artifact(Path(card))
    run.finish("FINISHED")
    return run.run_id


def data_card(loaded: LoadedData, snapshot: Snapshot, *, progress: Progress) -> Report:
    """Examine a snapshot and write its card beside it."""
    scenario = loaded.scenario
    wanted = {name: targets(scenario, name) for name in scenario.data}
    findings = examine(
        snapshot,
        targets={name: columns for name, columns in wanted.items() if columns},
        blobs=home() / "blobs",
        progress=progress,
        remembered=snapshot.folder.with_name(SIGNATURES),
    )
    card = snapshot.folder.with_name(f"{snapshot.id}.card.html")
    write_data_card(card, snapshot=snapshot, findings=findings, profile=None, blobs=home() / "blobs")
    return {
        "card": str(card),
        "counts": dict(Counter(finding.severity for finding in findings)),
        "findings": [shown_finding(finding) for finding in findings[:FINDINGS_SHOWN]],
    }


def shown_finding(finding: Finding) -> Report:
    """A finding without its rows: what the terminal shows, and what a task may hand on."""
    names = ("severity", "table", "column", "code", "message", "rows")
    return {name: getattr(finding, name) for name in names}
