"""Averages of heads against numpy."""

import numpy as np
import pytest
import torch

from heads.averaging import Averaging
from heads.probabilities import sigmoid, softmax

MEMBERS = np.random.default_rng(0).normal(scale=3, size=(4, 5, 3)).astype(np.float32)


def averaged(kind, members=MEMBERS, name="logits"):
    return Averaging(kind)([{name: torch.from_numpy(member)} for member in members])[name].numpy()


def test_probabilities_of_one_label_are_the_mean_of_the_members():
    np.testing.assert_allclose(softmax(averaged("one label")), softmax(MEMBERS).mean(axis=0), atol=1e-6)


def test_probabilities_of_several_labels_are_the_mean_of_the_members():
    np.testing.assert_allclose(sigmoid(averaged("several labels")), sigmoid(MEMBERS).mean(axis=0), atol=1e-6)


def test_numbers_are_averaged():
    np.testing.assert_allclose(averaged("number", MEMBERS[..., 0], "values"), MEMBERS[..., 0].mean(axis=0), atol=1e-6)


def test_the_energy_is_the_members_mean():
    def energy(logits):
        return np.log(np.exp(logits).sum(axis=-1))

    np.testing.assert_allclose(energy(averaged("one label")), energy(MEMBERS).mean(axis=0), atol=1e-5)


def test_members_that_agree_say_what_each_says():
    np.testing.assert_allclose(averaged("one label", MEMBERS[[0, 0]]), MEMBERS[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["one label", "several labels"])
def test_certain_members_stay_finite(kind):
    sure = np.array([[[200.0, -200.0]], [[-200.0, 200.0]]], dtype=np.float32)
    assert np.isfinite(averaged(kind, sure)).all()
