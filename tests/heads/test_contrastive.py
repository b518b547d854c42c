"""The contrastive loss against a plain loop, and where it is nought."""

import math

import pytest
import torch

from heads.contrastive import supervised_contrastive_loss


def by_a_loop(vectors, labels, temperature):
    """Equation 2 of Khosla et al., row by row."""
    unit = [vector / vector.norm() for vector in vectors]
    losses = []
    for row, one in enumerate(unit):
        others = [place for place in range(len(unit)) if place != row]
        alike = [place for place in others if labels[place] == labels[row]]
        below = sum(math.exp(float(one @ unit[place]) / temperature) for place in others)
        chances = [math.exp(float(one @ unit[place]) / temperature) / below for place in alike]
        if alike:
            losses.append(-sum(map(math.log, chances)) / len(alike))
    return sum(losses) / len(losses)


def test_it_is_the_formula():
    torch.manual_seed(0)
    vectors, labels = torch.randn(7, 5), torch.tensor([0, 1, 0, 2, 1, 0, 3])
    loss = supervised_contrastive_loss(vectors, labels, temperature=0.3)
    assert float(loss) == pytest.approx(by_a_loop(vectors, labels.tolist(), 0.3), rel=1e-5)


def test_length_says_nothing():
    torch.manual_seed(0)
    vectors, labels = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    longer = vectors * torch.arange(1, 7)[:, None]
    plain, long = (supervised_contrastive_loss(one, labels, temperature=0.1) for one in (vectors, longer))
    torch.testing.assert_close(plain, long)


def test_rows_alone_with_their_label_teach_nothing():
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = supervised_contrastive_loss(vectors, torch.tensor([0, 1, 2]), temperature=0.1)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not vectors.grad.any()


def test_labels_apart_cost_less_than_labels_mixed():
    corners = torch.eye(2).repeat(2, 1)
    apart = supervised_contrastive_loss(corners, torch.tensor([0, 1, 0, 1]), temperature=0.1)
    mixed = supervised_contrastive_loss(corners, torch.tensor([0, 0, 1, 1]), temperature=0.1)
    assert float(apart) < 0.01 < float(mixed)
