import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import processes, server

USER = """
import sys
from flows.server import prefect_server
with prefect_server() as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    yield tmp_path
    left = processes.read_record("prefect")
    if left is not None:
        processes.stop(left)


def start_user() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def end(user: subprocess.Popen[str]) -> None:
    user.communicate("\n", timeout=60)


def test_a_server_named_by_the_user_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://somewhere:4200/api")
    with server.prefect_server() as url:
        assert url == "http://somewhere:4200/api"


@pytest.mark.slow
def test_runs_share_one_server_and_the_last_one_stops_it(home: Path) -> None:
    """Two begin at once; one leaves; the other is killed with -9; a third reuses what it left, and stops it."""
    first, second = start_user(), start_user()
    url = first_line(first)
    assert first_line(second) == url
    running = processes.read_record("prefect")
    assert running is not None
    assert running.url == url
    assert running.keep is False

    end(first)
    assert running.alive()

    second.send_signal(signal.SIGKILL)
    second.communicate()
    assert running.alive()

    third = start_user()
    assert first_line(third) == url
    end(third)
    assert not running.alive()
    assert processes.read_record("prefect") is None
    assert (home / "prefect" / "prefect.db").exists()


def test_inside_the_block_prefect_and_children_talk_to_the_server(
    session_server: processes.Running, prefect_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import prefect.settings

    monkeypatch.setenv("POLYLOOM_HOME", str(prefect_home))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with server.prefect_server() as url:
        assert url == session_server.url
        assert os.environ["PREFECT_API_URL"] == url
        assert prefect.settings.PREFECT_API_URL.value() == url
    assert "PREFECT_API_URL" not in os.environ
    assert session_server.alive(), "a kept server outlives the runs that use it"


def test_a_release_waits_for_the_run_that_uses_the_server(
    session_server: processes.Running, prefect_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYLOOM_HOME", str(prefect_home))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with server.prefect_server():
        assert server.release_server() is False
        server.keep_server()
    assert session_server.alive()
