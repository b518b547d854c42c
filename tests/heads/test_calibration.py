"""Temperatures that are known beforehand are found again."""

import math

import numpy as np
import pytest

from heads.calibration import fit_temperature, negative_log_likelihood
from heads.decoding import sigmoid, softmax


def honest(rows=6000, *, seed=0):
    """Logits, and labels drawn from exactly the probabilities that they say."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2.0, size=(rows, 4))
    edges = softmax(logits).cumsum(axis=1)
    return logits, (random.random((rows, 1)) > edges).sum(axis=1).clip(max=3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature):
    logits, truth = honest()
    assert fit_temperature(logits * temperature, truth, multilabel=False) == pytest.approx(temperature, rel=0.06)


def test_a_known_temperature_of_many_labels_is_recovered():
    random = np.random.default_rng(1)
    logits = random.normal(scale=2.0, size=(4000, 3))
    truth = random.random(logits.shape) < sigmoid(logits)
    assert fit_temperature(logits * 2.5, truth, multilabel=True) == pytest.approx(2.5, rel=0.06)


def test_a_few_rows_that_are_all_right_do_not_make_every_answer_certain():
    logits, truth = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), np.array([0, 1, 0])
    assert 0.5 < fit_temperature(logits, truth, multilabel=False) < 1.0


def test_rows_of_unknown_labels_are_left_out():
    logits, truth = honest(500)
    more, unknown = np.vstack([logits, 50 * np.ones((40, 4))]), np.concatenate([truth, np.full(40, -1)])
    expected = fit_temperature(logits, truth, multilabel=False)
    assert fit_temperature(more, unknown, multilabel=False) == pytest.approx(expected)


@pytest.mark.parametrize("truth", [np.zeros(0, np.int64), np.array([-1, -1])])
def test_without_a_known_row_nothing_is_changed(truth):
    assert fit_temperature(np.zeros((len(truth), 3)), truth, multilabel=False) == 1.0


def test_without_rows_of_many_labels_nothing_is_changed():
    assert fit_temperature(np.zeros((0, 3)), np.zeros((0, 3), bool), multilabel=True) == 1.0


def test_likelihood_by_hand():
    logits = np.log([[1.0, 3.0], [1.0, 1.0]])
    assert negative_log_likelihood(logits, np.array([1, 0]), multilabel=False) == pytest.approx(
        -(math.log(0.75) + math.log(0.5)) / 2
    )
    mask = np.array([[True, False], [False, True]])
    expected = -(math.log(0.5) + math.log(0.25) + math.log(0.5) + math.log(0.5)) / 4
    assert negative_log_likelihood(logits, mask, multilabel=True) == pytest.approx(expected)
