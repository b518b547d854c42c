"""What is deleted, and what is reported of it."""

import numpy as np
import pytest
import yaml

from benchmarks.explanation import CASES, INTACT, RANDOM, SHARES, interval, probability, scenario_of, summary
from flows.scenario_file import load_scenario

ROWS = 200


def fallen(after, random):
    noise = np.random.default_rng(0).normal(scale=0.2, size=ROWS)
    found = {(INTACT, 0.0): np.full(ROWS, 0.9)}
    for share in SHARES:
        found["occlusion", share] = after + noise
        found[RANDOM, share] = random + noise[::-1]
    return found


def test_what_falls_further_than_at_random_is_met():
    figures = summary("text", ["occlusion"], [fallen(0.4, 0.7)] * 2)
    assert len(figures) == len(SHARES)
    assert all(one.met for one in figures)
    assert figures[0].value == pytest.approx(0.3, abs=0.03)
    assert figures[0].against == pytest.approx(0.7, abs=0.03)
    assert "probability 0.900 intact" in figures[0].name


def test_what_falls_no_further_is_missed():
    assert not any(one.met for one in summary("text", ["occlusion"], [fallen(0.7, 0.7)]))
    assert not any(one.met for one in summary("text", ["occlusion"], [fallen(0.8, 0.7)]))


def test_the_interval_holds_the_mean_and_scores_become_probabilities():
    values = np.random.default_rng(1).normal(size=ROWS)
    low, high = interval(values)
    assert low < values.mean() < high
    assert probability(np.array([0.0, np.log(3.0)])) == pytest.approx([0.5, 0.75])


@pytest.mark.parametrize("name", list(CASES))
def test_every_case_is_a_scenario_of_one_modality(name, tmp_path):
    case = CASES[name]
    weights = tmp_path / "weights.safetensors"
    scenario = scenario_of(case, seed=3, share=0.1, weights=weights)
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    loaded = load_scenario(str(path), overrides=[]).scenario
    assert list(loaded.modalities) == [case.modality]
    assert loaded.recipe.seed == 3
    assert scenario["data"][case.source]["sample"]["train"] == case.rows["train"] // 10
