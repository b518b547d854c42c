"""`polyloom ingest`: nothing at all when nothing changed, else the flow on a local Prefect server."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flows import settings
from flows.ingested import ingestion_digest, recall
from flows.interrupted import close_interrupted
from flows.scenario_file import load_data_scenario
from flows.server import prefect_server
from polyloom.errors import PolyloomError, RequestError
from polyloom.home import home
from polyloom.progress import Progress

Result = dict[str, Any]


def ingest_scenario(given: str, *, overrides: Sequence[str], wait: bool, progress: Progress) -> Result:
    """Ingest a scenario and return what it gave; an unchanged one starts no flow."""
    settings.apply()
    # The command line says what went wrong itself; Prefect keeps the trace with the flow run.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    loaded = load_data_scenario(given, overrides=overrides)
    known = recall(loaded.scenario.name, ingestion_digest(loaded))
    if known is not None:
        return known
    with prefect_server(progress=progress):
        from flows.ingestion_flow import ingest

        close_interrupted(home(), loaded.scenario.name)
        result: Result = ingest(str(loaded.path), list(overrides), wait=wait)
        return result


def watch_scenario(
    given: str,
    *,
    overrides: Sequence[str],
    every_seconds: float,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Ingest, then look every so many seconds and ingest again when a source has changed and come to rest.

    A source that fails is told and tried again at its next change. Raises RequestError for an interval below a second.
    """
    if every_seconds < 1:
        raise RequestError(f"--every {every_seconds:g}: the shortest interval is 1 second.")
    done: str | None = None
    before = look(given, overrides)
    while not stop():
        now = look(given, overrides)
        # Written to a moment ago: the next look tells whether it is whole. Of a source elsewhere no look tells.
        if now is None or (now == before and now != done):
            done = now
            try:
                yield ingest_scenario(given, overrides=overrides, wait=True, progress=progress)
            except RequestError:
                raise
            except PolyloomError as error:
                progress.log(f"error: {error}")
        before = now
        time.sleep(every_seconds)


def look(given: str, overrides: Sequence[str]) -> str | None:
    """What decides a snapshot, as one hash; None where only reading the source tells."""
    return ingestion_digest(load_data_scenario(given, overrides=overrides))
