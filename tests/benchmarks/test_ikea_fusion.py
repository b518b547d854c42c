"""What is reported of text, picture and both, from who was right where."""

import numpy as np
import pytest

from benchmarks.ikea_fusion import deep_update, interval, summary

NAMES = np.array([f"name {number // 4}" for number in range(200)])


def answers(**shares):
    """Right for as large a share of the rows, the same rows first."""
    rows = np.random.default_rng(0).permutation(len(NAMES))
    return {name: (rows < share * len(NAMES)).astype(float) for name, share in shares.items()}


def figures(**shares):
    found = {"text": 0.6, "picture": 0.7, "both": 0.8, "both, no picture": 0.6, **shares}
    return summary({1: answers(**found), 2: answers(**found)}, NAMES)


def test_both_goals_are_met_where_both_gains_and_its_text_is_as_good():
    shown, gain, kept = figures()[:4], *figures()[4:]
    assert [one.value for one in shown] == [0.6, 0.7, 0.8, 0.6]
    assert (gain.value, gain.met) == (pytest.approx(0.1), True)
    assert (kept.value, kept.against, kept.met) == (0.6, 0.6, True)
    assert "both above picture alone" in gain.name


def test_a_small_gain_and_a_lost_text_are_missed():
    *_, gain, kept = figures(both=0.72, **{"both, no picture": 0.4})
    assert (gain.met, kept.met) == (False, False)


def test_intervals_are_wider_where_rows_of_a_name_stand_together():
    alone = np.random.default_rng(1).random(len(NAMES)) < 0.5
    together = np.repeat(np.random.default_rng(1).random(len(NAMES) // 4) < 0.5, 4)
    widths = [np.ptp(interval(values.astype(float), NAMES)) for values in (alone, together)]
    assert widths[1] > 1.5 * widths[0]


def test_rows_that_were_not_judged_do_not_count():
    values = np.array([1.0, np.nan, 1.0, np.nan])
    assert interval(values, np.array(["a", "a", "b", "c"])) == (1.0, 1.0)


def test_nested_keys_are_changed_and_others_stay():
    scenario = {"recipe": {"epochs": 3, "seed": 7}, "tasks": {}}
    deep_update(scenario, {"recipe": {"epochs": 5}})
    assert scenario == {"recipe": {"epochs": 5, "seed": 7}, "tasks": {}}
