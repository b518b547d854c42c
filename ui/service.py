"""All that the pages may call: what is released, what it answers, what runs. Nothing here makes or trains anything."""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import settings
from flows.releasing import approve_release, refuse_release
from flows.scenario_file import read_yaml, shipped_scenarios
from heads.answers import Answer, Part
from heads.explanation import Evidence, Explanation, KnownRow
from polyloom.durable import read_json
from polyloom.errors import FilterError, IntegrityError, PolyloomError, RegistryError, RequestError, ScenarioError
from polyloom.home import home
from releases.changes import CHAMPION, Change
from releases.exploring_report import ExposureReport
from releases.mlflow_store import sqlite_file
from releases.promise import Promise
from releases.registry import SCENARIO_NAME, Registered, Registry
from releases.runtime import Runtime
from retrieval.answering.asking import Answered
from retrieval.answering.candidates import Citation
from retrieval.exploring.judging import Judged
from ui.asking import (
    Choice,
    Found,
    Inputs,
    Item,
    Predicted,
    Results,
    check_picture,
    explain,
    filter_example,
    inputs_of,
    items_of,
    predict,
    search,
    seen_picture,
)
from ui.following import (
    Links,
    RunView,
    StageView,
    find_run,
    known_runs,
    links_of,
    metric_series,
    prefect_url,
    submit_run,
    waiting_state,
)
from ui.serving import Kept, ServedScenario, Serving, kept_predictions, server_url, serving
from ui.uses import Explored, Offered, ask, explore, explores, exposures, feedback, recommend, users

__all__ = [
    "Answer",
    "Answered",
    "Change",
    "Choice",
    "Citation",
    "Evidence",
    "Explanation",
    "Explored",
    "ExposureReport",
    "FilterError",
    "Found",
    "Inputs",
    "Item",
    "Judged",
    "Kept",
    "KnownRow",
    "Links",
    "Offered",
    "Overview",
    "Part",
    "PolyloomError",
    "Predicted",
    "Registered",
    "ReleaseFacts",
    "RequestError",
    "Results",
    "RunView",
    "Runtime",
    "ServedScenario",
    "Serving",
    "StageView",
    "approve",
    "ask",
    "champion",
    "check_picture",
    "explain",
    "explore",
    "explores",
    "exposures",
    "feedback",
    "filter_example",
    "find_run",
    "history",
    "inputs_of",
    "items_of",
    "kept_predictions",
    "known_runs",
    "links_of",
    "metric_series",
    "open_release",
    "overview",
    "overviews",
    "predict",
    "prefect_url",
    "promise",
    "recommend",
    "refuse",
    "release_facts",
    "scenario_names",
    "search",
    "seen_picture",
    "server_url",
    "serving",
    "state_folder",
    "submit_run",
    "users",
    "versions",
    "waiting",
    "waiting_state",
]

FIRST = ("shop", "support")


@dataclass(frozen=True)
class ReleaseFacts:
    """What a bundle says about itself; `metrics` is task -> metric -> value, `items` None without an index.

    `uses` are what the index is for beside searches: `recommend`, `answer`.
    """

    title: str
    tasks: tuple[str, ...]
    metrics: dict[str, dict[str, float]]
    gate: str | None
    items: int | None
    card: str
    snapshot: dict[str, Any]
    pictures: tuple[Path, ...]
    uses: tuple[str, ...] = ()

    @property
    def headline(self) -> tuple[str, float] | None:
        """The gate's metric and its value on the test rows; without one, the first task's first."""
        task, _, metric = (self.gate or "").partition(".")
        if metric in self.metrics.get(task, {}):
            return f"{task}.{metric}", self.metrics[task][metric]
        every = [(f"{task}.{metric}", value) for task, own in self.metrics.items() for metric, value in own.items()]
        return every[0] if every else None


@dataclass(frozen=True)
class Overview:
    """One application at a glance; `problem` says why its champion cannot be used."""

    name: str
    title: str
    description: str
    is_shipped: bool
    release: Registered | None
    facts: ReleaseFacts | None
    problem: str | None
    last_run: RunView | None


def state_folder() -> Path:
    """Where all state lies."""
    return home()


def scenario_names() -> list[str]:
    """Every scenario that left something here, and every shipped one."""
    left = [home().glob("releases/*/"), home().glob("journal/*/"), (path for path in home().glob("ledger/*.jsonl"))]
    names = {path.stem for paths in left for path in paths} | shipped_scenarios().keys()
    ordered = sorted(name for name in names if SCENARIO_NAME.fullmatch(name))
    return sorted(ordered, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))


def overviews() -> list[Overview]:
    """Every known application, those with a release first."""
    found = [overview(name) for name in scenario_names()]
    return sorted(found, key=lambda each: each.release is None)


def overview(name: str) -> Overview:
    """One application; what is wrong with its release becomes `problem`."""
    release, facts, problem = None, None, None
    try:
        release = champion(name)
        facts = release_facts(release.path) if release else None
    except PolyloomError as error:
        problem = str(error)
    title, description = _shipped_words(name)
    return Overview(
        name=name,
        title=facts.title if facts else title,
        description=description,
        is_shipped=name in shipped_scenarios(),
        release=release,
        facts=facts,
        problem=problem,
        last_run=next(iter(known_runs(name, limit=1)), None),
    )


