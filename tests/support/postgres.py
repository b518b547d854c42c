"""A PostgreSQL of one's own for a test: a private cluster in a temporary folder, on a Unix socket alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USERS = ("postgres", "nobody")


def binaries() -> Path | None:
    """The newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


@pytest.fixture(scope="module")
def postgres_uri() -> Iterator[str]:
    """The address of an empty database; skips where PostgreSQL, or its driver, is not installed."""
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # A socket's path may have some hundred characters: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    as_user = unprivileged(folder)
    data = folder / "data"
    run([*as_user, str(programs / "initdb"), "-D", str(data), "-U", "polyloom", "-A", "trust", "--no-sync"])
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data)]
    run([*control, "-w", "-l", str(folder / "log"), "-o", options, "start"])
    yield f"postgresql+psycopg://polyloom@/postgres?host={folder}"
    run([*control, "-m", "immediate", "stop"])
    shutil.rmtree(folder, ignore_errors=True)


def unprivileged(folder: Path) -> list[str]:
    """What a command begins with so that the folder's owner runs it: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in USERS if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def run(command: list[str]) -> None:
    """Run a program where its user may be; a server that it leaves behind holds no pipe of ours."""
    with tempfile.TemporaryFile("w+") as said:
        ended = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False, timeout=120
        )
        said.seek(0)
        assert ended.returncode == 0, said.read()
