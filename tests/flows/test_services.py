import contextlib
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from flows import processes, services
from polyloom.errors import PolyloomError, RequestError
from tests.support.small_bundle import release_small_bundle


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    yield tmp_path
    services.down()


def test_an_unknown_service_is_told() -> None:
    with pytest.raises(RequestError, match=r"'mlfow' is not a service; .* Did you mean 'mlflow'\?"):
        services.up(["mlfow"])


def test_nothing_runs_at_first_and_nothing_is_stopped() -> None:
    assert {state.name: state.state for state in services.status()} == dict.fromkeys(services.NAMES, "stopped")
    assert services.down() == []


def test_servers_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect:4200/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    states = services.up(["prefect", "mlflow"])
    assert [(state.name, state.state, state.url) for state in states] == [
        ("prefect", "external", "http://prefect:4200/api"),
        ("mlflow", "external", "http://mlflow:5000"),
    ]


@contextlib.contextmanager
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """MLflow's usual port, with another program on it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setitem(services.TABLE, "mlflow", replace(services.TABLE["mlflow"], port=port))
        monkeypatch.setitem(services.PORTS, "mlflow", port)
        yield port


@pytest.mark.slow
def test_mlflow_goes_up_once_and_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with taken_port(monkeypatch) as port:
        [state] = services.up(["mlflow"])
    assert state.state == "running"
    assert state.note.startswith(f"port {port} is taken by another program; using ")
    assert state.url is not None
    assert state.url.startswith("http://127.0.0.1:")
    assert (home / "mlflow.db").exists()
    assert services.up(["mlflow"])[0].pid == state.pid

    [stopped] = services.down()
    assert (stopped.name, stopped.state, stopped.pid) == ("mlflow", "stopped", state.pid)
    assert state.pid is not None
    assert processes.born(state.pid) is None
    assert services.status()[2].state == "stopped"


def test_a_service_that_cannot_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(services.TABLE["mlflow"], command=lambda _: [sys.executable, "-c", "raise SystemExit('no store')"])
    monkeypatch.setitem(services.TABLE, "mlflow", broken)
    with pytest.raises(PolyloomError, match=r"(?s)mlflow ended while it started.*no store"):
        services.up(["mlflow"])
    assert services.status()[2].state == "stopped"


def test_a_missing_page_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.TABLE, "page", replace(services.TABLE["page"], command=lambda _: []))
    [state] = services.up(["page"])
    assert (state.state, state.note) == ("missing", "the code of 'page' is not installed here")


def test_a_reused_pid_is_stale_and_is_not_killed() -> None:
    other = processes.launch(
        "other", [sys.executable, "-c", "import time; time.sleep(60)"], port=1, url="", environment={}
    )
    processes.write_record(replace(other, name="mlflow", born="long ago"))
    assert services.status()[2].state == "stale"
    [state] = services.down(["mlflow"])
    assert (state.state, state.note) == ("stale", "its process was gone already; the record is removed")
    assert other.alive()
    assert services.status()[2].state == "stopped"
    processes.stop(other)


def test_the_api_is_up_once_there_is_a_champion_to_serve(home: Path) -> None:
    [state] = services.up(["api"])
    assert state.state == "missing"
    assert "next: polyloom run SCENARIO, then polyloom up api" in state.note
    release_small_bundle(home, name="support")
    [state] = services.up(["api"])
    assert (state.name, state.state) == ("api", "running")
    answer = httpx.post(f"{state.url}/v1/support/predict", json={"text": "Where is my parcel?"}, timeout=30)
    assert answer.json()["predictions"][0]["answers"]["topic"]["label"] == "delivery"
    [stopped] = services.down(["api"])
    assert (stopped.name, stopped.state) == ("api", "stopped")
