"""The flow that brings a champion's index in step with its sources, and then what it recommends and answers by.

What did not change is not embedded again, and nothing learns but the recommender and the threshold.
"""

import os
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows import settings
from flows.asking import open_release
from flows.indexing.health import tend
from flows.indexing.update import update_index
from flows.indexing.uses import refresh_uses
from flows.journal import Journal, journal_path
from flows.scenario_file import load_data_scenario
from flows.source_tasks import snapshot_task
from flows.task_progress import Report, shown, timed
from ingestion.snapshots import open_snapshot
from polyloom.durable import locked
from polyloom.home import home

Result = dict[str, Any]


@flow(name="index")
def index(scenario: str, overrides: list[str] | None = None) -> Result:
    """Ingest, embed what is new or changed with the champion's encoders, put the index and its uses in step."""
    settings.apply()
    name = load_data_scenario(scenario, overrides=overrides or []).scenario.name
    flow_run_id = str(flow_run.get_id() or "")
    path = journal_path(home(), name, flow_run_id or f"local-{os.getpid()}")
    with (
        Journal(path) as journal,
        locked(home() / "locks" / f"index-{name}", waiting=lambda: journal.log("waiting for another indexing to end")),
    ):
        taken = snapshot_task(scenario, overrides or [], str(path))
        indexed = index_task(name, taken["folder"], str(path))
        used = uses_task(name, taken["folder"], str(path))
    seconds = {"snapshot": taken["seconds"], "index": indexed.pop("seconds"), "uses": used.pop("seconds")}
    return {"scenario": name, "snapshot": taken["data"], **indexed, "uses": used["uses"], "seconds": seconds}


@task(name="index_changes", cache_policy=NO_CACHE)
def index_task(name: str, folder: str, journal: str) -> Report:
    """The champion's index in step with a snapshot, and rebuilt where it finds too little."""
    with shown(journal) as progress:

        def work() -> Report:
            runtime = open_release(name)
            report = update_index(runtime, open_snapshot(Path(folder)), progress=progress)
            return {**report, "release": runtime.digest, "rebuilt": tend(runtime, progress=progress)}

        return timed(work)


@task(name="refresh_uses", cache_policy=NO_CACHE)
def uses_task(name: str, folder: str, journal: str) -> Report:
    """What the champion recommends and answers by, in step with a snapshot."""
    with shown(journal) as progress:

        def work() -> Report:
            return {"uses": refresh_uses(open_release(name), open_snapshot(Path(folder)), progress=progress)}

        return timed(work)
