"""What is reported of plain and adversarial training, from who was right where."""

import numpy as np
import pytest

from benchmarks.adversarial import CASES, interval, scenario_of, summary
from flows.scenario_file import load_scenario

ROWS = 200


def right(share):
    return (np.arange(ROWS) < share * ROWS).astype(float)


def arms(plain, adversarial):
    return [
        {
            "plain": {"clean": right(plain[0]), "attacked": right(plain[1])},
            "adversarial": {"clean": right(adversarial[0]), "attacked": right(adversarial[1])},
        }
    ] * 2


def test_more_robust_and_as_good_meets_both_goals():
    clean, attacked = summary("text", arms((0.9, 0.4), (0.895, 0.6)))
    assert (clean.value, clean.against, clean.met) == (0.895, 0.9, True)
    assert (attacked.value, attacked.against, attacked.met) == (0.6, 0.4, True)


def test_too_much_lost_and_too_little_gained_are_missed():
    clean, attacked = summary("text", arms((0.9, 0.4), (0.85, 0.42)))
    assert (clean.met, attacked.met) == (False, False)


def test_the_interval_holds_the_mean():
    low, high = interval(right(0.3))
    assert low < 0.3 < high
    assert high - low == pytest.approx(4 * np.sqrt(0.3 * 0.7 / ROWS), rel=0.15)


@pytest.mark.parametrize("name", list(CASES))
def test_both_arms_are_valid_scenarios_that_differ_in_the_attack_alone(name, tmp_path):
    import yaml

    case = CASES[name]
    plain, attacked = (
        scenario_of(case, seed=3, adversarial=given, share=0.1) for given in (None, dict(case.adversarial))
    )
    assert plain["data"][case.source]["sample"]["train"] == case.rows["train"] // 10
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(attacked), encoding="utf-8")
    loaded = load_scenario(str(path), overrides=[]).scenario
    assert loaded.recipe.adversarial.kind == case.adversarial["kind"]
    assert loaded.robustness.attack.steps == 10
    assert attacked["recipe"].pop("adversarial") == case.adversarial
    assert attacked == plain
