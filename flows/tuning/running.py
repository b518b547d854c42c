"""`polyloom tune` on a local Prefect server."""

import os
from collections.abc import Sequence
from typing import Any

from flows import settings
from flows.scenario_file import load_scenario
from flows.server import prefect_server
from flows.validation import check_before_work
from flows.zero_shot import learns_nothing
from polyloom.errors import RequestError
from polyloom.progress import Progress


def tune_scenario(
    given: str, *, overrides: Sequence[str], limits: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Search for a scenario's settings; `limits` replace the section's own `trials` and `minutes`."""
    settings.apply()
    # The command line says what went wrong itself; Prefect keeps the trace with the flow run.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    loaded = load_scenario(given, overrides=overrides)
    check_before_work(loaded)
    if learns_nothing(loaded.scenario):
        raise RequestError(f"{loaded.scenario.name}: nothing is fitted here (zero_shot), so there is nothing to tune.")
    with prefect_server(progress=progress):
        from flows.tuning.search import tune

        result: dict[str, Any] = tune(str(loaded.path), list(overrides), limits)
        return result
