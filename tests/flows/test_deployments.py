import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from flows import deployments, processes, services
from polyloom.errors import PolyloomError, RequestError

SUPPORT = Path(__file__).parents[1] / "support"
ENTRYPOINT = "tiny_flow.tiny"


@pytest.fixture
def worker_home(prefect_home: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYLOOM_HOME", str(prefect_home))
    monkeypatch.setenv("PREFECT_HOME", str(prefect_home / "prefect"))
    monkeypatch.syspath_prepend(str(SUPPORT))
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    return prefect_home


@pytest.fixture
def worker(worker_home: Path) -> Iterator[services.ServiceState]:
    [state] = services.up(["worker"])
    yield state
    services.down(["worker"])


def test_an_entry_point_is_a_module(worker_home: Path, tmp_path: Path) -> None:
    def deploy(entrypoint: str, schedule: str | None = None) -> None:
        deployments.deploy(scenario_path=tmp_path, name="x", schedule=schedule, entrypoint=entrypoint)

    with pytest.raises(RequestError, match=r"'tiny_flow.py:tiny' is not a module entry point; write it as 'package"):
        deploy("tiny_flow.py:tiny")
    with pytest.raises(RequestError, match=r"no flow can be imported from 'tiny_flow.nothing'"):
        deploy("tiny_flow.nothing")
    with pytest.raises(RequestError, match=r"'os.path.join' is a function, not a Prefect flow"):
        deploy("os.path.join")
    with pytest.raises(RequestError, match=r"monitor.schedule: 'at noon' in 'UTC' is not a cron schedule"):
        deploy(ENTRYPOINT, "at noon")


def test_a_second_deploy_replaces_the_schedule(worker_home: Path, tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client

    def deploy(schedule: str | None) -> deployments.DeploymentRef:
        return deployments.deploy(
            scenario_path=tmp_path / "shop.yaml",
            name="shop",
            schedule=schedule,
            timezone="Asia/Shanghai",
            entrypoint=ENTRYPOINT,
            parameters={"line": "hello"},
        )

    first, second = deploy("0 3 * * *"), deploy("0 4 * * *")
    assert first == second
    assert first.name == "tiny/shop"
    assert first.url.endswith(f"/deployments/deployment/{first.id}")
    with get_client(sync_client=True) as client:
        stored = client.read_deployment(first.id)
        assert [str(each.schedule.cron) for each in stored.schedules] == ["0 4 * * *"]
        assert stored.schedules[0].schedule.timezone == "Asia/Shanghai"
        assert stored.entrypoint == ENTRYPOINT
        assert stored.parameters == {"scenario": str(tmp_path / "shop.yaml"), "line": "hello"}
        assert stored.global_concurrency_limit.limit == 1
        assert stored.concurrency_options.collision_strategy.value == "CANCEL_NEW"
        assert stored.job_variables["env"]["POLYLOOM_HOME"] == str(worker_home)
        assert stored.job_variables["command"].endswith(" -P -m prefect.engine")
        deploy(None)
        assert client.read_deployment(first.id).schedules == []


def test_workers_on_other_machines_keep_their_own_environment() -> None:
    assert deployments.job_variables("https://prefect.example.org/api") == {}


def test_unknown_names_are_told(worker_home: Path) -> None:
    with pytest.raises(RequestError, match=r"there is no deployment 'tiny/none' on .*'polyloom deploy SCENARIO'"):
        deployments.submit("tiny/none")
    with pytest.raises(RequestError, match=r"there is no flow run '7' on"):
        deployments.flow_run_state("7")


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(PolyloomError, match=r"does not answer .*'polyloom up' starts one here"):
        deployments.recent_flow_runs()


def test_no_server_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    with pytest.raises(RequestError, match=r"no Prefect server runs here: 'polyloom up' starts one"):
        deployments.recent_flow_runs()


@pytest.mark.slow
def test_a_real_worker_runs_what_is_scheduled_and_what_is_submitted(
    worker: services.ServiceState, worker_home: Path, tmp_path: Path
) -> None:
    assert worker.state == "running"
    [again] = services.up(["worker"])
    assert again.pid == worker.pid, "up is idempotent"

    scheduled, submitted = tmp_path / "scheduled.txt", tmp_path / "submitted.txt"
    deployments.deploy(scenario_path=scheduled, name="often", schedule=None, interval_seconds=10, entrypoint=ENTRYPOINT)
    now = deployments.deploy(scenario_path=submitted, name="now", schedule=None, entrypoint=ENTRYPOINT)
    run = deployments.submit(now.name, parameters={"scenario": str(submitted), "line": "asked"})

    # Nothing that is planned for later crowds out what has run.
    completed = wait_for(lambda: [view for view in deployments.recent_flow_runs(50) if done(view, "often")], count=2)
    assert all(isinstance(view.started, datetime) and isinstance(view.ended, datetime) for view in completed)
    assert len(scheduled.read_text().split()) >= 2

    wait_for(lambda: [view for view in [deployments.flow_run_state(run)] if done(view, "now")], count=1)
    assert submitted.read_text() == "asked\n"

    deployments.deploy(scenario_path=scheduled, name="often", schedule=None, entrypoint=ENTRYPOINT)
    [stopped] = services.down(["worker"])
    assert (stopped.name, stopped.pid, stopped.state) == ("worker", worker.pid, "stopped")
    assert services.down(["worker"]) == []
    assert processes.born(worker.pid) is None


def done(view: deployments.FlowRunView, deployment: str) -> bool:
    return view.deployment == deployment and view.state == "completed"


def wait_for(look, *, count: int, seconds: float = 200.0):
    deadline = time.monotonic() + seconds
    while len(found := look()) < count:
        assert time.monotonic() < deadline, (found, deployments.recent_flow_runs(20))
        time.sleep(0.5)
    return found
