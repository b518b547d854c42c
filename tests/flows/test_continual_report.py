"""What people are told of steps and members."""

from flows.continual_report import step_figures, step_lines, step_tables
from flows.ensemble_report import member_figures, member_lines, member_tables
from flows.tracking import TrainingRun
from flows.train import log_steps_and_members
from releases.mlflow_store import connect

FIRST = {
    "name": "May",
    "rows": 1200,
    "memory": 0,
    "labels": 4,
    "scores": [0.9, None],
    "so_far": 0.9,
    "average": 0.9,
    "forgetting": None,
    "seconds": 2.0,
}
SECOND = {**FIRST, "name": "June", "memory": 80, "labels": 6, "scores": [0.8, None], "so_far": 0.8, "forgetting": 0.1}
COURSE = {"kind": "replay", "metric": "intent.accuracy", "steps": [FIRST, SECOND]}
MEMBER = {"seed": 7, "metric": 0.9, "epochs": 5, "best_epoch": 4, "seconds": 3.2}
ENSEMBLE = {
    "metric": "intent.accuracy",
    "together": 0.91,
    "first": 0.9,
    "difference": 0.01,
    "low": -0.002,
    "high": 0.02,
    "members": [MEMBER, {**MEMBER, "seed": 8, "metric": 0.89}],
}


def test_each_step_is_a_line():
    first, may, june = step_lines(COURSE)
    assert first == "steps     replay, intent.accuracy on the test rows of all steps so far"
    assert may.strip() == "May: 0.900; 1,200 rows, 4 labels"
    assert june.strip() == "June: 0.800, forgot 0.100; 1,200 rows and 80 of the memory, 6 labels"


def test_the_card_has_the_matrix_and_no_times():
    (table,) = step_tables(COURSE)
    assert table.rows[1] == {
        "after step": "June",
        "rows": 1200,
        "memory": 80,
        "on May": 0.8,
        "on June": None,
        "on all so far": 0.8,
        "forgetting": 0.1,
    }
    assert "learned by `replay`" in table.note


def test_mlflow_gets_the_figures_of_a_step_that_are_numbers():
    assert step_figures(COURSE, 0) == {
        "continual.so_far": 0.9,
        "continual.average": 0.9,
        "continual.memory": 0.0,
        "continual.seconds": 2.0,
        "continual.on.1": 0.9,
    }
    assert step_figures(COURSE, 1)["continual.forgetting"] == 0.1


def test_an_ensemble_says_whether_it_gains():
    (line,) = member_lines(ENSEMBLE)
    assert line == (
        "ensemble  2 members: intent.accuracy 0.9100 on the validation rows, +0.0100 (-0.0020 to +0.0200) to the first "
        "alone: no significant gain"
    )
    assert "a significant gain" in member_lines({**ENSEMBLE, "low": 0.001})[0]
    (table,) = member_tables(ENSEMBLE)
    assert table.rows[1] == {"seed": 8, "on validation rows": 0.89, "epochs": 5, "best epoch": 4}
    assert (member_figures(ENSEMBLE)["ensemble.member.2"], member_figures(ENSEMBLE)["ensemble.low"]) == (0.89, -0.002)


def test_without_either_nothing_is_said():
    assert (step_lines(None), step_tables(None), member_lines(None), member_tables(None)) == ([], [], [], [])


def test_an_mlflow_run_holds_each_steps_and_each_members_figures(mlflow_uri, tmp_path):
    run = TrainingRun.open(
        tracking_uri=mlflow_uri,
        artifact_root=tmp_path / "mlartifacts",
        scenario="steps",
        fingerprint="f" * 64,
        flow_run_id=None,
        tags={},
    )
    log_steps_and_members(run, {"continual": COURSE, "ensemble": ENSEMBLE})
    client = connect(mlflow_uri)
    course = client.get_metric_history(run.run_id, "continual.so_far")
    assert [(point.step, point.value) for point in course] == [(1, 0.9), (2, 0.8)]
    assert client.get_run(run.run_id).data.metrics["ensemble.together"] == 0.91
    assert {"continual.json", "ensemble.json"} <= {file.path for file in client.list_artifacts(run.run_id)}
    run.finish()
