"""Losses that know costs: each against its definition, each equal to cross-entropy where costs say nothing."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from heads.cost_losses import ExpectedCost, HierarchicalCrossEntropy, SoftLabels
from heads.costs import LabelTree
from tests.heads.test_costs import LABELS, TREE

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 0.5, 3.0, 0.2], [-1.0, -1.0, 0.0, 2.0]])
TRUTH = torch.tensor([0, 1, 3])
PLAIN = float(functional.cross_entropy(LOGITS, TRUTH))


def test_the_expected_cost_by_hand():
    costs = np.array([[0.0, 3.0], [1.0, 0.0]])
    logits = torch.tensor([[math.log(0.8), math.log(0.2)]])
    # A mistake costs 2 on average; the chance of the dear one is 0.2.
    loss = ExpectedCost(costs, weight=2.0)(logits, torch.tensor([0]))
    assert float(loss) == pytest.approx(2.0 * 0.2 * 3.0 / 2.0)


def test_without_weight_or_costs_nothing_is_added():
    assert float(ExpectedCost(TREE.distances(), weight=0.0)(LOGITS, TRUTH)) == 0.0
    assert float(ExpectedCost(np.zeros((4, 4)))(LOGITS, TRUTH)) == 0.0


def test_soft_labels_by_hand():
    shares = np.exp(-2.0 * TREE.distances()[[0, 1, 3]])
    shares /= shares.sum(axis=1, keepdims=True)
    expected = -(shares * LOGITS.log_softmax(dim=1).numpy()).sum(axis=1).mean()
    assert float(SoftLabels(TREE.distances(), sharpness=2.0)(LOGITS, TRUTH)) == pytest.approx(expected, rel=1e-5)


def test_sharp_soft_labels_are_cross_entropy():
    assert float(SoftLabels(TREE.distances(), sharpness=1000.0)(LOGITS, TRUTH)) == pytest.approx(PLAIN)


def hxe(logits, truth, *, tree, decay):
    """The definition, node by node."""
    total = 0.0
    for row, label in zip(logits.softmax(dim=1).tolist(), truth.tolist(), strict=True):
        chain = tree.chains[label]
        for child, parent in itertools.pairwise(chain):
            below = sum(row[place] for place in np.flatnonzero(tree.members(child)))
            above = sum(row[place] for place in np.flatnonzero(tree.members(parent)))
            total -= math.exp(-decay * len(parent)) * math.log(below / above)
    return total / len(truth)


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.6])
def test_hierarchical_cross_entropy_is_its_definition(decay):
    loss = HierarchicalCrossEntropy(TREE, decay=decay)(LOGITS, TRUTH)
    assert float(loss) == pytest.approx(hxe(LOGITS, TRUTH, tree=TREE, decay=decay), rel=1e-5)


def test_without_decay_it_is_cross_entropy():
    assert float(HierarchicalCrossEntropy(TREE, decay=0.0)(LOGITS, TRUTH)) == pytest.approx(PLAIN, rel=1e-5)


def test_without_decay_it_is_cross_entropy_in_an_uneven_tree():
    tree = LabelTree.of({"cat": "", "dog": "x/y/z", "oak": "x", "rose": "x/y"}, labels=LABELS)
    assert float(HierarchicalCrossEntropy(tree, decay=0.0)(LOGITS, TRUTH)) == pytest.approx(PLAIN, rel=1e-5)


@pytest.mark.parametrize("size", [1.0, 100.0, 1000.0])
def test_its_gradient_is_a_number_however_sure_the_logits_are(size):
    logits = (LOGITS * size).requires_grad_()
    HierarchicalCrossEntropy(TREE, decay=0.3)(logits, torch.tensor([3, 2, 0])).backward()
    assert bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize(
    "loss", [ExpectedCost(TREE.distances()), SoftLabels(TREE.distances()), HierarchicalCrossEntropy(TREE, decay=0.5)]
)
def test_a_mistake_nearby_costs_less_than_one_far_away(loss):
    near, far = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 4.0, 0.0]])
    assert float(loss(near, torch.tensor([0]))) < float(loss(far, torch.tensor([0])))


@pytest.mark.parametrize("kind", [ExpectedCost, SoftLabels, HierarchicalCrossEntropy])
def test_nothing_of_it_is_saved_with_the_weights(kind):
    assert kind(TREE if kind is HierarchicalCrossEntropy else TREE.distances()).state_dict() == {}
