"""Local processes that outlive the command that started them: one record, one log and one process group each."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from polyloom.durable import read_json, write_json
from polyloom.errors import PolyloomError
from polyloom.home import home

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Running:
    """A started process. `born` tells it from another one that was given the same pid later."""

    name: str
    pid: int
    born: str
    port: int
    url: str
    log: str
    since: str
    keep: bool = True

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return born(self.pid) == self.born


def launch(
    name: str, command: Sequence[str], *, port: int, url: str, environment: Mapping[str, str], keep: bool = True
) -> Running:
    """Start a process in a session of its own, its output appended to `logs/<name>.log`."""
    log = log_path(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, **environment},
            cwd=log.parent,
        )
    # The process is meant to outlive this object, which must not warn about that.
    process.returncode = 0
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Running(name, process.pid, born(process.pid) or "", port, url, str(log), since, keep)


def born(pid: int) -> str | None:
    """When a process began, in the system's own words; None when it is gone or a zombie."""
    fields = _stat(pid)
    if fields is None:
        return None if _has_proc() else _born_by_ps(pid)
    return None if fields[0] in "ZX" else fields[19]


def _stat(pid: int) -> list[str] | None:
    """What Linux tells of a process from its state on (proc(5), `stat`, field 3); None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _born_by_ps(pid: int) -> str | None:
    said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return said.stdout.strip() or None


def stop(running: Running, *, grace_seconds: float = 10.0) -> bool:
    """End the whole process group, politely first; False when this process was gone already."""
    if not running.alive():
        return False
    _signal_group(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while running.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(running.pid, signal.SIGKILL)
    while group_alive(running.pid):
        time.sleep(0.02)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(running.pid, os.WNOHANG)
    return True


def group_alive(group: int) -> bool:
    """Whether any process of a group still runs; a zombie does not."""
    if _has_proc():
        stats = [_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
        members = [fields[0] for fields in stats if fields and int(fields[2]) == group]
    else:
        told = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
        pairs = [line.split(maxsplit=1) for line in told.stdout.splitlines()]
        members = [state for found, state in pairs if int(found) == group]
    return any(state[0] not in "ZX" for state in members)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def wait_healthy(running: Running, path: str, *, timeout_seconds: float) -> None:
    """Wait until the process answers 200 on `path`. Raises PolyloomError with its log's end when it dies first."""
    deadline = time.monotonic() + timeout_seconds
    while not healthy(running.port, path):
        if not running.alive():
            raise PolyloomError(f"{running.name} ended while it started. Its log {running.log} ends:\n{tail(running)}")
        if time.monotonic() > deadline:
            stop(running)
            raise PolyloomError(
                f"{running.name} did not answer on {running.url} within {timeout_seconds:.0f} s and was stopped. "
                f"Its log {running.log} ends:\n{tail(running)}"
            )
        time.sleep(0.1)


def healthy(port: int, path: str, *, timeout_seconds: float = 2.0) -> bool:
    """Whether a local server answers 200 on `path`; no proxy is ever asked."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tail(running: Running, *, lines: int = 12) -> str:
    """The last lines of a process's log."""
    log = Path(running.log)
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def pick_port(preferred: int | None = None) -> int:
    """`preferred` when it is free on loopback, else any free port."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return int(probe.getsockname()[1])
    raise PolyloomError(f"no free port on {LOOPBACK}: stop some local servers and try again")


def log_path(name: str) -> Path:
    """Where a process's output goes."""
    return home() / "logs" / ("prefect-server.log" if name == "prefect" else f"{name}.log")


def record_path(name: str) -> Path:
    """Where a started process is recorded."""
    return home() / "services" / f"{name}.json"


def write_record(running: Running) -> None:
    """Record a started process for the commands that come later."""
    write_json(record_path(running.name), asdict(running))


def read_record(name: str) -> Running | None:
    """The recorded process, which may be dead by now; None when there is no readable record."""
    try:
        return Running(**read_json(record_path(name)))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def forget_record(name: str) -> None:
    """Remove a process's record."""
    record_path(name).unlink(missing_ok=True)
