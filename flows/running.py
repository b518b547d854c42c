"""`polyloom run`: nothing at all when nothing changed, else the flow on a local Prefect server."""

import os
from collections.abc import Sequence
from typing import Any

from flows import settings
from flows.interrupted import close_interrupted
from flows.scenario_file import load_scenario
from flows.server import prefect_server
from flows.stages.launched import dismiss, launched
from flows.unchanged import recall, request_digest
from flows.validation import check_before_work
from polyloom.home import home
from polyloom.progress import Progress

Result = dict[str, Any]


def run_or_help(given: str, *, overrides: Sequence[str], progress: Progress) -> Result | None:
    """Run a scenario; where a launcher started several processes, all but the first help it to fit and give None."""
    place = launched(os.environ)
    if place is None:
        return run_scenario(given, overrides=overrides, progress=progress)
    if place.follows:
        from flows.stages.follow import follow

        follow(place)
        return None
    try:
        return run_scenario(given, overrides=overrides, progress=progress)
    finally:
        dismiss(place)


def run_scenario(given: str, *, overrides: Sequence[str], progress: Progress) -> Result:
    """Run a scenario and return its summary; an unchanged one starts neither a flow nor an MLflow run."""
    settings.apply()
    # The command line says what went wrong itself; Prefect keeps the trace with the flow run.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    loaded = load_scenario(given, overrides=overrides)
    known = recall(loaded.scenario.name, request_digest(loaded))
    if known is not None:
        return known
    check_before_work(loaded)
    with prefect_server(progress=progress):
        from flows.train import train

        close_interrupted(home(), loaded.scenario.name)
        result: Result = train(str(loaded.path), list(overrides))
        return result
