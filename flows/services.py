"""`polyloom up`, `down` and `status`: the local services, as processes with a record and a log each."""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flows import processes, server, settings
from flows.processes import LOOPBACK, Running
from polyloom.durable import locked
from polyloom.errors import PolyloomError, RequestError, suggestion
from polyloom.home import home
from polyloom.progress import SILENT, Progress

POOL = "polyloom"
START_SECONDS = 120.0


@dataclass(frozen=True)
class ServiceState:
    """A service as it stands: running, starting, stopped, stale (its process is gone), external or missing."""

    name: str
    state: str
    pid: int | None = None
    url: str | None = None
    log: str | None = None
    since: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Service:
    """How a service is started, and how it shows that it works."""

    name: str
    port: int
    health: str
    command: Callable[[int], list[str]]
    environment: Callable[[int], dict[str, str]]


def up(services: Sequence[str] | None = None, *, progress: Progress = SILENT) -> list[ServiceState]:
    """Start the named services (all of them by default) that do not run yet, and wait until they answer."""
    settings.apply()
    wanted = _chosen(services)
    external = {name: url for name in wanted if (url := _external_url(name))}
    with locked(home() / "services" / "up.lock"):
        states = {name: ServiceState(name, "external", url=url) for name, url in external.items()}
        api = external.get("prefect") or _api_url(wanted, progress)
        begun = {name: _begin(name, api) for name in wanted if name not in external and name != "prefect"}
        for name, running in begun.items():
            states[name] = _missing(name) if running is None else _await(running, progress)
        if "prefect" in wanted and "prefect" not in states:
            states["prefect"] = replace(_state("prefect"), note=_port_note("prefect"))
        return [states[name] for name in wanted]


def down(services: Sequence[str] | None = None) -> list[ServiceState]:
    """Stop the named services (all of them by default); returns those that ran, each with what became of it."""
    with locked(home() / "services" / "up.lock"):
        ended = [_end(name) for name in reversed(_chosen(services))]
        return [state for state in ended if state is not None]


def status() -> list[ServiceState]:
    """Every service as it stands."""
    return [_external(name) or _state(name) for name in NAMES]


def _worker_command(_: int) -> list[str]:
    return _module(
        "prefect", "worker", "start", "--type", "process", "--pool", POOL, "--name", POOL, "--with-healthcheck"
    )


def _worker_environment(port: int) -> dict[str, str]:
    return {
        "PREFECT_WORKER_WEBSERVER_HOST": LOOPBACK,
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "5"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
    }


def _mlflow_command(port: int) -> list[str]:
    store = os.environ["MLFLOW_TRACKING_URI"]
    return _module(
        "mlflow",
        "server",
        "--host",
        LOOPBACK,
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        store,
        "--artifacts-destination",
        str(home() / "mlartifacts"),
    )


def _api_command(port: int) -> list[str]:
    from flows.serving_champions import champions

    if not champions():
        return []
    return _module("flows.cli", "serve", "--host", LOOPBACK, "--port", str(port))


def _page_command(port: int) -> list[str]:
    page = importlib.util.find_spec("ui.app")
    if page is None or page.origin is None:
        return []
    return _module(
        "streamlit",
        "run",
        page.origin,
        "--server.headless",
        "true",
        "--server.address",
        LOOPBACK,
        "--server.port",
        str(port),
        "--server.fileWatcherType",
        "none",
        "--browser.gatherUsageStats",
        "false",
    )


def _module(name: str, *arguments: str) -> list[str]:
    # -P: a file in the current folder must not be imported in place of a package.
    return [sys.executable, "-P", "-m", name, *arguments]


def _nothing(_: int) -> dict[str, str]:
    return {}


TABLE = {
    service.name: service
    for service in (
        Service("worker", 0, "/health", _worker_command, _worker_environment),
        Service("mlflow", 5000, "/health", _mlflow_command, _nothing),
        Service("api", 8000, "/ready", _api_command, _nothing),
        Service("page", 8501, "/_stcore/health", _page_command, _nothing),
    )
}
NAMES = ("prefect", *TABLE)
PORTS = {"prefect": 4200, **{name: service.port for name, service in TABLE.items()}}


def _chosen(services: Sequence[str] | None) -> list[str]:
    for name in services or ():
        if name not in NAMES:
            raise RequestError(f"{name!r} is not a service; there are {', '.join(NAMES)}.{suggestion(name, NAMES)}")
    return [name for name in NAMES if services is None or name in services]


def _api_url(wanted: list[str], progress: Progress) -> str | None:
    """The URL of the Prefect server, which is started when it is wanted or the worker needs it."""
    if not {"prefect", "worker"} & set(wanted):
        running = server.running_server()
        return running.url if running else None
    return server.keep_server(port=PORTS["prefect"], progress=progress).url


def _begin(name: str, api: str | None) -> Running | None:
    """Start a service unless it runs; None when its code is not installed."""
    recorded = processes.read_record(name)
    if recorded is not None and recorded.alive():
        return recorded
    service = TABLE[name]
    port = processes.pick_port(service.port)
    command = service.command(port)
    if not command:
        return None
    environment = {**service.environment(port), **({"PREFECT_API_URL": api} if api else {})}
    running = processes.launch(name, command, port=port, url=f"http://{LOOPBACK}:{port}", environment=environment)
    processes.write_record(running)
    return running


def _await(running: Running, progress: Progress) -> ServiceState:
    with progress.stage(running.name, total=None, unit="s"):
        try:
            processes.wait_healthy(running, TABLE[running.name].health, timeout_seconds=START_SECONDS)
        except PolyloomError:
            processes.forget_record(running.name)
            raise
    return replace(_state(running.name), note=_port_note(running.name))


def _port_note(name: str) -> str:
    """Say so when a service could not have its usual port."""
    running, usual = processes.read_record(name), PORTS[name]
    if running is None or usual in (0, running.port):
        return ""
    return f"port {usual} is taken by another program; using {running.port}"


def _missing(name: str) -> ServiceState:
    notes = {"api": "no scenario has a champion to serve yet; next: polyloom run SCENARIO, then polyloom up api"}
    return ServiceState(name, "missing", note=notes.get(name, f"the code of {name!r} is not installed here"))


def _end(name: str) -> ServiceState | None:
    running = processes.read_record(name)
    if running is None:
        return None
    before = _seen(running, "stopped")
    if not running.alive():
        processes.forget_record(name)
        return replace(before, state="stale", note="its process was gone already; the record is removed")
    if name != "prefect":
        processes.stop(running)
        processes.forget_record(name)
    elif not server.release_server():
        return replace(before, state="running", note="a run still uses it; it stops when that run ends")
    return before


def _state(name: str) -> ServiceState:
    running = processes.read_record(name)
    if running is None:
        return ServiceState(name, "stopped")
    if not running.alive():
        return _seen(running, "stale")
    health = server.HEALTH if name == "prefect" else TABLE[name].health
    return _seen(running, "running" if processes.healthy(running.port, health) else "starting")


def _seen(running: Running, state: str) -> ServiceState:
    url = running.url.removesuffix("/api")
    return ServiceState(running.name, state, running.pid, url, running.log, running.since)


def _external(name: str) -> ServiceState | None:
    url = _external_url(name)
    return None if url is None else ServiceState(name, "external", url=url)


def _external_url(name: str) -> str | None:
    """The address of a server that somebody else runs, when the standard variables name one."""
    if name == "prefect":
        return os.environ.get("PREFECT_API_URL") or None
    store = os.environ.get("MLFLOW_TRACKING_URI", "")
    return store if name == "mlflow" and store.startswith(("http://", "https://")) else None
