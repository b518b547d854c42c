"""The weighted sum of several losses, by hand."""

import math

import pytest
import torch

from training.loss_balance import LossBalance


def test_given_shares_are_multiplied():
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(3.0)}
    assert float(LossBalance()(losses, {"a": 1.0, "b": 0.5})) == pytest.approx(3.5)
    assert LossBalance().shares() == {}
    assert not list(LossBalance().parameters())


def test_a_learned_share_is_the_papers_formula():
    balance = LossBalance(["b"])
    with torch.no_grad():
        balance.log_variances.fill_(math.log(4.0))
    found = balance({"a": torch.tensor(2.0), "b": torch.tensor(3.0)}, {"a": 1.0})
    assert float(found.detach()) == pytest.approx(2.0 + 3.0 / 4.0 + 0.5 * math.log(4.0))
    assert balance.shares() == pytest.approx({"b": 0.25})


def test_learning_settles_where_the_variance_is_twice_the_loss():
    # d/ds (exp(-s) L + s / 2) = 0 where exp(s) = 2 L.
    balance = LossBalance(["a", "b"])
    optimizer = torch.optim.Adam(balance.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        balance({"a": torch.tensor(0.25), "b": torch.tensor(4.0)}, {}).backward()
        optimizer.step()
    assert balance.shares() == pytest.approx({"a": 2.0, "b": 0.125}, rel=1e-2)
