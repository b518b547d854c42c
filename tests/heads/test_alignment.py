"""The alignment head: unit vectors, a loss checked by a naive loop, and what is no negative."""

import math

import numpy as np
import pytest
import torch

from heads.alignment import AlignmentHead, belonging, symmetric_loss


def head(**changed):
    torch.manual_seed(0)
    return AlignmentHead(**{"dims": (6, 4), "dim": 5, **changed})


def outputs(rows, *, seed=0, dim=5):
    random = np.random.default_rng(seed)
    first, second = (torch.tensor(random.normal(size=(rows, dim)), dtype=torch.float32) for _ in range(2))
    return {name: torch.nn.functional.normalize(side, dim=1) for name, side in (("first", first), ("second", second))}


def numbers(first, second):
    return {"first": torch.tensor(first), "second": torch.tensor(second)}


def naive(outputs, first, second, *, scale):
    """The definition, pair by pair."""
    pairs = set(zip(first, second, strict=True))
    cosines = (outputs["first"] @ outputs["second"].T).tolist()
    rows = range(len(first))
    total = 0.0
    for row in rows:
        for turned in (False, True):
            scores = [scale * (cosines[other][row] if turned else cosines[row][other]) for other in rows]
            together = [(first[o], second[row]) if turned else (first[row], second[o]) for o in rows]
            denominator = sum(
                math.exp(score) for other, score in enumerate(scores) if other == row or together[other] not in pairs
            )
            total -= math.log(math.exp(scores[row]) / denominator)
    return total / (2 * len(first))


@pytest.mark.parametrize("hidden", [0, 7])
def test_outputs_are_unit_vectors_of_the_asked_length(hidden):
    given = head(hidden=hidden)(torch.randn(3, 6), torch.randn(3, 4))
    assert {name: tuple(side.shape) for name, side in given.items()} == {"first": (3, 5), "second": (3, 5)}
    assert all(torch.allclose(side.norm(dim=1), torch.ones(3), atol=1e-6) for side in given.values())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 0, 1, 2], [0, 1, 2, 3]),
        ([0, 0, 1, 2], [0, 1, 1, 3]),
        ([5, 5, 5, 5], [0, 1, 2, 3]),
    ],
)
def test_the_loss_is_its_definition(first, second):
    given, module = outputs(4), head(temperature=0.1)
    assert module.loss(given, numbers(first, second)).item() == pytest.approx(
        naive(given, first, second, scale=10.0), rel=1e-5
    )


def test_two_captions_of_one_picture_are_not_pushed_apart():
    given = outputs(2)
    given = {name: side.clone().requires_grad_() for name, side in given.items()}
    head().loss(given, numbers([0, 0], [0, 1])).backward()
    assert all(float(side.grad.abs().max()) == 0.0 for side in given.values())


def test_values_that_a_third_row_holds_together_belong_together():
    belongs = belonging(torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1]))
    assert belongs.tolist() == [[True, True, True], [False, True, True], [True, True, True]]


def test_perfect_pairs_cost_nothing():
    assert float(symmetric_loss(100.0 * torch.eye(4), torch.eye(4, dtype=torch.bool))) == pytest.approx(0.0, abs=1e-6)


def test_pairs_that_say_nothing_cost_the_logarithm_of_the_batch():
    assert float(symmetric_loss(torch.zeros(8, 8), torch.eye(8, dtype=torch.bool))) == pytest.approx(math.log(8))


def test_rows_that_miss_a_side_do_not_count():
    given, module = outputs(4), head()
    part = {name: side[[0, 2]] for name, side in given.items()}
    assert torch.equal(
        module.loss(given, numbers([0, -1, 1, 2], [0, 1, 2, -1])), module.loss(part, numbers([0, 1], [0, 2]))
    )


def test_where_nothing_is_known_the_loss_is_zero_and_has_a_gradient():
    module = head()
    loss = module.loss(module(torch.randn(2, 6), torch.randn(2, 4)), numbers([-1, -1], [0, 1]))
    loss.backward()
    assert loss.item() == 0.0
    assert float(module.log_scale.grad) == 0.0


def test_the_temperature_is_learned_and_never_steeper_than_a_hundredth():
    module = head()
    module.log_scale.data.fill_(10.0)
    given = outputs(3)
    assert module.loss(given, numbers([0, 1, 2], [0, 1, 2])).item() == pytest.approx(
        naive(given, [0, 1, 2], [0, 1, 2], scale=100.0), rel=1e-4
    )
    module.log_scale.data.fill_(1.0)
    module.loss(given, numbers([0, 1, 2], [0, 1, 2])).backward()
    assert float(module.log_scale.grad) != 0.0


def test_it_learns_a_rotation():
    random = np.random.default_rng(0)
    first = torch.tensor(random.normal(size=(64, 24)), dtype=torch.float32)
    second = first @ torch.tensor(np.linalg.qr(random.normal(size=(24, 24)))[0], dtype=torch.float32)
    module, rows = head(dims=(24, 24), dim=16), torch.arange(64)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        module.loss(module(first, second), {"first": rows, "second": rows}).backward()
        optimizer.step()
    fresh = torch.tensor(random.normal(size=(64, 24)), dtype=torch.float32)
    turned = torch.linalg.lstsq(first, second).solution
    given = module(fresh, fresh @ turned)
    found = (given["first"] @ given["second"].T).argmax(dim=1)
    assert float((found == rows).float().mean()) > 0.9


def test_what_is_solved_is_no_longer_learned_and_finds_its_pairs():
    random = np.random.default_rng(0)
    factors = random.normal(size=(300, 3))
    first, second = (
        (factors @ random.normal(size=(3, width)) + 0.1 * random.normal(size=(300, width))).astype(np.float32)
        for width in (6, 4)
    )
    solved = head(learned=False)
    solved.begin_at(first[:200], second[:200], shrinkage=(0.1, 0.1))
    assert not any(parameter.requires_grad for parameter in solved.parameters())
    found = solved(torch.from_numpy(first[200:]), torch.from_numpy(second[200:]))
    nearest = (found["first"] @ found["second"].T).argmax(dim=1)
    assert (nearest == torch.arange(100)).float().mean() > 0.2
