"""Checks of the state folder, the data, the databases and the servers."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from flows.doctor.finding import Finding
from flows.services import ServiceState

LEAST_FREE_BYTES = 5 << 30
BUSY_SECONDS = 1.0
ANSWER_SECONDS = 5.0


def home_writable(home: Path) -> Finding:
    """The state folder can be made and written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as stream:
            stream.write(b"polyloom")
    except OSError as error:
        cure = "set POLYLOOM_HOME to a folder that you may write"
        return Finding("state folder", ok=False, found=f"{home}: {error.strerror}", cure=cure)
    return Finding("state folder", ok=True, found=str(home))


def disk_space(free_bytes: int, home: Path) -> Finding:
    """There is room for snapshots, exports and releases."""
    found = f"{free_bytes / (1 << 30):.1f} GB free under {home}"
    ok = free_bytes >= LEAST_FREE_BYTES
    return Finding("disk space", ok, found, "" if ok else "free at least 5 GB, or set POLYLOOM_HOME to a larger disk")


def database_lock(path: Path) -> Finding:
    """Nobody holds the write lock of an SQLite database for long."""
    check = f"lock of {path.name}"
    if not path.exists():
        return Finding(check, ok=True, found="no database yet")
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        holders = ", ".join(str(pid) for pid in lock_holders(path)) or "unknown"
        cure = f"end the process that holds it (pid {holders}), or wait until it is done"
        return Finding(check, ok=False, found=f"{path}: {error}", cure=cure)
    except sqlite3.DatabaseError as error:
        return Finding(check, ok=False, found=f"{path}: {error}", cure="restore it from a backup, or move it away")
    return Finding(check, ok=True, found="free")


def lock_holders(path: Path) -> list[int]:
    """The processes that hold a lock on a file or its write-ahead log, where the system tells."""
    table = Path("/proc/locks")
    if not table.exists():
        return []
    beside = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
    inodes = {str(each.stat().st_ino) for each in beside if each.exists()}
    rows = [line.split() for line in table.read_text().splitlines()]
    return sorted({int(row[4]) for row in rows if row[1] != "->" and row[5].rpartition(":")[2] in inodes})


def data_folder(environment: Mapping[str, str]) -> Finding:
    """`POLYLOOM_DATA`, when it is set, is a folder."""
    given = environment.get("POLYLOOM_DATA")
    if not given:
        return Finding("data folder", ok=True, found="POLYLOOM_DATA is not set: public data sets are downloaded")
    folder = Path(given).expanduser()
    if not folder.is_dir():
        cure = "set POLYLOOM_DATA to the folder that holds the data sets, or unset it"
        return Finding("data folder", ok=False, found=f"POLYLOOM_DATA is {given}, which is no folder", cure=cure)
    return Finding("data folder", ok=True, found=f"{given}, {sum(each.is_dir() for each in folder.iterdir())} folders")


def prefect_server(url: str | None) -> Finding:
    """The server that `PREFECT_API_URL` names answers."""
    check = "prefect server"
    if not url:
        return Finding(check, ok=True, found="PREFECT_API_URL is not set: a local server is started when one is needed")
    if not url.startswith(("http://", "https://")):
        return Finding(check, ok=False, found=url, cure="PREFECT_API_URL is an http address that ends in /api")
    cure = "start that server, or unset PREFECT_API_URL: a local one is started then"
    try:
        status = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS).status_code
    except httpx.HTTPError as error:
        return Finding(check, ok=False, found=f"{url}: {error}", cure=cure)
    ok = status == httpx.codes.OK
    return Finding(check, ok, f"{url} answers {status}", "" if ok else cure)


def services(states: Sequence[ServiceState]) -> Finding:
    """No service is recorded whose process is gone."""
    stale = [state.name for state in states if state.state == "stale"]
    if stale:
        found = f"{', '.join(stale)}: recorded, but the process is gone"
        cure = f"polyloom down, then read the log {_logs(states, stale)}"
        return Finding("services", ok=False, found=found, cure=cure)
    running = [state.name for state in states if state.state == "running"]
    return Finding("services", ok=True, found=f"running: {', '.join(running) or 'none'}")


def _logs(states: Sequence[ServiceState], names: Sequence[str]) -> str:
    return ", ".join(state.log for state in states if state.name in names and state.log)
