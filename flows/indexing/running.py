"""`polyloom index SCENARIO update`: nothing at all when nothing changed, else the flow on a local Prefect server."""

import os
from collections.abc import Sequence
from typing import Any

from flows import settings
from flows.asking import open_release
from flows.indexing.health import status
from flows.indexing.uses import is_stale
from flows.ingested import ingestion_digest, recall
from flows.interrupted import close_interrupted
from flows.scenario_file import load_data_scenario
from flows.server import prefect_server
from polyloom.home import home
from polyloom.progress import Progress

Result = dict[str, Any]


def update_scenario_index(given: str, *, overrides: Sequence[str], progress: Progress) -> Result:
    """Bring the champion's index in step with the sources, and return what changed; without a change no flow starts."""
    settings.apply()
    # The command line says what went wrong itself; Prefect keeps the trace with the flow run.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    loaded = load_data_scenario(given, overrides=overrides)
    name = loaded.scenario.name
    runtime = open_release(name)
    now = status(runtime)
    known = recall(name, ingestion_digest(loaded))
    if known is not None and known["snapshot"]["id"] == now["snapshot"] and not is_stale(runtime, now["snapshot"]):
        return unchanged(known, now)
    with prefect_server(progress=progress):
        from flows.indexing.index_flow import index

        close_interrupted(home(), name)
        result: Result = index(str(loaded.path), list(overrides))
        return result


def unchanged(known: Result, now: Result) -> Result:
    """What there is to say when the sources are as the index knows them."""
    counts: dict[str, Any] = {"new": 0, "changed": 0, "gone": 0, "same": now["items"], "embedded": {}}
    return {
        "scenario": now["scenario"],
        "snapshot": known["snapshot"],
        **counts,
        "number": now["state"],
        "items": now["items"],
        "status": "unchanged",
        "release": now["release"],
        "rebuilt": None,
        "uses": {},
        "seconds": {},
    }
