"""What is drawn, and what is reported of the draws."""

from collections import Counter

import pytest

from benchmarks.few_shot import WAYS, draw, scenario, summary

ROWS = [{"text": f"{label} {number}", "category": label} for label in ("a", "b", "退款") for number in range(40)]


def test_ten_rows_a_label_are_learned_from_and_others_judged():
    parts = draw(ROWS, seed=1)
    learned = {row["text"] for row in parts["train"]}
    assert Counter(row["category"] for row in parts["train"]) == dict.fromkeys(("a", "b", "退款"), 10)
    assert {row["text"] for row in parts["again"]} < learned
    assert not learned & {row["text"] for row in parts["judged"]}
    assert (draw(ROWS, seed=1), draw(ROWS, seed=2)["train"] == parts["train"]) == (parts, False)


def test_the_first_way_has_the_goal():
    first, second = summary({name: [0.86, 0.89] for name in list(WAYS)[:2]})
    assert (first.value, first.met, first.against) == (pytest.approx(0.875), True, 0.855)
    assert "sd 0.0212 over 2 draws" in first.name
    assert second.goal == "shown"
    (missed,) = summary({next(iter(WAYS)): [0.86]})
    assert not missed.met


@pytest.mark.parametrize("name", list(WAYS))
def test_every_way_is_a_scenario(name, tmp_path):
    from flows.scenario_file import whole_scenario

    raw = scenario(WAYS[name], tmp_path, name="few")
    assert whole_scenario(tmp_path / "few.yaml", raw).scenario.tasks["intent"].kind == "classification"
