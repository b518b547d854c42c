"""Metrics by hand, and against scikit-learn on random rows."""

import numpy as np
import pytest

from heads.decoding import SCORERS
from heads.metrics import accuracy, expected_calibration_error, macro_f1, micro_f1

TRUTH, PREDICTED = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 0])
MASKS = (
    np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]], bool),
    np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool),
)


def test_one_label_by_hand():
    assert accuracy(TRUTH, PREDICTED) == 3 / 6
    # Hits, predicted, true: (2, 3, 3), (1, 2, 2), (0, 1, 1).
    assert macro_f1(TRUTH, PREDICTED) == pytest.approx((4 / 6 + 2 / 4 + 0) / 3)
    assert micro_f1(TRUTH, PREDICTED) == pytest.approx(3 / 6)


def test_many_labels_by_hand():
    assert accuracy(*MASKS) == 2 / 4
    # Hits, predicted, true: (1, 2, 2), (2, 2, 2), (1, 1, 1).
    assert macro_f1(*MASKS) == pytest.approx((0.5 + 1 + 1) / 3)
    assert micro_f1(*MASKS) == pytest.approx(2 * 4 / (5 + 5))


def test_an_unknown_label_is_wrong():
    truth, predicted = np.array([0, 1, -1]), np.array([0, 1, 1])
    assert accuracy(truth, predicted) == pytest.approx(2 / 3)
    # The unknown label is one more label, never hit.
    assert macro_f1(truth, predicted) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert micro_f1(truth, predicted) == pytest.approx(2 / 3)


def test_labels_that_nobody_has_do_not_count():
    assert macro_f1(np.array([0, 5]), np.array([0, 5])) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_one_label_as_scikit_learn(seed):
    judge = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    truth, predicted = random.integers(0, 6, 50), random.integers(0, 7, 50)
    assert accuracy(truth, predicted) == pytest.approx(judge.accuracy_score(truth, predicted))
    assert macro_f1(truth, predicted) == pytest.approx(judge.f1_score(truth, predicted, average="macro"))
    assert micro_f1(truth, predicted) == pytest.approx(judge.f1_score(truth, predicted, average="micro"))


@pytest.mark.parametrize("seed", range(5))
def test_many_labels_as_scikit_learn(seed):
    judge = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    truth, predicted = random.random((40, 4)) < 0.4, random.random((40, 4)) < 0.5
    assert accuracy(truth, predicted) == pytest.approx(judge.accuracy_score(truth, predicted))
    assert macro_f1(truth, predicted) == pytest.approx(judge.f1_score(truth, predicted, average="macro"))
    assert micro_f1(truth, predicted) == pytest.approx(judge.f1_score(truth, predicted, average="micro"))


def test_calibration_error_by_hand():
    # Bins of a tenth: (0.82, 0.88) with one right, (0.3) wrong, (1.0) right.
    confidence, right = np.array([0.82, 0.88, 0.3, 1.0]), np.array([True, False, False, True])
    expected = (2 * abs(0.85 - 0.5) + 0.3 + 0.0) / 4
    assert expected_calibration_error(confidence, right, bins=10) == pytest.approx(expected)


def test_honest_rows_have_no_calibration_error():
    confidence, right = np.full(4, 0.75), np.array([True, True, True, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(0.0)


def test_no_rows_have_no_calibration_error():
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_every_scorer_is_one_for_the_truth_itself():
    for score in SCORERS.values():
        assert score(TRUTH, TRUTH) == score(MASKS[0], MASKS[0]) == 1.0
