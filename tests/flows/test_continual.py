"""Learning in steps, through the stages of a run."""

import shutil

import numpy as np
import pytest

from flows.scenario_file import load_scenario
from flows.stages.continual import Learner
from flows.stages.job import Job
from flows.stages.material import Material
from flows.stages.prepare import prepare
from polyloom.errors import DataError, ScenarioError
from polyloom.progress import SILENT
from releases.runtime import Runtime
from tests.support.arrivals import LABELS, MONTHS, write_arrivals
from tests.support.killed_fits import killed_in
from tests.support.stage_runs import fitted, job_for, packaged


def run(folder, *, text=False, **continual):
    """The job, its report and the epochs that it told of."""
    folder.mkdir(exist_ok=True)
    epochs = []
    recipe = {"strategy": "full", "epochs": 2, "encoder_learning_rate": 0.01} if text else {}
    job = job_for(write_arrivals(folder, text=text, continual={"steps": "month", **continual}, **recipe))
    return job, fitted(job, epochs=epochs), epochs


def test_replay_remembers_what_naive_learning_forgets(tmp_path):
    _, kept, epochs = run(tmp_path / "replay", kind="replay", memory=4)
    _, lost, _ = run(tmp_path / "naive", kind="naive")
    last, naive = kept["continual"]["steps"][-1], lost["continual"]["steps"][-1]
    assert last["so_far"] > 0.95
    assert naive["so_far"] < 0.6
    assert (last["forgetting"] < 0.1, naive["forgetting"] > 0.5) == (True, True)
    assert (last["memory"], naive["memory"]) == (16, 0)
    assert [step["name"] for step in kept["continual"]["steps"]] == list(MONTHS)
    assert [step["labels"] for step in kept["continual"]["steps"]] == [2, 4, 6]
    assert [epoch.epoch for epoch in epochs] == [epoch["epoch"] for epoch in kept["history"]] == list(range(1, 25))


def test_labels_of_later_steps_are_neither_answered_nor_trained_down(tmp_path):
    """The head grows: a label's weights are made when it comes, from the seed, whatever was learned before."""
    _, report, _ = run(tmp_path, kind="naive")
    for number, step in enumerate(report["continual"]["steps"]):
        assert step["scores"][number] > 0.9
        assert step["scores"][number + 1 :] == [0.0] * (2 - number)
    job = job_for(write_arrivals(tmp_path), "recipe.continual={kind: naive, steps: month}", "recipe.seed=8")
    prepare(job, progress=SILENT)
    learner = Learner(Material(job, progress=SILENT), on_epoch=lambda _: None)
    learner.learn(0)
    second = learner.ready(1, learner.material.over(learner.stepwise.rows(1))).fitting.model
    fresh = learner.material.over(learner.stepwise.rows(1)).ready(learner.plan, folder=tmp_path / "x").fitting.model
    name = "tasks.of_animal.head.linear.weight"
    assert (second.state_dict()[name][2:] == fresh.state_dict()[name][2:]).all()
    assert (second.state_dict()[name][:2] != fresh.state_dict()[name][:2]).any()


@pytest.mark.parametrize("kind", ["ewc", "lwf"])
def test_what_holds_to_the_former_model_forgets_less_than_naive(tmp_path, kind):
    _, held, _ = run(tmp_path / kind, kind=kind, weight={"ewc": 100.0, "lwf": 10.0}[kind])
    _, lost, _ = run(tmp_path / "naive", kind="naive")
    forgotten = [report["continual"]["steps"][-1]["forgetting"] for report in (held, lost)]
    assert forgotten[0] < forgotten[1]


def test_labels_come_in_groups_whose_order_the_seed_draws(tmp_path):
    orders = []
    for seed in (1, 2):
        job = job_for(write_arrivals(tmp_path), f"recipe.seed={seed}", "recipe.continual={kind: naive, steps: 3}")
        prepare(job, progress=SILENT)
        steps = Learner(Material(job, progress=SILENT), on_epoch=lambda _: None).stepwise.steps
        of_label = [set(steps.numbers[label :: len(LABELS)].tolist()) for label in range(len(LABELS))]
        assert sorted(map(sum, of_label)) == [0, 0, 0, 1, 1, 1]
        orders.append([sum(one) for one in of_label])
    assert orders[0] != orders[1]


def test_a_run_in_steps_is_released_with_its_matrix(tmp_path):
    job, _, _ = run(tmp_path, kind="replay", memory=8, memory_of="all")
    bundle = packaged(job)
    answers = Runtime.open(bundle).predict([{"north": 1.0, "east": 0.0, "up": 0.0}, {"north": 0, "east": 0, "up": -1}])
    assert [answer.answers["animal"].label for answer in answers] == ["ant", "fox"]
    card = (bundle / "card.md").read_text()
    assert "### What was learned in steps" in card
    assert "| after step | rows | memory | on 2026-01 | on 2026-02 | on 2026-03 |" in card
    assert (bundle / "pictures" / "steps.png").stat().st_size > 10_000


