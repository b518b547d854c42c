"""`polyloom techniques` on a local Prefect server."""

import os
from collections.abc import Sequence
from typing import Any

from flows import settings
from flows.scenario_file import load_scenario
from flows.server import prefect_server
from flows.techniques.choice import Choice, baseline_overrides, chosen_techniques, limited
from flows.validation import check_before_work
from flows.zero_shot import learns_nothing
from polyloom.errors import RequestError
from polyloom.progress import Progress


def compare_techniques(
    given: str, *, overrides: Sequence[str], limits: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Compare a scenario's techniques; `limits` replace the section's own `only`, `seeds` and `minutes`."""
    settings.apply()
    # The command line says what went wrong itself; Prefect keeps the trace with the flow run.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    choice_of(given, overrides=overrides, limits=limits)
    with prefect_server(progress=progress):
        from flows.techniques.compare import compare

        result: dict[str, Any] = compare(given, list(overrides), limits)
        return result


def choice_of(given: str, *, overrides: Sequence[str], limits: dict[str, Any]) -> Choice:
    """What would be compared, without anything being fitted."""
    own = baseline_overrides(given, overrides)
    loaded = load_scenario(given, overrides=own)
    check_before_work(loaded)
    if learns_nothing(loaded.scenario):
        raise RequestError(
            f"{loaded.scenario.name}: nothing is fitted here (zero_shot), so there is nothing to compare."
        )
    return chosen_techniques(loaded, own, limited(loaded, limits))
