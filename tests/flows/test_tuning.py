"""`polyloom tune`: trials on one snapshot, below one MLflow run, never twice; what was killed goes on."""

import sqlite3
import time
from pathlib import Path

import pytest

from flows import server
from flows.scenario_file import load_scenario
from flows.templates import write_scenario
from flows.tune_spec import Between
from flows.tuning.space import check_space, distributions, overrides_of, usual_space
from flows.tuning.trials import SECONDS, Trials
from polyloom.errors import ScenarioError
from tests.support.command_line import QUIET, inside, state
from tests.support.forked_runs import ForkedRun
from tests.support.mlflow_store import copy_store, template

SPACE = {"recipe.learning_rate": Between(low=1e-4, high=1.0, log=True), "recipe.batch_size": (4, 8, 16)}
slow = pytest.mark.slow
search = pytest.mark.filterwarnings("default")


@pytest.fixture
def place(tmp_path, tmp_path_factory, session_server):
    """A scenario of the template, its state folder and its environment."""
    home = tmp_path / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    path = write_scenario("reviews", folder=tmp_path)
    return path, home, {**state(home, server=session_server.url, mlflow=uri), **QUIET}


def ran(place, *words):
    path, _, environment = place
    with server.connected(environment["PREFECT_API_URL"]):
        ended = inside("tune", path, "--json", "--set", "recipe.epochs=3", *words, environment=environment)
    assert ended.code == 0, ended.err
    return ended.json


def trials(folder, **changed):
    given = {"space": SPACE, "objectives": ("metric",), "seed": 3, "prune": True}
    return Trials(folder, **{**given, **changed})


@slow
@search
def test_a_search_goes_on_with_more_trials_and_repeats_none(place):
    from mlflow.tracking import MlflowClient

    first = ran(place, "--trials", 3)
    assert [trial["trial"] for trial in first["trials"]] == [0, 1, 2]
    assert first["best"][0]["values"]["metric"] == max(trial["metric"] or 0 for trial in first["trials"])
    assert first["gain"]["low"] <= first["gain"]["value"] <= first["gain"]["high"]
    assert (Path(first["folder"]) / "course.png").stat().st_size > 1000
    second = ran(place, "--trials", 5)
    assert second["trials"][:3] == first["trials"]
    assert len(second["trials"]) == 5
    assert second["folder"] == first["folder"]
    client = MlflowClient(place[2]["MLFLOW_TRACKING_URI"])
    (experiment,) = [each for each in client.search_experiments() if each.name == "reviews"]
    runs = client.search_runs([experiment.experiment_id])
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == second["mlflow_run_id"]]
    assert len(below) == 5 + 1, "five trials and the scenario's own settings"
    assert {run.info.status for run in below} <= {"FINISHED", "KILLED"}
    by_rate = {run.data.params.get("recipe.learning_rate") for run in below}
    assert len(by_rate) == 6


@slow
@search
def test_a_search_that_was_killed_goes_on_and_finished_trials_stay(place, polyloom_home):
    path, home, environment = place
    polyloom_home.mkdir()
    words = ["tune", str(path), "--json", "--set", "recipe.epochs=3", "--trials", "4"]
    child = ForkedRun(words, environment=environment, folder=path.parent)
    before = finished_by(home, 2)
    child.kill()
    result = ran(place, "--trials", 4)
    assert len(result["trials"]) == 4
    assert before <= {trial["trial"] for trial in result["trials"] if trial["state"] != "failed"}
    assert len({str(trial["settings"]) for trial in result["trials"]}) == 4


