"""`kill -9` at random moments: the same command again ends as if nothing had happened.

Guards the promises of the README: no half snapshot, bundle or index, one MLflow run, the same figures.
"""

import random

import pytest

from benchmarks.kill_runs import disturb, events, finish, run_states, start, write_job
from tests.support.command_line import QUIET, state
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


def test_killed_runs_end_like_an_undisturbed_one(tmp_path, environments):
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
