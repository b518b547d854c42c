"""The gate of a run over real bundles in a real registry: same rows, slices, limits, a load test, and its report."""

import json
import re
import shutil

import pytest
import yaml

from flows.gate_report import MARKDOWN, PAGE, PICTURE
from flows.scenario_file import load_scenario
from flows.stages.gate import AGAINST, pass_gate, report_folder
from flows.stages.gate_limits import asked_rows, same
from flows.stages.gate_scoring import trial_of
from flows.stages.release import registry
from polyloom.durable import read_json
from polyloom.errors import IntegrityError, ScenarioError
from polyloom.home import home
from polyloom.progress import SILENT
from releases.load_test import load_test
from releases.runtime import Runtime
from releases.serving.acts import perform
from releases.serving.prediction_files import DayFiles
from releases.serving.prediction_id import new_prediction_id
from releases.serving.served_batch import Member, ServedBatch
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged

GATE = {
    "metric": "label.accuracy",
    "slices": ["label"],
    "slice_rows": 5,
    "load_test": True,
    "limits": {"megabytes": 50, "calibration_error": 1.0, "p95_milliseconds": 5000},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two versions of a scenario in a registry, the first of them champion, with the job of the second."""
    folder = tmp_path_factory.mktemp("gated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        path = write_wishes(folder, task={"head": "prototypes"}, gate=GATE)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        store, bundles, versions, jobs = registry(uri), [], [], []
        for seed in (1, 2):
            jobs.append(job_for(path, f"recipe.seed={seed}"))
            bundles.append(packaged(jobs[-1]))
            versions.append(store.register("wishes", bundles[-1], bundles[-1].name, None, {}))
        champion = store.promote("wishes", versions[0], expected=None, who="me", why="first")
        yield folder, uri, jobs, bundles, versions, champion


@pytest.fixture
def gated(made, monkeypatch):
    """The same, with the state that it was made in."""
    monkeypatch.setenv("POLYLOOM_HOME", str(made[0] / "home"))
    return made


def asked(gated, number, champion):
    _, uri, jobs, bundles, versions, _ = gated
    return pass_gate(jobs[number], bundles[number], versions[number], champion, tracking_uri=uri, progress=SILENT)


def test_a_challenger_is_judged_as_a_whole_by_slices_and_limits_and_loaded_elsewhere(gated):
    verdict = asked(gated, 1, gated[-1])
    assert verdict.passed, verdict.reason
    assert verdict.rows == 30
    assert verdict.champion_value is not None
    assert {one.value for one in verdict.slices} == {"red_shoe", "lost_card", "退款"}
    assert [one["name"] for one in verdict.limits] == ["calibration error", "p95 latency", "size"]
    assert all(one["passed"] for one in verdict.limits)
    assert verdict.limits[2]["champion"] == pytest.approx(verdict.limits[2]["value"], rel=0.05)
    assert verdict.load_test["rows"] == 30
    assert 0 < verdict.load_test["p50_milliseconds"] <= verdict.load_test["p95_milliseconds"]
    assert 0 <= verdict.mcnemar <= 1
    json.dumps(verdict.limits)


def test_both_are_judged_by_the_same_rows_and_the_report_says_by_which(gated):
    verdict = asked(gated, 1, gated[-1])
    assert verdict.rows_digest == trial_of(gated[2][0]).digest == trial_of(gated[2][1]).digest
    folder = report_folder(gated[2][1])
    text, page = ((folder / name).read_text(encoding="utf-8") for name in (MARKDOWN, PAGE))
    for said in (verdict.rows_digest, "退款", "p95 latency", "McNemar", "version 2"):
        assert said in text
        assert said in page or said == "McNemar"
    assert (folder / PICTURE).stat().st_size > 5000
    assert read_json(folder / AGAINST) == {"version": "2", "champion": "1", "run_id": None}


def test_a_first_champion_has_a_report_without_a_picture(gated):
    verdict = asked(gated, 0, None)
    assert verdict.passed
    assert verdict.mcnemar is None
    folder = report_folder(gated[2][0])
    assert not (folder / PICTURE).exists()
    assert "| champion | none |" in (folder / MARKDOWN).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("gate.limits.megabytes=0.001", r"size of .* MB exceeds the limit of 0.001 MB"),
        ("gate.limits.p95_milliseconds=0.0001", r"p95 latency of .* ms exceeds the limit of 0.0001 ms"),
        ("gate.slice_minimum=1.01", r"label = .* \(10 rows\): .* is below the minimum of 1.01"),
    ],
)
def test_whatever_refuses_stands_in_the_reason(gated, change, said):
    _, uri, _, bundles, versions, champion = gated
    job = job_for(gated[0] / "wishes.yaml", "recipe.seed=2", change)
    verdict = pass_gate(job, bundles[1], versions[1], champion, tracking_uri=uri, progress=SILENT)
    assert not verdict.passed
    assert pytest.approx(verdict.challenger_value) == asked(gated, 1, champion).challenger_value
    assert re.search(said, verdict.reason)


def keep(gated, rows, *, labels=None):
    """What a server would have kept of the champion's answers to some rows."""
    runtime = Runtime.open(gated[3][0])
    answers = perform(runtime, "predict", rows, {})
    for answer, label in zip(answers, labels or (), strict=False):
        answer["answers"]["label"]["label"] = label
    member = Member(prediction=new_prediction_id(), request="r", place=0, rows=len(rows))
    batch = ServedBatch(
        scenario="wishes", release=runtime.digest, action="predict", rows=rows, answers=answers, members=[member]
    )
    DayFiles(home() / "predictions").write([batch])


@pytest.fixture
def kept_nothing(gated):
    yield
    shutil.rmtree(home() / "predictions", ignore_errors=True)


def test_what_the_champion_was_asked_is_asked_again(gated, kept_nothing):
    assert asked(gated, 1, gated[-1]).shadow is None
    keep(gated, [{"text": "the red shoe"}, {"text": "my lost card"}], labels=["another"])
    verdict = asked(gated, 1, gated[-1])
    assert verdict.passed, verdict.reason
    assert (verdict.shadow["rows"], verdict.shadow["failed"]) == (2, 0)
    assert 0.5 <= verdict.shadow["changed"]["label"] <= 1
    text = (report_folder(gated[2][1]) / MARKDOWN).read_text(encoding="utf-8")
    assert "## Shadow traffic" in text
    assert "answers changed, label" in text
    json.dumps(verdict.shadow)


def test_a_limit_on_changed_answers_binds_only_where_something_was_asked(gated, kept_nothing):
    _, uri, _, bundles, versions, champion = gated

    def judged(*changes):
        job = job_for(gated[0] / "wishes.yaml", "recipe.seed=2", "gate.limits.shadow_changes=0.1", *changes)
        return pass_gate(job, bundles[1], versions[1], champion, tracking_uri=uri, progress=SILENT)

    assert judged().passed
    keep(gated, [{"text": "the red shoe"}, {"text": "my lost card"}], labels=["another", "another"])
    assert "answers changed in shadow traffic of 1 exceeds the limit of 0.1" in judged().reason
    assert judged("gate.shadow_rows=0").passed


def test_a_release_that_cannot_be_loaded_from_the_registry_is_told(gated):
    folder, uri, *_ = gated
    with pytest.raises(IntegrityError, match="version 9 cannot be loaded from the registry"):
        load_test(
            tracking_uri=uri, ledgers=folder / "home" / "ledger", scenario="wishes", version="9", task="label", rows=[]
        )


def test_a_row_without_anything_to_read_is_not_asked(gated):
    runtime = Runtime.open(gated[3][1])
    trial = trial_of(gated[2][1])
    kept = asked_rows(runtime, trial)
    empty = [{**row, "text": given} for row, given in zip(trial.rows[:3], (None, "", "  "), strict=True)]
    assert asked_rows(runtime, trial._replace(rows=[*empty, *trial.rows[3:]])) == kept[3:]


def test_answers_of_two_processes_are_the_same_but_for_the_last_digits():
    one = {"label": "a", "value": None, "probability": 0.5}
    assert same(one, {**one, "probability": 0.50001})
    assert not same(one, {**one, "probability": 0.51})
    assert not same(one, {**one, "label": "b"})
    assert not same(one, {**one, "value": 1.0})
    assert same(None, None)
    assert not same(one, None)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({"slices": ["colour"]}, "gate.slices: 'colour' is not there"),
        ({"limits": {"missing_loss": {"picture": 0.1}}}, "gate.limits.missing_loss: 'picture' is not there"),
        ({"limits": {"missing_loss": {"text": 0.1}}}, "reads 'text' alone"),
        ({"limits": {"megabytes": 0}}, "gate.limits.megabytes"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused_before_a_run(tmp_path, gate, said):
    path = write_wishes(tmp_path, gate={"metric": "label.accuracy", **gate})
    with pytest.raises(ScenarioError, match=said.replace("(", r"\(")):
        load_scenario(str(path))
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["gate"]["metric"] == "label.accuracy"
