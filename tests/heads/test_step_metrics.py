"""Averages and forgetting by hand."""

import pytest

from heads.step_metrics import average_score, forgetting

SCORES = [[0.9, 0.1, 0.0], [0.6, 0.8, 0.2], [0.7, 0.5, 1.0]]


def test_the_average_is_over_the_steps_so_far():
    assert [average_score(SCORES, step) for step in range(3)] == pytest.approx([0.9, 0.7, 2.2 / 3])


def test_forgetting_is_the_fall_from_the_best_before():
    assert forgetting(SCORES, 0) is None
    assert forgetting(SCORES, 1) == pytest.approx(0.3)
    assert forgetting(SCORES, 2) == pytest.approx((0.9 - 0.7 + 0.8 - 0.5) / 2)


def test_a_later_step_that_helps_an_earlier_one_is_below_zero():
    assert forgetting([[0.5, 0.0], [0.75, 1.0]], 1) == pytest.approx(-0.25)


def test_steps_without_rows_are_left_out():
    assert average_score([[None, 0.1], [None, 0.8]], 1) == 0.8
    assert (average_score([[None]], 0), forgetting([[None, 0.1], [None, 0.8]], 1)) == (None, None)
