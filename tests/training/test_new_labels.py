"""Heads that grow keep what they knew, label by label."""

import torch

from tests.support.small_fits import task
from training.new_labels import with_new_labels


def test_known_labels_keep_their_weights_wherever_they_stand_now():
    old, new = task({"one": 4}, labels=2).state_dict(), task({"one": 4}, labels=3).state_dict()
    grown = with_new_labels(old, new, known=["b", "d"], labels=["a", "b", "d"])
    for name in ("head.linear.weight", "head.linear.bias"):
        assert torch.equal(grown[name][[1, 2]], old[name])
        assert torch.equal(grown[name][0], new[name][0])
    others = [name for name in old if not name.startswith("head.linear")]
    assert others
    assert all(torch.equal(grown[name], old[name]) for name in others)


def test_a_label_that_is_gone_is_left_out():
    old, new = task({"one": 4}, labels=2).state_dict(), task({"one": 4}, labels=2).state_dict()
    grown = with_new_labels(old, new, known=["a", "b"], labels=["b", "c"])
    assert torch.equal(grown["head.linear.weight"][0], old["head.linear.weight"][1])
    assert torch.equal(grown["head.linear.weight"][1], new["head.linear.weight"][1])
