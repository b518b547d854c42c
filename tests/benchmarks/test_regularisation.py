"""What is reported of each technique, from who was right where."""

import numpy as np
import pytest
import yaml

from benchmarks.regularisation import CASES, PLAIN, scenario_of, summary, verdict, ways_of
from flows.scenario_file import load_scenario

ROWS = 400


def right(share):
    return (np.arange(ROWS) < share * ROWS).astype(float)


def test_a_gain_a_loss_and_neither_are_told_apart():
    rights = [{PLAIN: right(0.8), "better": right(0.9), "worse": right(0.6), "alike": right(0.8025)}] * 2
    better, worse, alike = summary("text", rights)
    assert better.name.endswith("a significant gain")
    assert worse.name.endswith("a significant loss")
    assert alike.name.endswith("no significant gain")
    assert (better.value, better.against, better.met) == (0.9, 0.8, True)


def test_seeds_are_averaged():
    (one,) = summary("text", [{PLAIN: right(0.5), "way": right(0.5)}, {PLAIN: right(0.7), "way": right(0.9)}])
    assert (one.value, one.against) == (0.7, 0.6)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.01, 0.02, "a significant gain"), (-0.02, -0.01, "a significant loss"), (0.0, 0.1, "no significant gain")],
)
def test_an_interval_that_touches_nothing_is_no_gain(low, high, said):
    assert verdict(low, high) == said


@pytest.mark.parametrize(("name", "way"), [(name, way) for name, case in CASES.items() for way in (PLAIN, *case.ways)])
def test_every_arm_is_a_valid_scenario_that_differs_in_its_technique_alone(name, way, tmp_path):
    case = CASES[name]
    arm = scenario_of(case, case.ways.get(way, {}), seed=3, share=0.1)
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(arm), encoding="utf-8")
    assert load_scenario(str(path), overrides=[]).scenario.recipe.seed == 3
    plain = scenario_of(case, {}, seed=3, share=0.1)
    assert (arm == plain) == (way == PLAIN)
    assert {part for part in plain if arm[part] != plain[part]} == {*case.ways.get(way, {})}


def test_a_masked_model_adds_a_technique_for_texts_alone():
    assert set(ways_of(CASES["text"], "folder")) - set(CASES["text"].ways) == {"words filled in"}
    assert ways_of(CASES["pictures"], "folder") == CASES["pictures"].ways
    assert ways_of(CASES["text"], None) == CASES["text"].ways
