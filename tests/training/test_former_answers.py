"""The divergence from former answers against numpy, and that it holds them."""

import numpy as np
import pytest
import torch

from heads.probabilities import softmax
from training.former_answers import FormerAnswers

FORMER = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)


def loss(logits, rows, *, weight=1.0):
    held = FormerAnswers(task="label", logits=FORMER, places=[0, 2], weight=weight)
    return float(held({"label": {"logits": torch.tensor(logits, dtype=torch.float32)}}, np.array(rows)))


def test_the_divergence_is_that_of_the_formula():
    logits = np.random.default_rng(1).normal(size=(2, 3))
    before, now = softmax(FORMER[[4, 1]] / 2), softmax(logits[:, [0, 2]] / 2)
    expected = 4 * (before * np.log(before / now)).sum(axis=1).mean()
    assert loss(logits, [4, 1], weight=0.5) == pytest.approx(0.5 * expected, abs=1e-6)


def test_the_same_answers_cost_nothing_whatever_is_said_of_new_labels():
    logits = np.array([[FORMER[3, 0], 50.0, FORMER[3, 1]]])
    assert loss(logits, [3]) == pytest.approx(0.0, abs=1e-6)
