"""One local Prefect server, shared by every run that needs one.

A user of the server holds a shared lock for as long as it uses it; whoever leaves last stops a server
that was started on demand. Starting and leaving happen under a second lock, so that two runs that begin
together start one server. A killed run leaves the server to the next run, which stops it at its own end.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from flows import processes, settings
from flows.processes import LOOPBACK, Running
from polyloom.durable import locked
from polyloom.errors import PolyloomError
from polyloom.home import home
from polyloom.progress import SILENT, Progress

NAME = "prefect"
HEALTH = "/api/health"
ATTEMPTS = 3


@contextlib.contextmanager
def prefect_server(*, progress: Progress = SILENT) -> Iterator[str]:
    """The API URL of a running Prefect server: `PREFECT_API_URL`, else our local one, started when there is none.

    Inside the block Prefect, imported or not yet, talks to that server.
    """
    given = os.environ.get("PREFECT_API_URL")
    if given:
        yield given
        return
    settings.apply()
    with _users_lock() as users:
        with _changing():
            fcntl.flock(users, fcntl.LOCK_SH)
            server = running_server() or start_server(keep=False, progress=progress)
        try:
            with connected(server.url):
                yield server.url
        finally:
            _leave(users)


@contextlib.contextmanager
def connected(url: str) -> Iterator[None]:
    """Point Prefect, this process and its children at a server for as long as the block runs."""
    before = os.environ.get("PREFECT_API_URL")
    os.environ["PREFECT_API_URL"] = url
    try:
        with _prefect_settings(url):
            yield
    finally:
        _flush()
        if before is None:
            os.environ.pop("PREFECT_API_URL", None)
        else:
            os.environ["PREFECT_API_URL"] = before


def running_server() -> Running | None:
    """The recorded local server when it is alive and answers, else None."""
    server = processes.read_record(NAME)
    if server is None or not server.alive():
        return None
    return server if processes.healthy(server.port, HEALTH, timeout_seconds=10.0) else None


def keep_server(*, port: int | None = None, progress: Progress = SILENT) -> Running:
    """The local server, marked to stay until `release_server`; started on `port` when there is none."""
    with _changing():
        server = running_server() or start_server(keep=True, port=port, progress=progress)
        kept = replace(server, keep=True)
        processes.write_record(kept)
        return kept


def release_server() -> bool:
    """Stop the local server, or leave it to the last run that uses it; True when it was stopped now."""
    with _users_lock() as users, _changing():
        server = processes.read_record(NAME)
        if server is None:
            return False
        processes.write_record(replace(server, keep=False))
        return _stop_unused(users)


def start_server(*, keep: bool, port: int | None = None, progress: Progress = SILENT) -> Running:
    """Start a server and wait until it answers; the caller holds the change lock."""
    abandoned = processes.read_record(NAME)
    if abandoned is not None:
        processes.stop(abandoned)
    first = not (home() / "prefect" / "prefect.db").exists()
    title = "Prefect server, first start" if first else "Prefect server"
    with progress.stage(title, total=None, unit="s"):
        for attempt in range(1, ATTEMPTS + 1):
            server = _launch(keep=keep, port=processes.pick_port(port))
            processes.write_record(server)
            try:
                processes.wait_healthy(server, HEALTH, timeout_seconds=settings.STARTUP_TIMEOUT_SECONDS)
            except PolyloomError as error:
                processes.forget_record(NAME)
                # Another program may have taken the free port between the look and the bind.
                if attempt == ATTEMPTS or "address already in use" not in str(error):
                    raise
            else:
                return server
    raise PolyloomError(f"no Prefect server after {ATTEMPTS} attempts; see {processes.log_path(NAME)}")


def _launch(*, keep: bool, port: int) -> Running:
    # uvicorn directly, as Prefect's own temporary server does: a second less than `prefect server start`.
    command = [
        sys.executable,
        "-P",
        "-m",
        "uvicorn",
        "--factory",
        "prefect.server.api.server:create_app",
        "--host",
        LOOPBACK,
        "--port",
        str(port),
        "--timeout-keep-alive",
        "5",
    ]
    environment = {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        # Four seconds of a first start, for blocks that no flow of ours uses.
        "PREFECT_API_BLOCKS_REGISTER_ON_START": str(keep).lower(),
    }
    url = f"http://{LOOPBACK}:{port}/api"
    return processes.launch(NAME, command, port=port, url=url, environment=environment, keep=keep)


def _leave(users: IO[bytes]) -> None:
    with _changing():
        fcntl.flock(users, fcntl.LOCK_UN)
        server = processes.read_record(NAME)
        if server is not None and not server.keep:
            _stop_unused(users)


def _stop_unused(users: IO[bytes]) -> bool:
    """Stop the recorded server unless somebody holds the users' lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    server = processes.read_record(NAME)
    stopped = server is not None and processes.stop(server)
    processes.forget_record(NAME)
    return stopped


@contextlib.contextmanager
def _users_lock() -> Iterator[IO[bytes]]:
    path = home() / "services" / "prefect.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        yield stream


def _changing() -> contextlib.AbstractContextManager[None]:
    return locked(home() / "services" / "prefect.change.lock")


def _prefect_settings(url: str) -> contextlib.AbstractContextManager[object]:
    if "prefect" not in sys.modules:
        return contextlib.nullcontext()
    from prefect.settings import PREFECT_API_URL, temporary_settings

    return temporary_settings({PREFECT_API_URL: url})


def _flush() -> None:
    """Hand over the log lines that Prefect still holds, while there is a server to take them."""
    if "prefect.logging.handlers" not in sys.modules:
        return
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
