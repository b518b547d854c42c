"""Scenarios on a Prefect server: deploy one with its schedule, submit a run, look at runs."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from flows import settings
from flows.server import connected, running_server
from polyloom.errors import PolyloomError, RequestError
from polyloom.home import home

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.events import DeploymentTriggerTypes, TriggerTypes
    from prefect.flows import Flow
    from prefect.schedules import Schedule

ENTRYPOINTS = {
    "train": "flows.train.train",
    "ingest": "flows.ingestion_flow.ingest",
    "index": "flows.indexing.index_flow.index",
}
ENTRYPOINT = ENTRYPOINTS["train"]
POOL = "polyloom"
SOURCE_CHANGED = "polyloom.source.changed"
# What a run started by a worker must know, whatever shell the worker was started from.
HANDED_ON = ("POLYLOOM_DATA", "HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True)
class DeploymentRef:
    """A deployment on the server; `name` is `<flow>/<deployment>`, as `submit` takes it."""

    id: str
    name: str
    url: str


@dataclass(frozen=True)
class FlowRunView:
    """A flow run as it stands; `state` is Prefect's, in small letters: scheduled, running, completed, failed..."""

    id: str
    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    deployment: str | None


def deploy_scenario(
    given: str, *, flow: str = "train", schedule: str | None = None, pool: str = POOL
) -> dict[str, str | None]:
    """Register a flow of a scenario; returns what the command line shows.

    The flows `ingest` and `index` also run when `SOURCE_CHANGED` is emitted for the scenario's resource, by whoever
    fills a source.
    """
    from flows.scenario_file import load_data_scenario, load_scenario

    loaded = load_data_scenario(given) if flow == "ingest" else load_scenario(given)
    name, monitor = loaded.scenario.name, loaded.scenario.monitor
    schedule = schedule or monitor.schedule
    resource = source_resource(name) if flow in {"ingest", "index"} else None
    reference = deploy(
        scenario_path=loaded.path,
        name=name,
        schedule=schedule,
        timezone=monitor.timezone,
        pool=pool,
        entrypoint=ENTRYPOINTS[flow],
        resource=resource,
    )
    facts = {"id": reference.id, "name": reference.name, "url": reference.url, "schedule": schedule}
    return {**facts, "event": SOURCE_CHANGED if resource else None, "resource": resource}


def source_resource(scenario: str) -> str:
    """What an event is about that says that a source of the scenario has changed."""
    return f"polyloom.scenario.{scenario}"


def deploy(
    *,
    scenario_path: Path,
    name: str,
    schedule: str | None,
    timezone: str = "UTC",
    pool: str = POOL,
    entrypoint: str = ENTRYPOINT,
    parameters: Mapping[str, object] | None = None,
    interval_seconds: float | None = None,
    resource: str | None = None,
) -> DeploymentRef:
    """Register the flow for a scenario with its cron schedule; a second call replaces the first one's schedule.

    The flow gets `scenario`, the absolute path, and `parameters`. One run at a time: a run that falls due while
    another one goes on is cancelled, so that none pile up. With a `resource` the flow also runs when `SOURCE_CHANGED`
    is emitted for it; such a run waits for the one before, since it may have read the source too early.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment

    flow = _flow(entrypoint)
    busy = ConcurrencyLimitStrategy.ENQUEUE if resource else ConcurrencyLimitStrategy.CANCEL_NEW
    timing = _schedule(schedule, timezone=timezone, interval_seconds=interval_seconds)
    with _client() as client:
        _ensure_pool(client, pool)
    deployment = RunnerDeployment.from_entrypoint(
        entrypoint,
        name,
        schedules=[timing] if timing else [],
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=busy),
        triggers=_triggers(resource, name=f"{flow.name}/{name}"),
        parameters={"scenario": str(scenario_path.resolve()), **(parameters or {})},
        tags=["polyloom", name],
        work_pool_name=pool,
        job_variables=job_variables(_api_url()),
    )
    with connected(_api_url()):
        created = deployment.apply()
    return DeploymentRef(str(created), f"{flow.name}/{name}", f"{_page()}/deployments/deployment/{created}")


def job_variables(api_url: str) -> dict[str, object]:
    """What a run gets whatever shell its worker was started from; nothing for workers on other machines."""
    if urlsplit(api_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return {}
    given = {name: os.environ[name] for name in HANDED_ON if os.environ.get(name)}
    # With a command of its own a run skips the worker's workspace set-up, which imports Prefect once more.
    command = shlex.join([sys.executable, "-P", "-m", "prefect.engine"])
    return {"env": {**settings.environment(home(), os.environ), **given}, "command": command}


def submit(deployment: str, *, parameters: Mapping[str, object] | None = None) -> str:
    """Ask for a run of `<flow>/<deployment>` now; returns the flow run's id at once."""
    from prefect.exceptions import ObjectNotFound

    with _client() as client:
        try:
            found = client.read_deployment_by_name(deployment)
        except (ObjectNotFound, ValueError) as error:
            raise RequestError(
                f"there is no deployment {deployment!r} on {_api_url()}. 'polyloom deploy SCENARIO' registers one."
            ) from error
        return str(client.create_flow_run_from_deployment(found.id, parameters=dict(parameters or {})).id)