def champion(scenario: str) -> Registered | None:
    """The release that answers for a scenario; None when nothing was released yet.

    Raises RegistryError when the registry cannot be read, IntegrityError when the bundle is gone.
    """
    registry = _registry()
    if registry is None:
        return None
    with _readable_registry():
        return registry.resolve(scenario, CHAMPION) if registry.versions(scenario) else None


def versions(scenario: str) -> list[Registered]:
    """Every release of a scenario, newest first."""
    registry = _registry()
    if registry is None:
        return []
    with _readable_registry():
        return registry.versions(scenario)


def history(scenario: str) -> list[Change]:
    """Who moved which alias and why, newest first."""
    registry = _registry()
    if registry is None:
        return []
    with _readable_registry():
        return registry.history(scenario)[::-1]


def waiting(scenario: str) -> Change | None:
    """The change by which a version waits for a person's approval; None when none does."""
    registry = _registry()
    if registry is None:
        return None
    with _readable_registry():
        return registry.waiting(scenario)


def approve(scenario: str, version: str, *, who: str, why: str) -> str:
    """Make a version that waits champion; returns what came of it. Raises RequestError, RegistryError."""
    with _readable_registry():
        return approve_release(scenario, version, who=_given(who, "name"), why=_given(why, "reason"))


def refuse(scenario: str, version: str, *, who: str, why: str) -> str:
    """Let a version wait no more; returns what came of it. Raises RequestError."""
    with _readable_registry():
        return refuse_release(scenario, version, who=_given(who, "name"), why=_given(why, "reason"))


def _given(text: str, what: str) -> str:
    if not text.strip():
        raise RequestError(f"The {what} is empty. Give a name and a reason: the ledger keeps who decided, and why.")
    return text.strip()


def open_release(release: Registered) -> Runtime:
    """Verify and open a release. Raises IntegrityError naming the file that is not as it was sealed."""
    runtime = Runtime.open(
        release.path, blobs=home() / "blobs", digest=release.digest, indexes=home() / "indexes" / release.scenario
    )
    if runtime.searchable:
        runtime.searcher.fields  # noqa: B018 - the index is opened now, not under the first question
    return runtime


def promise(runtime: Runtime) -> Promise:
    """From where on a release answers, what it promises of its answers, and whether that holds."""
    return runtime.promise


def release_facts(bundle: Path) -> ReleaseFacts:
    """What a bundle says about itself, without opening it. Raises IntegrityError naming an unreadable file."""
    application = _json(bundle / "application.json")
    scenario = _json(bundle / "scenario.json")
    try:
        return ReleaseFacts(
            title=application["title"],
            tasks=tuple(application["tasks"]),
            metrics={task: _numbers(own) for task, own in _json(bundle / "metrics.json").items()},
            gate=(scenario.get("gate") or {}).get("metric"),
            items=_item_count(bundle / "index" / "index.json") if application["index"] else None,
            card=(bundle / "card.md").read_text(encoding="utf-8"),
            snapshot=_json(bundle / "snapshot.json"),
            pictures=tuple(sorted((bundle / "pictures").glob("*.png"))),
            uses=tuple(use for use in ("recommend", "answer") if application.get(use)),
        )
    except (KeyError, AttributeError) as error:
        raise IntegrityError(f"{bundle / 'application.json'} does not say what this release is: {error}.") from error
    except OSError as error:
        raise IntegrityError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _registry() -> Registry | None:
    """The registry; None while there is none, because opening MLflow's database would make one."""
    uri = settings.environment(home(), os.environ)["MLFLOW_TRACKING_URI"]
    database = sqlite_file(uri)
    return None if database is not None and not database.is_file() else _opened(uri, home() / "ledger")


@functools.lru_cache(maxsize=8)
def _opened(tracking_uri: str, ledger_folder: Path) -> Registry:
    return Registry(tracking_uri, ledger_folder)


@contextlib.contextmanager
def _readable_registry() -> Iterator[None]:
    """MLflow's own errors as ours, which the pages show as a sentence."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise RegistryError(f"The MLflow registry cannot be read: {first}. See 'polyloom doctor'.") from error


def _shipped_words(name: str) -> tuple[str, str]:
    """Title and description in the shipped scenario of that name; the name itself where there is none."""
    path = shipped_scenarios().get(name)
    if path is None:
        return name, ""
    try:
        raw = read_yaml(path)
    except ScenarioError as error:
        return name, str(error)
    return str(raw.get("title", name)), str(raw.get("description", ""))


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are one number; of a figure with an interval, its value."""
    values = {
        name: value["value"] if isinstance(value, dict) and "value" in value else value
        for name, value in figures.items()
    }
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _json(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing. Fetch or build the bundle again.") from error
    except ValueError as error:
        raise IntegrityError(f"{path} is not what was released: {error}. Fetch or build the bundle again.") from error


def _item_count(path: Path) -> int:
    """How many items the index that a release was sealed with holds."""
    try:
        return int(sum(part["count"] for part in _json(path)["parts"]))
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{path} does not say what it holds. Fetch or build the bundle again.") from error
