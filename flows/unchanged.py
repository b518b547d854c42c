"""Whether a run would give again what is there already: asked before anything is read, embedded or trained."""

from pathlib import Path
from typing import Any

from flows.assembly import table_sources
from flows.scenario_file import LoadedScenario, load_scenario
from flows.teacher import teacher_digest
from ingestion.amendments import amendments_digest
from ingestion.fingerprint import source_fingerprint
from polyloom.durable import json_digest, read_json, write_json
from polyloom.errors import IntegrityError
from polyloom.home import home
from polyloom.version import code_version
from releases.bundle import verify
from releases.changes import champions
from releases.ledger import Ledger

Result = dict[str, Any]


def request_digest(loaded: LoadedScenario) -> str:
    """One hash over all that decides a run's result: the scenario, its sources' content, and the code."""
    return json_digest(
        {
            "scenario": deciding(loaded),
            "sources": source_fingerprint(table_sources(loaded.scenario, beside=loaded.path.parent)),
            "amendments": amendments_digest(home() / "snapshots" / loaded.scenario.name),
            "code": code_version(),
        }
    )


def unchanged_result(given: str) -> Result | None:
    """What `recall` finds for a scenario as it stands, by path or name."""
    loaded = load_scenario(given)
    return recall(loaded.scenario.name, request_digest(loaded))


def deciding(loaded: LoadedScenario) -> dict[str, Any]:
    """The scenario without what only says when it runs, and what `polyloom tune` and `techniques` try.

    Which bundle a teacher is decides too: an alias moves.
    """
    found = loaded.scenario.model_dump(mode="json", exclude={"monitor", "tune", "techniques"})
    distill = loaded.scenario.recipe.distill
    return found if distill is None else {**found, "teacher": teacher_digest(distill.teacher)}


def remember(scenario: str, request: str, result: Result) -> None:
    """Note what a request gave."""
    write_json(result_path(scenario, request), result)


def recall(scenario: str, request: str) -> Result | None:
    """The released result of the same request, when its bundle is whole and still champion; else None."""
    path = result_path(scenario, request)
    if not path.is_file():
        return None
    result: Result = read_json(path)
    if champion_version(scenario) != result["release"]["version"]:
        return None
    try:
        verify(Path(result["bundle"]), expected=result["release"]["digest"])
    except IntegrityError:
        return None
    return {**result, "status": "unchanged"}


def champion_version(scenario: str) -> str | None:
    """The champion's version by the ledger, which needs no registry to be read."""
    made = champions(Ledger(home() / "ledger" / f"{scenario}.jsonl"))
    return made[-1].version if made else None


def result_path(scenario: str, request: str) -> Path:
    """Where the result of a request is noted: each in its own place, so that a refused run hides none."""
    return home() / "runs" / scenario / "results" / f"{request}.json"