@pytest.mark.parametrize("kind", ["replay", "ewc", "lwf"])
def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path, kind, monkeypatch):
    path = write_arrivals(tmp_path, continual={"kind": kind, "steps": "month"}, checkpoint_seconds=0)
    job = job_for(path)
    calm = fitted(job)
    expected = (job.folder / "fitted" / "tasks" / "animal.safetensors").read_bytes()
    shutil.rmtree(job.folder)

    with killed_in("steps/1", step=5, monkeypatch=monkeypatch):
        fitted(job)
    assert (job.folder / "steps" / "0" / "done.json").is_file()
    resumed = fitted(Job.load(job.ref))
    assert (job.folder / "fitted" / "tasks" / "animal.safetensors").read_bytes() == expected
    for one, other in zip(resumed["continual"]["steps"], calm["continual"]["steps"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["replay", "ewc", "lwf"])
def test_the_encoder_learns_in_steps_too(tmp_path, kind):
    job, report, _ = run(tmp_path, text=True, kind=kind)
    assert report["strategies"] == {"words": "full"}
    assert len(report["continual"]["steps"]) == 3
    assert (job.folder / "fitted" / "encoders" / "words.safetensors").is_file()
    assert not (job.folder / "steps" / "0" / "fitted").exists()


def scenario(folder, *overrides, **changes):
    return load_scenario(str(write_arrivals(folder, **changes)), overrides=list(overrides)).scenario


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.continual={steps: 0}"], "recipe.continual.steps"),
        (["recipe.continual={steps: moon}"], "recipe.continual.steps: 'moon' is not there. Did you mean 'month'"),
        (["recipe.continual={steps: month, kind: ewc, memory: 3}"], "recipe.continual.memory: only replay keeps rows"),
        (
            ["recipe.continual={steps: month, kind: naive, weight: 2}"],
            "recipe.continual.weight: means nothing to",
        ),
        (["recipe.continual={steps: month}", "recipe.mix={kind: mixup}"], "recipe.continual: goes without recipe.mix"),
        (["recipe.continual={steps: month}", "recipe.ensemble={members: 2}"], "goes without recipe.ensemble"),
        (["recipe.continual={steps: month}", "tasks.animal.head=prototypes"], "head: prototypes looks at labels or"),
        (["recipe.continual={steps: month}", "recipe.strategy=lora"], "recipe.strategy: lora does not go with"),
        (
            ["recipe.continual={steps: month}", "data.animals.columns.label=labels"],
            "is for one label a row, and 'label' holds lists",
        ),
        (
            ["recipe.continual={steps: month}", "tasks.size={kind: regression, target: size}"],
            r"is for one task of kind classification; here are 2 task\(s\)",
        ),
    ],
)
def test_what_cannot_be_learned_in_steps_is_refused(tmp_path, overrides, message):
    with pytest.raises(ScenarioError, match=message):
        scenario(tmp_path, *overrides)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("size", "'size' has 240 different value.s., and each is a step. Name a column with 2 to 100"),
        ("1", r"1 label\(s\) a step make 6 step\(s\) of the 6 labels. Give 2 or more labels a step"),
        ("6", r"6 label\(s\) a step make 1 step\(s\) of the 6 labels"),
    ],
)
def test_steps_that_are_none(tmp_path, steps, message):
    job = job_for(write_arrivals(tmp_path), f"recipe.continual={{steps: {steps}}}")
    with pytest.raises(DataError, match=message):
        fitted(job)


def test_a_step_without_validation_rows(tmp_path):
    from flows.stages.fit_rows import FitRows
    from flows.stages.step_rows import StepRows

    steps = StepRows.of_column(["a", "a", "b", "b"], column="month")
    rows = FitRows(train=np.array([0, 2]), validation=np.array([1]), known=np.array([0, 2]))
    with pytest.raises(DataError, match="the step 'b' has 1 training and 0 validation"):
        steps.check(rows)


def test_a_row_without_its_step_goes_to_quarantine(tmp_path):
    path = write_arrivals(tmp_path, continual={"steps": "month"})
    lines = (tmp_path / "arrivals.jsonl").read_text().splitlines(keepends=True)
    lines[0] = lines[0].replace('"2026-01"', "null")
    (tmp_path / "arrivals.jsonl").write_text("".join(lines))
    assert job_for(path).ref["data"]["rows_quarantined"] == 1
