"""The two-tower model: its correction against the definition, who is no negative, items that nobody knows."""

import math

import numpy as np
import pytest
import torch

from heads.ranking import ItemTower, TwoTower, UserTower, log_shares
from polyloom.errors import RequestError

CONTENT = np.random.default_rng(0).normal(size=(6, 5))


def towers(*, known=(1,) * 6, pooling="mean", **changed):
    torch.manual_seed(0)
    items = ItemTower(content=CONTENT, known=np.array(known, bool), dim=4, own_dropout=changed.pop("own_dropout", 0.0))
    return TwoTower(items=items, users=UserTower(dim=4, pooling=pooling, longest=8, dropout=0.0), **changed)


def unit(rows, *, seed=0):
    return torch.nn.functional.normalize(torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed)), dim=1)


def naive(users, vectors, items, seen, shares, *, temperature):
    """Yi et al., equations 2 and 3, one user at a time."""
    total = 0.0
    for row, item in enumerate(items):
        corrected = [
            float(users[row] @ vectors[other]) / temperature - shares[items[other]] for other in range(len(items))
        ]
        allowed = [
            other
            for other in range(len(items))
            if other == row or (items[other] != item and items[other] not in seen[row])
        ]
        total -= corrected[row] - math.log(sum(math.exp(corrected[other]) for other in allowed))
    return total / len(items)


@pytest.mark.parametrize("seen", [[[-1, -1]] * 4, [[3, -1], [0, 2], [-1, -1], [1, 0]]])
def test_the_loss_is_its_definition(seen):
    users, vectors, items = unit(4), unit(4, seed=1), [0, 1, 1, 3]
    shares = log_shares(np.array([0, 1, 1, 1, 3, 3]), count=6)
    loss = towers(temperature=0.2).loss(
        {"users": users, "items": vectors},
        items=torch.tensor(items),
        seen=torch.tensor(seen),
        log_shares=torch.tensor(shares),
    )
    assert loss.item() == pytest.approx(naive(users, vectors, items, seen, shares, temperature=0.2), rel=1e-5)


def test_without_the_correction_the_shares_do_not_count():
    users, vectors, items = unit(3), unit(3, seed=1), [0, 1, 3]
    loss = towers(temperature=0.2).loss(
        {"users": users, "items": vectors},
        items=torch.tensor(items),
        seen=torch.full((3, 1), -1),
        log_shares=None,
    )
    expected = naive(users, vectors, items, [[]] * 3, np.zeros(6), temperature=0.2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_shares_by_hand():
    assert np.exp(log_shares(np.array([0, 0, 2]), count=3)) == pytest.approx(np.array([2, 0.5, 1]) / 3.5)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_padding_changes_nothing(pooling):
    model = towers(pooling=pooling).eval()
    short, long = torch.tensor([[2, 4]]), torch.tensor([[2, 4, -1, -1, -1]])
    one, other = (model(history, torch.tensor([1]))["users"] for history in (short, long))
    assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_user_without_a_history_has_a_vector_of_their_own(pooling):
    model = towers(pooling=pooling).eval()
    model.users.nobody.data.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    given = model(torch.tensor([[-1, -1], [-1, -1]]), torch.tensor([1, 2]))["users"]
    assert torch.isfinite(given).all()
    assert torch.equal(given[0], given[1])


def test_the_mean_does_not_know_the_order_attention_does():
    history, turned = torch.tensor([[0, 3]]), torch.tensor([[3, 0]])
    mean, attention = towers().eval(), towers(pooling="attention").eval()
    attention.users.age.weight.data[0] = 3.0
    item = torch.tensor([1])
    assert torch.allclose(mean(history, item)["users"], mean(turned, item)["users"], atol=1e-6)
    assert not torch.allclose(attention(history, item)["users"], attention(turned, item)["users"], atol=1e-3)


def test_a_linear_layer_over_a_mean_is_served_as_vectors():
    torch.manual_seed(1)
    items = ItemTower(content=CONTENT, known=np.array([1, 1, 0, 1, 1, 1], bool), dim=4)
    model = TwoTower(items=items, users=UserTower(dim=4, layer="linear"), temperature=0.1).eval()
    served = model.served()
    weights = torch.tensor([[3.0, 1.0, 0.5], [1.0, 9.0, 9.0]])
    given = model(torch.tensor([[0, 2, 5], [4, -1, -1]]), torch.arange(6), weights)
    counts = np.array([[3, 0, 1, 0, 0, 0.5], [0, 0, 0, 0, 1, 0]])
    users = counts @ served.pooled / counts.sum(axis=1, keepdims=True)
    users /= np.linalg.norm(users, axis=1, keepdims=True)
    cosines = (given["users"] @ given["items"].T).detach().numpy()
    assert np.allclose(users @ served.offered.T, cosines, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_tower_that_is_more_than_a_mean_is_not_served_as_one(pooling):
    with pytest.raises(RequestError, match=r"are no mean of vectors\. Fit with pooling='mean' and layer='linear'"):
        towers(pooling=pooling).served()


def test_an_item_that_training_never_saw_has_its_content_alone():
    tower = towers(known=(1, 1, 0, 1, 1, 1)).items.eval()
    assert torch.equal(tower(torch.tensor([2])), tower.of_content(tower.content[2:3]))
    assert not torch.equal(tower(torch.tensor([1])), tower.of_content(tower.content[1:2]))


def test_some_known_items_are_treated_as_new_while_it_learns():
    tower = towers(own_dropout=0.5).items.train()
    vectors = tower(torch.zeros(400, dtype=torch.long))
    alone = (vectors - tower.of_content(tower.content[:1])).abs().sum(dim=1) < 1e-6
    assert float(alone.float().mean()) == pytest.approx(0.5, abs=0.1)


def test_vectors_are_of_length_one():
    given = towers()(torch.tensor([[0, 1], [2, -1]]), torch.tensor([3, 4]))
    assert all(torch.allclose(side.norm(dim=1), torch.ones(2), atol=1e-6) for side in given.values())
