"""The relation head's places and loss by hand."""

import math

import numpy as np
import pytest
import torch

from heads.relation import RelationHead, mean_between, token_at

# [batch 2, tokens 6, dim 2]: token t of row r is (10 r + t, 1).
TOKENS = torch.stack([torch.stack([torch.arange(6.0) + 10 * row, torch.ones(6)], dim=1) for row in range(2)])
PLACES = torch.tensor([[1, 2, 3, 5], [4, 5, 1, 3]])


def head(**options):
    return RelationHead(dim=2, labels=3, hidden=4, **options)


def test_token_and_mean_at_places():
    assert token_at(TOKENS, PLACES[:, 0])[:, 0].tolist() == [1, 14]
    assert mean_between(TOKENS, PLACES[:, 2], PLACES[:, 3])[:, 0].tolist() == [4, 12]
    assert mean_between(TOKENS, PLACES[:, 2], PLACES[:, 2])[:, 0].tolist() == [3, 11]


def test_the_head_sees_the_first_token_and_both_stretches():
    given = head().eval()
    tokens = torch.randn(2, 6, 2, requires_grad=True)
    given(tokens, {"markers": PLACES})["logits"].sum().backward()
    touched = (tokens.grad.abs().sum(2) > 0).tolist()
    assert touched == [[True, True, True, True, True, True], [True, True, True, True, True, True]]
    tokens.grad = None
    given(tokens, {"markers": torch.tensor([[2, 2, 4, 4]] * 2)})["logits"].sum().backward()
    assert (tokens.grad.abs().sum(2) > 0).tolist() == [[True, False, True, False, True, False]] * 2


def test_the_stretches_are_told_apart():
    given = head().eval()
    one = given(TOKENS, {"markers": PLACES})["logits"]
    other = given(TOKENS, {"markers": PLACES[:, [2, 3, 0, 1]]})["logits"]
    assert not torch.allclose(one, other)


def test_padding_tokens_change_nothing():
    given = head().eval()
    padded = torch.cat([TOKENS, torch.full((2, 3, 2), 7.0)], dim=1)
    side = {"markers": PLACES}
    torch.testing.assert_close(given(TOKENS, side)["logits"], given(padded, side)["logits"])


def test_loss_is_weighted_cross_entropy_over_known_rows():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.5, 2.0], [3.0, 1.0, 1.0]])
    truth = {"labels": torch.tensor([0, -1, 1])}
    costs = [
        math.log(sum(math.exp(value) for value in row)) - row[label]
        for row, label in ((logits[0].tolist(), 0), (logits[2].tolist(), 1))
    ]
    assert float(head().loss({"logits": logits}, truth)) == pytest.approx(sum(costs) / 2)
    weighted = head(class_weights=np.array([3.0, 1.0, 1.0])).loss({"logits": logits}, truth)
    assert float(weighted) == pytest.approx((3 * costs[0] + costs[1]) / 4)


def test_no_known_row_gives_no_loss_and_no_gradient():
    logits = torch.ones(2, 3, requires_grad=True)
    loss = head().loss({"logits": logits}, {"labels": torch.tensor([-1, -1])})
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not logits.grad.any()
