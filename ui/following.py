"""What pages know about runs: journals under the state folder, and a Prefect server where one answers."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from flows import processes, server, settings
from flows.journal import journal_path
from flows.run_view import RunView, StageView, read_events, read_run, runs
from polyloom.home import home

__all__ = [
    "Links",
    "RunView",
    "StageView",
    "find_run",
    "known_runs",
    "links_of",
    "metric_series",
    "prefect_url",
    "submit_run",
    "waiting_state",
]

FLOW = "train"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
COUNTERS = {"epoch", "step"}


@dataclass(frozen=True)
class Links:
    """Addresses of the other pages that show a run; None where that server does not run."""

    prefect: str | None
    mlflow: str | None


def known_runs(scenario: str | None = None, *, limit: int = 20) -> list[RunView]:
    """The latest runs that left a journal, newest first."""
    return runs(home(), scenario)[:limit]


def find_run(scenario: str, run_id: str) -> RunView | None:
    """One run as it stands; None when it left no journal (yet)."""
    path = _journal(scenario, run_id)
    return read_run(path) if path else None


def metric_series(scenario: str, run_id: str) -> dict[str, list[float]]:
    """Every figure that the run wrote down more than once, in order, such as one an epoch."""
    path = _journal(scenario, run_id)
    series: dict[str, list[float]] = defaultdict(list)
    for event in read_events(path) if path else []:
        if event["kind"] == "metrics":
            for name, value in event["values"].items():
                series[name].append(value)
    return {name: values for name, values in series.items() if len(values) > 1 and name not in COUNTERS}


def links_of(run_id: str) -> Links:
    """Where else a run can be looked at."""
    api, mlflow = prefect_url(), processes.read_record("mlflow")
    page = api.removesuffix("/").removesuffix("/api") if api else None
    return Links(
        prefect=f"{page}/runs/flow-run/{run_id}" if page else None,
        mlflow=mlflow.url if mlflow and mlflow.alive() else None,
    )


def prefect_url() -> str | None:
    """The Prefect server that runs can be submitted to; None when none answers."""
    given = os.environ.get("PREFECT_API_URL")
    local = None if given else server.running_server()
    return given or (local.url if local else None)


def submit_run(scenario: str) -> str:
    """Ask the Prefect server for a run of the scenario's deployment now; returns its id.

    Raises PolyloomError when no server answers or the scenario is not deployed there.
    """
    settings.apply()
    from flows.deployments import submit

    return submit(f"{FLOW}/{scenario}")


def waiting_state(run_id: str) -> str:
    """The state of a submitted run that has no journal yet. Raises PolyloomError when no server knows it."""
    settings.apply()
    from flows.deployments import flow_run_state

    return flow_run_state(run_id).state


def _journal(scenario: str, run_id: str) -> Path | None:
    """The journal's file; names come from the address bar, so nothing but a plain name is looked up."""
    if not PLAIN_NAME.fullmatch(scenario) or not PLAIN_NAME.fullmatch(run_id):
        return None
    path = journal_path(home(), scenario, run_id)
    return path if path.is_file() else None
