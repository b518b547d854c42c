"""Ensembles of heads, through the stages of a run."""

import shutil

import numpy as np
import pytest

from flows.scenario_file import load_scenario
from flows.stages.job import Job
from flows.stages.members import member_plans
from flows.strategies import fit_plans
from heads.onnx import OnnxHead
from heads.probabilities import softmax
from modalities.encoders.onnx import open_session
from polyloom.durable import read_json
from polyloom.errors import ScenarioError
from releases.runtime import Runtime
from tests.support.arrivals import write_arrivals
from tests.support.killed_fits import killed_in
from tests.support.stage_runs import fitted, job_for, packaged
from tests.support.toys import write_toys

THREE = "recipe.ensemble={members: 3}"


def plans(folder, *overrides):
    scenario = load_scenario(str(write_arrivals(folder)), overrides=list(overrides)).scenario
    return member_plans(scenario, fit_plans(scenario)[0])


def test_members_differ_by_their_seed_unless_more_is_said(tmp_path):
    assert [plan.seed for plan in plans(tmp_path, THREE, "recipe.seed=5")] == [5, 6, 7]
    given = "recipe.ensemble={members: [{}, {seed: 40, epochs: 2, patience: 1, learning_rate: 0.5}]}"
    first, second = plans(tmp_path, given)
    assert (first.seed, first.epochs, first.patience, first.learning_rate) == (7, 8, 0, 0.05)
    assert (second.seed, second.epochs, second.patience, second.learning_rate) == (40, 2, 1, 0.5)


def test_one_graph_is_released_that_answers_as_all_members(tmp_path):
    path = write_arrivals(tmp_path)
    job, epochs = job_for(path, THREE), []
    report = fitted(job, epochs=epochs)
    bundle = packaged(job)
    assert [epoch.epoch for epoch in epochs] == list(range(1, 25))
    assert [member["seed"] for member in report["ensemble"]["members"]] == [7, 8, 9]
    alone = []
    for seed in (7, 8, 9):
        single = job_for(path, f"recipe.seed={seed}")
        packaged(single)
        alone.append(logits(single))
    np.testing.assert_allclose(softmax(logits(job)), np.mean([softmax(one) for one in alone], axis=0), atol=1e-4)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)
    (answer,) = Runtime.open(bundle).predict([{"north": 1.0, "east": 0.0, "up": 0.0}])
    assert answer.answers["animal"].label == "ant"
    card = (bundle / "card.md").read_text()
    assert "### The members of the ensemble" in card
    assert "3 members: animal.accuracy" in card
    assert [path.name for path in (bundle / "heads").iterdir()] == ["animal"]
    assert read_json(bundle / "metrics.json")["animal"]["temperature"] != 1.0


AUTO = (
    "modalities.image.train=null",
    "recipe.strategy=auto",
    "recipe.auto={rungs: [frozen]}",
    "recipe.epochs=3",
    "recipe.ensemble={members: 2}",
)


def test_under_auto_the_best_frozen_rung_is_fitted_as_an_ensemble(tmp_path):
    job, epochs = job_for(write_toys(tmp_path / "toys"), *AUTO), []
    report = fitted(job, epochs=epochs)
    assert len(report["ensemble"]["members"]) == 2
    assert report["best_metric"] == report["ensemble"]["together"]
    assert [rung["strategy"] for rung in report["auto"]["rungs"]] == ["frozen"]
    assert [epoch["epoch"] for epoch in report["history"]] == [epoch.epoch for epoch in epochs] == list(range(1, 10))
    assert 4 <= report["best_epoch"] <= 9
    assert "### The members of the ensemble" in (packaged(job) / "card.md").read_text()


def test_under_auto_a_rung_that_trains_encoders_is_released_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.stages.climb.is_live", lambda *_: True)
    job = job_for(write_toys(tmp_path / "toys"), *AUTO)
    report = fitted(job)
    assert "ensemble" not in report
    assert len(report["history"]) == 3
    assert set(Runtime.open(packaged(job)).heads) == {"colour", "cheap", "tags"}


def logits(job):
    """What a job's graph says of three points."""
    folder = job.folder / "heads" / "animal"
    rows = np.random.default_rng(0).normal(size=(3, job.preparations["place"].dim)).astype(np.float32)
    return OnnxHead(folder, session=open_session(folder / "model.onnx"))({"place": rows}, {"place": np.ones(3)})[
        "logits"
    ]


def test_a_killed_ensemble_ends_like_an_undisturbed_one(tmp_path, monkeypatch):
    job = job_for(write_arrivals(tmp_path, checkpoint_seconds=0), THREE)
    calm = fitted(job)
    expected = (job.folder / "fitted" / "tasks" / "animal.safetensors").read_bytes()
    shutil.rmtree(job.folder)

    with killed_in("members/1", step=5, monkeypatch=monkeypatch):
        fitted(job)
    assert (job.folder / "members" / "0" / "done.json").is_file()
    assert not (job.folder / "members" / "0" / "checkpoints").exists()
    resumed = fitted(Job.load(job.ref))
    assert (job.folder / "fitted" / "tasks" / "animal.safetensors").read_bytes() == expected
    assert {**resumed["ensemble"], "members": 0} == {**calm["ensemble"], "members": 0}


@pytest.mark.slow
def test_several_tasks_and_kinds_of_labels(tmp_path):
    path = write_toys(tmp_path / "toys")
    job = job_for(path, "modalities.image.train=frozen", "recipe.ensemble={members: 2}", "recipe.epochs=3")
    assert set(Runtime.open(packaged(job)).heads) == {"colour", "cheap", "tags"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.ensemble={members: 1}"], "recipe.ensemble.members"),
        ([THREE, "recipe.strategy=auto", "recipe.auto={rungs: [full]}"], "recipe.strategy: auto trains encoders"),
        ([THREE, "recipe.strategy=full"], "recipe.strategy: full trains encoders, and the members of recipe.ensemble"),
        ([THREE, "tasks.animal.out_of_scope={score: distance}"], "tasks.animal.out_of_scope.score: each member of"),
        ([THREE, "tasks.animal.zero_shot={}"], "tasks.animal is zero-shot, so that all members would be the same"),
        ([THREE, "robustness.attack={epsilon: 1.0}"], "robustness.attack: an ensemble is not attacked"),
    ],
)
def test_what_cannot_be_averaged_is_refused(tmp_path, overrides, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(write_arrivals(tmp_path)), overrides=overrides)