def flow_run_state(flow_run_id: str) -> FlowRunView:
    """One flow run as it stands."""
    from prefect.exceptions import ObjectNotFound

    with _client() as client:
        try:
            run = client.read_flow_run(UUID(flow_run_id))
        except (ObjectNotFound, ValueError) as error:
            raise RequestError(f"there is no flow run {flow_run_id!r} on {_api_url()}") from error
        return _views(client, [run])[0]


def recent_flow_runs(limit: int = 20) -> list[FlowRunView]:
    """The latest flow runs that have begun or are due, newest first; not the ones planned for later."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    due = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)))
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    with _client() as client:
        return _views(client, client.read_flow_runs(flow_run_filter=due, sort=newest, limit=limit))


def _flow(entrypoint: str) -> "Flow[..., object]":
    """The flow at `package.module.name`."""
    from prefect.flows import Flow
    from prefect.utilities.importtools import import_object

    if ":" in entrypoint or "/" in entrypoint or "." not in entrypoint:
        raise RequestError(f"{entrypoint!r} is not a module entry point; write it as 'package.module.flow'")
    try:
        found = import_object(entrypoint)
    except (ImportError, AttributeError) as error:
        raise RequestError(f"no flow can be imported from {entrypoint!r}: {error}") from error
    if not isinstance(found, Flow):
        raise RequestError(f"{entrypoint!r} is a {type(found).__name__}, not a Prefect flow")
    return found


def _schedule(cron: str | None, *, timezone: str, interval_seconds: float | None) -> "Schedule | None":
    from prefect.schedules import Cron, Interval

    if interval_seconds is not None:
        return Interval(interval_seconds, timezone=timezone)
    if cron is None:
        return None
    try:
        return Cron(cron, timezone=timezone)
    except ValueError as error:
        raise RequestError(
            f"monitor.schedule: {cron!r} in {timezone!r} is not a cron schedule ({error}). "
            "It has five fields, as in '0 3 * * *'."
        ) from error


def _triggers(resource: str | None, *, name: str) -> list["DeploymentTriggerTypes | TriggerTypes"]:
    from prefect.events import DeploymentEventTrigger

    if resource is None:
        return []
    about = {"prefect.resource.id": resource}
    return [DeploymentEventTrigger(name=f"{name} on change", expect={SOURCE_CHANGED}, match=about)]


def _ensure_pool(client: "SyncPrefectClient", pool: str) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(pool)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))
        except ObjectAlreadyExists:
            return


def _views(client: "SyncPrefectClient", runs: Sequence["FlowRun"]) -> list[FlowRunView]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    ids = sorted({run.deployment_id for run in runs if run.deployment_id})
    found = client.read_deployments(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=ids))) if ids else []
    names = {deployment.id: deployment.name for deployment in found}
    return [
        FlowRunView(
            id=str(run.id),
            name=run.name,
            state=run.state_type.value.lower() if run.state_type else "unknown",
            started=run.start_time,
            ended=run.end_time,
            deployment=names.get(run.deployment_id) if run.deployment_id else None,
        )
        for run in runs
    ]


@contextmanager
def _client() -> Iterator["SyncPrefectClient"]:
    import httpx
    from prefect.client.orchestration import SyncPrefectClient

    try:
        with SyncPrefectClient(_api_url()) as client:
            yield client
    except httpx.TransportError as error:
        raise PolyloomError(
            f"the Prefect server at {_api_url()} does not answer ({error}). 'polyloom up' starts one here."
        ) from error


def _api_url() -> str:
    given = os.environ.get("PREFECT_API_URL")
    local = None if given else running_server()
    url = local.url if local else given
    if not url:
        raise RequestError("no Prefect server runs here: 'polyloom up' starts one, or PREFECT_API_URL names another")
    return url


def _page() -> str:
    return _api_url().removesuffix("/").removesuffix("/api")
