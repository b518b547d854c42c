"""`polyloom techniques`: every technique on the rows and seeds of the baseline, never fitted twice, no gain by luck."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows import server
from flows.scenario_file import load_scenario
from flows.stages.export import export_graphs
from flows.techniques.choice import baseline_overrides, chosen_techniques, overrides_of
from flows.techniques.ledger import GAIN, LOSS, LUCK, NONE, ledger_of, milliseconds
from flows.techniques.side_by_side import ROWS, graph_folders, keep_reference, pace
from flows.techniques.trial import Cost, Trial
from flows.techniques.usual import Technique, usual_techniques
from flows.templates import write_scenario
from heads.decoding import ClassificationDecoder
from polyloom.errors import RequestError, ScenarioError
from polyloom.progress import SILENT
from tests.flows.test_zero_shot import write_wishes
from tests.support.command_line import QUIET, inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.stage_runs import fitted, job_for

slow = pytest.mark.slow
comparison = pytest.mark.filterwarnings("default")
OWN = "\ntechniques: {only: [label_smoothing, wider], tried: {wider: {fusion.hidden: 64}}, seeds: [1, 2]}\n"


@pytest.fixture
def place(tmp_path, tmp_path_factory, session_server):
    """A scenario of the template with techniques of its own, and its environment."""
    home = tmp_path / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    path = write_scenario("reviews", folder=tmp_path)
    path.write_text(path.read_text() + OWN)
    return path, home, {**state(home, server=session_server.url, mlflow=uri), **QUIET}


def ran(place, *words):
    path, _, environment = place
    with server.connected(environment["PREFECT_API_URL"]):
        ended = inside("techniques", path, "--json", "--set", "recipe.epochs=3", *words, environment=environment)
    assert ended.code == 0, ended.err
    return ended.json


@slow
@comparison
def test_each_technique_stands_beside_the_baseline_and_is_fitted_once(place):
    from mlflow.tracking import MlflowClient

    _, home, environment = place
    result = ran(place, "--seed", 1)
    assert [row["technique"] for row in result["techniques"]] == ["baseline", "label_smoothing", "wider"]
    assert result["split"] == "test"
    assert all(row["bytes"] > 0 and row["milliseconds"] > 0 for row in result["techniques"])
    baseline, _, wider = result["techniques"]
    assert wider["trained_parameters"] > baseline["trained_parameters"]
    assert wider["difference"] == pytest.approx(wider["metric"] - baseline["metric"])
    assert (Path(result["folder"]) / "techniques.png").stat().st_size > 1000
    fits = {path: path.stat().st_mtime_ns for path in home.glob("techniques/reviews/*/fits/*/cost.json")}
    assert len(fits) == 3
    assert not list(home.glob("runs/reviews/*")), "of a fit only its answers are kept"

    more = ran(place)
    assert [row["seeds"] for row in more["techniques"]] == [[1, 2]] * 3
    again = {path: path.stat().st_mtime_ns for path in home.glob("techniques/reviews/*/fits/*/cost.json")}
    assert len(again) == 6
    assert again.items() >= fits.items(), "what was fitted before is not fitted again"

    client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
    (experiment,) = [each for each in client.search_experiments() if each.name == "reviews"]
    runs = client.search_runs([experiment.experiment_id])
    below = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == more["mlflow_run_id"]]
    assert len(below) == 3
    assert len(runs) == 4
    assert {run.info.status for run in runs} == {"FINISHED"}


@slow
@comparison
def test_a_budget_of_no_time_fits_the_baseline_alone_and_says_so(place):
    result = ran(place, "--minutes", "0.0001")
    assert [row["technique"] for row in result["techniques"]] == ["baseline"]
    assert result["skipped"]["wider"] == "the time was over before its first fit"


def test_the_list_says_what_would_be_compared_and_fits_nothing(tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    path.write_text(path.read_text() + OWN)
    ended = inside("techniques", path, "--list", "--json", environment={"POLYLOOM_HOME": str(tmp_path / "home")})
    assert [each["name"] for each in json.loads(ended.out)["techniques"]] == ["label_smoothing", "wider"]
    shown = inside("techniques", path, "--list", environment={"POLYLOOM_HOME": str(tmp_path / "home")})
    assert "fusion.hidden=64" in shown.said


def choice(tmp_path, written="", **section):
    path = write_scenario("reviews", folder=tmp_path)
    path.write_text(path.read_text() + written)
    loaded = load_scenario(str(path))
    given = loaded.scenario.techniques.model_copy(update=section)
    return chosen_techniques(loaded, (), given)


def test_a_name_that_is_not_known_is_answered_with_those_that_are(tmp_path):
    with pytest.raises(RequestError, match=r"there is no 'mixpu' here. Did you mean 'mixup'\? There are .*focal_loss"):
        choice(tmp_path, only=("mixpu",))


def test_a_technique_does_not_change_the_rows(tmp_path):
    with pytest.raises(ScenarioError, match=r"techniques.tried.more: splits.test would change what is compared"):
        choice(tmp_path, tried={"more": {"splits.test": 0.3}})


def test_a_technique_of_ones_own_that_is_no_scenario_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match=r"techniques.tried.deep: .*recipe.strategy"):
        choice(tmp_path, tried={"deep": {"recipe.strategy": "deeper"}})


def test_a_usual_technique_that_a_scenario_refuses_is_left_out_with_the_reason(tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    focal = ("tasks.tone.loss=focal",)
    loaded = load_scenario(str(path), overrides=focal)
    found = chosen_techniques(loaded, focal, loaded.scenario.techniques)
    assert {technique.name for technique in found.techniques} >= {"class_balance", "mixup"}
    assert "focal takes a row's label as it is" in found.skipped["label_smoothing"]


def test_the_same_seed_twice_is_refused(tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    with pytest.raises(ScenarioError, match="holds a seed twice"):
        load_scenario(str(path), overrides=["techniques.seeds=[1, 1]"])


def test_the_command_line_wins_over_the_baseline(tmp_path):
    path = write_scenario("reviews", folder=tmp_path)
    path.write_text(path.read_text() + "\ntechniques: {baseline: {recipe.epochs: 2, recipe.seed: 3}}\n")
    own = baseline_overrides(str(path), ["recipe.epochs=5"])
    recipe = load_scenario(str(path), overrides=own).scenario.recipe
    assert (recipe.epochs, recipe.seed) == (5, 3)


def test_settings_are_written_on_one_line_as_yaml_reads_them():
    given = {"recipe.mix": {"kind": "mixup", "alpha": 0.2}, "recipe.encoder_learning_rate": None}
    assert overrides_of(given) == ("recipe.encoder_learning_rate=null", "recipe.mix={alpha: 0.2, kind: mixup}")


@pytest.mark.parametrize("shipped", ["banking77", "fashion_mnist"])
def test_shipped_scenarios_have_many_techniques_and_all_are_valid(shipped):
    own = baseline_overrides(shipped, [])
    loaded = load_scenario(shipped, overrides=own)
    techniques = list(usual_techniques(loaded.scenario))
    assert len({technique.name for technique in techniques}) == len(techniques)
    for technique in techniques:
        load_scenario(shipped, overrides=[*own, *overrides_of(technique.settings)])
    assert len(techniques) >= {"banking77": 20, "fashion_mnist": 16}[shipped]


def trial(right, *, seed=0, seconds=1.0, milliseconds=1.0, pace=None):
    """A trial of two classes that answers this many of 400 rows rightly; which ones, the seed says."""
    decoder = ClassificationDecoder(problem="multiclass", labels=("a", "b"))
    truth = np.zeros(400, dtype=np.int64)
    predicted = np.ones(400, dtype=np.int64)
    predicted[np.random.default_rng(seed).permutation(400)[:right]] = 0
    cost = Cost(
        seconds=seconds, all_seconds=seconds, trained_parameters=5, bytes=100, milliseconds=milliseconds, pace=pace
    )
    return Trial(truth=truth, predicted=predicted, cost=cost, decoder=decoder.to_json())


def test_milliseconds_are_the_baselines_times_the_pace_beside_it():
    plain = {1: trial(200, milliseconds=4.0), 2: trial(200, milliseconds=9.0, pace=1.25)}
    assert milliseconds(plain, plain) == 4.5
    assert milliseconds({1: trial(200, milliseconds=50.0, pace=0.5)}, plain) == 2.0
    assert milliseconds({1: trial(200, milliseconds=50.0)}, plain) == 50.0


def test_graphs_are_timed_in_turns_with_those_of_the_first_fit(tmp_path):
    job = job_for(write_wishes(tmp_path))
    fitted(job)
    export_graphs(job, progress=SILENT)
    assert pace(job, tmp_path / "reference") is None
    keep_reference(job, tmp_path / "reference")
    assert len(list((tmp_path / "reference").glob("text.*.npz"))) == ROWS
    assert 0 < pace(job, tmp_path / "reference") < 1000
    (graph,) = graph_folders(job).values()
    (graph / "encoder.json").rename(tmp_path / "gone.json")
    assert pace(job, tmp_path / "reference") is None


def ledger(others, plain=200):
    trials = {"baseline": {1: trial(plain, seed=1), 2: trial(plain, seed=2)}, **others}
    techniques = [Technique(name, "", {}) for name in trials]
    return {row["technique"]: row for row in ledger_of(techniques, trials, baseline="baseline", metric="accuracy")}


def test_a_large_difference_is_a_gain_or_a_loss_and_none_is_none():
    rows = ledger(
        {
            "better": {1: trial(320, seed=3), 2: trial(320, seed=4)},
            "worse": {1: trial(80, seed=3), 2: trial(80, seed=4)},
            "same": {1: trial(200, seed=1), 2: trial(200, seed=2)},
        }
    )
    assert [rows[name]["verdict"] for name in ("better", "worse", "same")] == [GAIN, LOSS, NONE]
    assert rows["better"]["difference"] == pytest.approx(0.3)
    assert rows["same"]["difference"] == 0.0
    assert "difference" not in rows["baseline"]


def test_what_is_a_gain_alone_may_be_luck_beside_many():
    one = {1: trial(232, seed=3), 2: trial(232, seed=4)}
    alone = ledger({"one": one})["one"]
    assert alone["verdict"] == GAIN
    others = {f"other{number}": {1: trial(200, seed=1), 2: trial(200, seed=2)} for number in range(200)}
    beside = ledger({"one": one, **others})["one"]
    assert (beside["low"], beside["verdict"]) == (alone["low"], LUCK)


def test_seconds_are_those_of_the_fit_that_found_no_cache():
    rows = ledger({"one": {1: trial(200, seconds=9.0), 2: trial(200, seconds=2.0)}})
    assert rows["one"]["seconds"] == 9.0


def test_a_trial_comes_back_from_disk_as_it_was(tmp_path):
    made = trial(123)
    made.save(tmp_path / "one")
    back = Trial.load(tmp_path / "one")
    assert back.cost == made.cost
    assert back.scorer("accuracy")(back.truth, back.predicted) == pytest.approx(123 / 400)