def finished_by(home, count):
    """The numbers of the finished trials as soon as there are so many."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        for path in home.glob("tunings/reviews/*/trials.db"):
            try:
                with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
                    found = database.execute("SELECT number FROM trials WHERE state IN ('COMPLETE', 'PRUNED')")
                    numbers = {number for (number,) in found}
            except sqlite3.Error:
                continue
            if len(numbers) >= count:
                return numbers
        time.sleep(0.05)
    raise AssertionError("no trial ended")


@slow
@search
def test_metric_against_latency_gives_a_front(place):
    path, _, _ = place
    path.write_text(path.read_text() + "\ntune: {objectives: [metric, latency], trials: 2}\n")
    result = ran(place)
    assert set(result["own"]) == {"metric", "latency"}
    assert all(trial["latency"] > 0 for trial in result["trials"])
    assert 1 <= len(result["best"]) <= 2
    assert (Path(result["folder"]) / "front.png").is_file()


@slow
@search
def test_a_budget_of_no_time_tries_nothing_but_the_scenarios_own(place):
    result = ran(place, "--minutes", "0.0001")
    assert result["best"] == []
    assert result["gain"] is None
    assert result["own"]["metric"] > 0


def test_a_path_that_the_scenario_does_not_have_is_named(tmp_path):
    loaded = load_scenario(str(write_scenario("reviews", folder=tmp_path)))
    with pytest.raises(ScenarioError, match=r"tune.space.recipe.learning_speed: 1 is not possible here.*learning_rate"):
        check_space(loaded, {"recipe.learning_speed": (1, 2)}, [])
    with pytest.raises(ScenarioError, match=r"tune.space.fusion.dropout: 1.5 is not possible here"):
        check_space(loaded, {"fusion.dropout": Between(low=0.0, high=1.5)}, [])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{low: 1, high: 1}", "low is 1 and high is 1"),
        ("{low: 0, high: 1, log: true}", "with log it must be more than 0"),
        ("[1]", "tune.space"),
    ],
)
def test_ranges_that_are_none_are_refused(wrong, said, tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    with pytest.raises(ScenarioError, match=said):
        load_scenario(str(path), overrides=[f"tune.space={{recipe.epochs: {wrong}}}"])


@pytest.mark.parametrize("wrong", ["[latency]", "[latency, metric]", "[metric, metric]"])
def test_the_metric_is_the_first_objective(wrong, tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    with pytest.raises(ScenarioError, match=r"write \[metric\] or \[metric, latency\]"):
        load_scenario(str(path), overrides=[f"tune.objectives={wrong}"])


def test_the_usual_space_holds_the_scenarios_own_settings(tmp_path):
    scenario = load_scenario(str(write_scenario("reviews", folder=tmp_path))).scenario
    space = dict(usual_space(scenario))
    assert space["recipe.learning_rate"].low < scenario.recipe.learning_rate < space["recipe.learning_rate"].high
    assert "recipe.encoder_learning_rate" not in space, "no encoder is trained here"
    assert set(distributions(space)) == set(space)


def test_settings_are_written_as_yaml_reads_them(tmp_path):
    given = {"recipe.learning_rate": 0.0000123456, "recipe.batch_size": 16, "fusion.kind": "gated"}
    written = overrides_of(given)
    assert written == ["fusion.kind=gated", "recipe.batch_size=16", "recipe.learning_rate=1.23e-05"]
    recipe = load_scenario(str(write_scenario("reviews", folder=tmp_path)), overrides=written).scenario.recipe
    assert recipe.learning_rate == pytest.approx(1.23e-5)


def test_trials_that_were_given_up_are_not_the_best(tmp_path):
    made = trials(tmp_path)
    one, other = made.ask(), made.ask()
    other.report(9.0, 1)
    made.give_up(other)
    made.complete(one, [0.5])
    assert [trial.number for trial in made.best()] == [one.number]
    assert [trial.number for trial in made.finished()] == [0, 1]
    assert made.known(one.params).values == [0.5]
    assert made.known(other.params) is None


def test_what_was_half_done_comes_first_and_with_the_same_settings(tmp_path):
    made = trials(tmp_path)
    made.complete(made.ask(), [0.5])
    half = made.ask()
    half.set_user_attr(SECONDS, 12.5)
    again = trials(tmp_path)
    assert again.resume() == 1
    assert again.ask().params == half.params
    assert [trial.number for trial in again.finished()] == [0]
    assert again.seconds() == 12.5
    assert again.ask().params != half.params


def test_a_new_process_does_not_propose_the_same_again(tmp_path):
    made = trials(tmp_path)
    first = [made.ask() for _ in range(3)]
    for trial in first:
        made.complete(trial, [0.1])
    later = [trials(tmp_path).ask() for _ in range(1)]
    assert later[0].params not in [trial.params for trial in first]


def test_what_matters_is_found(tmp_path):
    made = trials(tmp_path)
    for _ in range(14):
        trial = made.ask()
        made.complete(trial, [float(trial.params["recipe.learning_rate"])])
    shares = made.importance()
    assert shares["recipe.learning_rate"] > shares["recipe.batch_size"]
    assert sum(shares.values()) == pytest.approx(1.0)
