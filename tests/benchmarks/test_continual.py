"""How rows are divided, and what is reported of the ways."""

import json

import pytest

from benchmarks.continual import JOINT, REPLAY, STRATEGIES, WAYS, divided, scenario, summary

ROWS = [{"text": f"text {number}", "category": "ab"[number % 2]} for number in range(100)]


def run(accuracy, forgetting=None):
    steps = [] if forgetting is None else [{"forgetting": None}, {"forgetting": forgetting}]
    return {"accuracy": accuracy, "steps": steps}


@pytest.mark.parametrize("judged", [True, False])
def test_no_row_is_in_two_parts(judged):
    parts = divided(ROWS, seed=1, judged=judged)
    texts = [row["text"] for rows in parts.values() for row in rows]
    assert sorted(texts) == sorted(row["text"] for row in ROWS)
    assert {name: len(rows) for name, rows in parts.items()} == (
        {"train": 80, "validation": 10, "test": 10} if judged else {"train": 90, "validation": 10}
    )


def test_replay_is_held_against_all_rows_at_once_seed_by_seed():
    found = {JOINT: [run(0.9), run(0.8)], REPLAY: [run(0.81, 0.05), run(0.76, 0.03)]}
    share, joint, replay, forgetting = summary(found, strategy="frozen")
    assert (share.value, share.met) == (pytest.approx((0.9 + 0.95) / 2), True)
    assert (joint.value, replay.value, forgetting.value) == (0.85, 0.785, 0.04)
    assert "over 2 seeds" in replay.name
    missed, *_ = summary({JOINT: [run(0.9)], REPLAY: [run(0.8, 0.1)]}, strategy="frozen")
    assert (missed.met, "1 seed" in missed.name) == (False, True)


def test_the_interval_is_students():
    (figure,) = summary({"naive": [run(value) for value in (0.1, 0.2, 0.3)]}, strategy="frozen")
    assert "95% interval -0.0484 to 0.4484 over 3 seeds" in figure.name


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", list(WAYS))
def test_every_way_is_a_scenario(name, strategy, tmp_path):
    from flows.scenario_file import whole_scenario

    raw = json.loads(json.dumps(scenario(tmp_path, strategy, {})))
    raw["recipe"]["continual"] = WAYS[name]
    assert whole_scenario(tmp_path / "steps.yaml", raw).scenario.recipe.strategy == strategy
