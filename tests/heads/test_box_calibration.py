"""What scores mean, fitted on held-out boxes."""

import numpy as np
import pytest

from heads.box_calibration import UNCHANGED, Scaling, best_threshold, fit_scaling


def test_unfitted_scores_are_probabilities_themselves():
    scores = np.array([0.1, 0.5, 0.9])
    assert UNCHANGED(scores) == pytest.approx(scores)


def test_scaling_finds_how_often_boxes_are_right():
    random = np.random.default_rng(0)
    scores = random.uniform(0.02, 0.6, size=4000)
    truly = Scaling(slope=1.5, shift=2.0)
    fitted = fit_scaling(scores, random.uniform(size=4000) < truly(scores))
    assert fitted(scores) == pytest.approx(truly(scores), abs=0.05)


def test_few_boxes_that_are_all_right_do_not_make_certain():
    assert fit_scaling(np.array([0.6, 0.7]), np.ones(2))(np.array([0.65]))[0] < 0.99


def test_without_boxes_nothing_changes():
    assert fit_scaling(np.zeros(0), np.zeros(0)) == UNCHANGED


def test_the_best_threshold_by_hand():
    # Of 3 boxes: showing 1 gives F1 2/4, 2 (both right) 4/5, 3 gives 4/6, 4 (three right) 6/7.
    probabilities, right = np.array([0.9, 0.8, 0.6, 0.5, 0.1]), np.array([1, 1, 0, 1, 0])
    assert best_threshold(probabilities, right, true=3) == 0.5
    assert best_threshold(probabilities, np.array([1, 1, 0, 0, 0]), true=3) == 0.8


def test_without_a_right_box_the_threshold_stays_in_the_middle():
    assert best_threshold(np.array([0.9]), np.zeros(1), true=1) == 0.5
    assert best_threshold(np.zeros(0), np.zeros(0), true=1) == 0.5
