"""One Prefect server for the whole test session: starting it on a fresh profile takes over ten seconds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import processes, server
from polyloom.durable import locked
from tests.support.shared import shared_folder


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory) / "prefect-home"


@pytest.fixture(scope="session")
def session_server(prefect_home: Path) -> Iterator[processes.Running]:
    """The server, kept until the last worker that uses it has ended."""
    users = prefect_home / "users"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(prefect_home))
        patch.setenv("PREFECT_HOME", str(prefect_home / "prefect"))
        patch.delenv("PREFECT_API_URL", raising=False)
        with locked(prefect_home / "users.lock"):
            users.mkdir(exist_ok=True)
            (users / str(os.getpid())).touch()
            running = server.keep_server()
    yield running
    with locked(prefect_home / "users.lock"):
        (users / str(os.getpid())).unlink()
        if not any(users.iterdir()):
            processes.stop(running)


@pytest.fixture
def prefect_api(session_server: processes.Running) -> Iterator[str]:
    """The URL of the session's server; Prefect talks to it inside the test."""
    with server.connected(session_server.url):
        yield session_server.url
