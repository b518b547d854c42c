"""The flow from sources to a new snapshot with its data card. Nothing new in the sources: nothing is done."""

import contextlib
import os
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows import settings
from flows.ingested import ingestion_digest, recall, remember
from flows.ingestion_tasks import examine_task, log_task
from flows.journal import Journal, journal_path
from flows.scenario_file import LoadedData, load_data_scenario
from flows.source_tasks import snapshot_task
from polyloom.durable import locked
from polyloom.errors import PolyloomError
from polyloom.home import home

Result = dict[str, Any]


@flow(name="ingest")
def ingest(scenario: str, overrides: list[str] | None = None, *, wait: bool = True) -> Result:
    """Take a snapshot of a scenario's sources; one ingestion of a scenario at a time, the next waits or is refused."""
    settings.apply()
    loaded = load_data_scenario(scenario, overrides=overrides or [])
    name = loaded.scenario.name
    flow_run_id = str(flow_run.get_id() or "")
    path = journal_path(home(), name, flow_run_id or f"local-{os.getpid()}")
    with Journal(path) as journal, alone(name, journal, wait=wait):
        digest = ingestion_digest(loaded)
        known = recall(name, digest)
        if known is not None:
            return {**known, "flow_run_id": flow_run_id or None}
        result = run_tasks(loaded, overrides or [], journal=str(path), flow_run_id=flow_run_id)
        remember(name, digest, result)
        return result


def run_tasks(loaded: LoadedData, overrides: list[str], *, journal: str, flow_run_id: str) -> Result:
    """A snapshot, and when it is a new one its card and its MLflow run."""
    scenario, name = str(loaded.path), loaded.scenario.name
    taken = snapshot_task(scenario, overrides, journal)
    seconds = {"snapshot": taken["seconds"]}
    result = {"scenario": name, "status": "unchanged", "flow_run_id": flow_run_id or None, "snapshot": taken["data"]}
    card = home() / "snapshots" / name / f"{taken['data']['id']}.card.html"
    if not taken["created"] and card.exists():
        return {**result, "card": str(card), "findings": [], "mlflow_run_id": None, "seconds": seconds}
    examined = examine_task(scenario, overrides, taken["folder"], journal)
    uri = os.environ["MLFLOW_TRACKING_URI"]
    run_id = log_task(name, taken["data"], examined["card"], examined["counts"], flow_run_id, uri)
    return {
        **result,
        "status": "new" if taken["created"] else "unchanged",
        "card": examined["card"],
        "findings": examined["findings"],
        "mlflow_run_id": run_id,
        "seconds": {**seconds, "examine": examined["seconds"]},
    }


@contextlib.contextmanager
def alone(name: str, journal: Journal, *, wait: bool) -> Any:
    """Hold the scenario for this ingestion. Raises PolyloomError where another has it and `wait` is False."""

    def busy() -> None:
        if not wait:
            raise PolyloomError(
                f"{name} is being ingested by another run, and --no-wait was given. Nothing was read; try again later."
            )
        journal.log(f"waiting: {name} is being ingested by another run")

    with locked(home() / "locks" / f"ingest-{name}", waiting=busy):
        # A training run ingests too, and holds only the store's own lock.
        with locked(home() / "snapshots" / f".{name}.lock", waiting=busy):
            pass
        yield
