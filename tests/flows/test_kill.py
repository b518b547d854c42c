"""`kill -9` at random moments: the same command again ends as if nothing had happened.

Guards the promises of the README: no half snapshot, bundle or index, one MLflow run, the same figures.
"""

import random

import pytest

from benchmarks import kill_runs
from benchmarks.kill_runs import disturb, events, finish, run_states, write_job
from tests.support.command_line import QUIET, state
from tests.support.forked_runs import ForkedRun
from tests.support.mlflow_store import copy_store, template

pytestmark = pytest.mark.slow
KILLS = 3


@pytest.fixture
def environments(tmp_path, tmp_path_factory, session_server):
    """Two state folders on the session's Prefect server: an undisturbed one and one whose runs are killed."""

    def make(name):
        home = tmp_path / name
        home.mkdir()
        uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
        return {**state(home, server=session_server.url, mlflow=uri), **QUIET}

    return make("undisturbed"), make("killed")


@pytest.fixture
def start(monkeypatch, polyloom_home):
    """The benchmark's runs, forked: five times the imports were two thirds of this test's time."""
    polyloom_home.mkdir()

    def start(scenario, environment):
        overrides = [word for setting in kill_runs.SETTINGS for word in ("--set", setting)]
        words = ["run", str(scenario), *overrides, "--json"]
        return ForkedRun(words, environment=environment, folder=scenario.parent)

    monkeypatch.setattr(kill_runs, "start", start)
    return start


def test_killed_runs_end_like_an_undisturbed_one(tmp_path, environments, start):
    quiet, killed = environments
    scenario = write_job(tmp_path)
    undisturbed = finish(start(scenario, quiet))
    last_event = events(tmp_path / "undisturbed")

    survived = disturb(scenario, killed, kills=KILLS, last_event=last_event, seed=random.randrange(1000))

    assert survived.kills >= 1
    assert survived.broken == []
    (result,) = survived.finished
    assert result["metrics"] == undisturbed["metrics"]
    assert result["release"]["digest"] == undisturbed["release"]["digest"]
    assert run_states(killed["MLFLOW_TRACKING_URI"]) == ["FINISHED"]
