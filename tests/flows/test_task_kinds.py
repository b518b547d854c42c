"""Tasks of several kinds over several tables, from rows to released answers."""

import pytest

from flows import server
from flows.scenario_file import load_scenario
from polyloom.errors import ScenarioError
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.opinions import write_opinions

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, session_server):
    """A way to run commands, the scenario, and its first run."""
    folder = tmp_path_factory.mktemp("opinions")
    home = folder / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    path = write_opinions(folder)
    return run, path, run("run", path, "--json")


def test_both_tasks_are_learned_from_their_own_tables(ran):
    _, _, ended = ran
    assert ended.code == 0, ended.err
    metrics = ended.json["metrics"]
    assert metrics["stars"]["r2"] > 0.8
    assert metrics["stars"]["rows"] > metrics["topic"]["rows"] > 0
    assert metrics["topic"]["accuracy"] == 1.0
    assert ended.json["status"] == "released"
    assert ended.json["gate"]["metric"] == "stars.r2"


def test_a_number_is_answered_with_its_interval(ran):
    run, _, _ = ran
    ended = run("predict", "opinions", "--text", "a superb thing, my sofa", "--json")
    (prediction,) = ended.json["predictions"]
    stars = prediction["answers"]["stars"]
    assert stars["value"] > 3.5
    assert stars["label"].startswith(f"{stars['value']:.4g} ± ")
    assert stars["probability"] == 0.9
    assert prediction["answers"]["topic"]["label"] == "goods"


def test_a_second_run_is_judged_against_the_first(ran):
    run, path, first = ran
    ended = run("run", path, "--set", "recipe.seed=9", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["gate"]["champion_value"] == pytest.approx(first.json["gate"]["challenger_value"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tasks.topic.rows=question", "tasks.topic.rows: 'question' is not there. Did you mean 'questions'?"),
        ("tasks.stars.target=topic", "tasks.stars.target: 'topic' is not there"),
        ("gate.metric=stars.accuracy", "gate.metric: 'accuracy' is not there"),
        ("recipe.sampling=0.5", "recipe.sampling: 0.5"),
        ("tasks.topic.kind=regression", "tasks.topic.target: 'topic' is declared as category; a regression learns"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, override, message):
    path = write_opinions(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=[override])
    assert message in str(caught.value)
