"""One Prefect server for the whole test session: starting it on a fresh profile takes over ten seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import processes, server


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect-home")


@pytest.fixture(scope="session")
def session_server(prefect_home: Path) -> Iterator[processes.Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(prefect_home))
        patch.setenv("PREFECT_HOME", str(prefect_home / "prefect"))
        patch.delenv("PREFECT_API_URL", raising=False)
        running = server.keep_server()
    yield running
    processes.stop(running)


@pytest.fixture
def prefect_api(session_server: processes.Running) -> Iterator[str]:
    """The URL of the session's server; Prefect talks to it inside the test."""
    with server.connected(session_server.url):
        yield session_server.url
