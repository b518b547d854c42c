"""A real PostgreSQL on loopback for the tests that ask: started once a session, with a fresh database for each."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
UNPRIVILEGED = ("postgres", "nobody")
PASSWORD = "s3cret/of:the@test"
START_SECONDS = 60


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """The address of a server's first database; skips where PostgreSQL is not installed."""
    initdb = shutil.which("initdb") or next((str(place / "initdb") for place in BINARIES), None)
    if initdb is None:
        pytest.skip("the binaries of PostgreSQL are not installed")
    # Not under pytest's folder: another user could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="polyloom-postgres-"))
    user = _user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        yield from _running(Path(initdb).parent, folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: sa.URL) -> Iterator[sa.URL]:
    """The address of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    server = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres_server.set(database=name)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _running(binaries: Path, folder: Path, user: pwd.struct_passwd | None) -> Iterator[sa.URL]:
    password_file, data = folder / "password", folder / "data"
    password_file.write_text(PASSWORD)
    password_file.chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
    # fsync=off: nothing here has to survive.
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    commands = (
        [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "owner",
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ],
        [binaries / "pg_ctl", "-D", data, "-w", "-t", str(START_SECONDS), "-l", folder / "log", "-o", options, "start"],
    )
    for command in commands:
        subprocess.run(
            command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=2 * START_SECONDS, **identity
        )
    try:
        yield sa.URL.create("postgresql+psycopg", "owner", PASSWORD, "127.0.0.1", port, "postgres")
    finally:
        stop = [binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=True, cwd=folder, stdout=subprocess.DEVNULL, **identity)


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as; initdb refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    found = next((names[name] for name in UNPRIVILEGED if name in names), None)
    if found is None:
        pytest.skip("PostgreSQL does not run as root, and there is no unprivileged user")
    return found
