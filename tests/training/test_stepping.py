"""A step in pieces: the same gradient whatever the pieces, smaller ones when memory runs out."""

import numpy as np
import pytest
import torch
from torch import nn

from polyloom.errors import DataError
from training.stepping import Stepping
from training.team import ALONE

VALUES = torch.arange(1.0, 9.0)


def stepping(loss_of, model, **changed):
    said = []
    made = Stepping(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        loss_of=loss_of,
        team=ALONE,
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        log=said.append,
        **changed,
    )
    return made, said


def linear():
    """A weight of 0; its loss is weight * the mean of the rows' values, its gradient that mean."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model


def weight_after(model):
    return model.weight.item()


def mean_of(model, seen=None, limit=99):
    def loss_of(rows, random):
        if len(rows) > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if seen is not None:
            seen.append(rows.tolist())
        return (model.weight * VALUES[torch.from_numpy(rows)] / 100).mean()

    return loss_of


@pytest.mark.parametrize("cut", [1, 2, 3, 8])
def test_each_row_of_a_group_counts_alike_whatever_the_pieces(cut):
    model = linear()
    made, _ = stepping(mean_of(model), model, cut=cut)
    made.step([np.arange(5), np.arange(5, 8)], epoch=0, step=0, seeds=(7,))
    assert weight_after(model) == pytest.approx(-4.5 / 100)


def test_memory_that_runs_out_halves_the_pieces_and_the_step_is_the_same():
    model, seen = linear(), []
    made, said = stepping(mean_of(model, seen, limit=3), model)
    result = made.step([np.arange(8)], epoch=0, step=0, seeds=(7,))
    assert weight_after(model) == pytest.approx(-4.5 / 100)
    assert seen == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert result.rows == 8
    assert said == [
        "out of memory with 8 rows at a time: goes on with 4; a step still sees 8.",
        "out of memory with 4 rows at a time: goes on with 2; a step still sees 8.",
    ]
    made.step([np.arange(8)], epoch=0, step=1, seeds=(7,))
    assert len(said) == 2


def test_memory_that_runs_out_in_the_middle_of_a_step_leaves_nothing_of_it():
    model, calls = linear(), []

    def loss_of(rows, random):
        calls.append(len(rows))
        if len(calls) == 2:
            raise MemoryError("Unable to allocate 3.2 GiB for an array")
        return mean_of(model)(rows, random)

    made, _ = stepping(loss_of, model)
    made.step([np.arange(4), np.arange(4, 8)], epoch=0, step=0, seeds=(7,))
    assert calls == [4, 4, 2, 2, 2, 2]
    assert weight_after(model) == pytest.approx(-4.5 / 100)


def test_a_single_row_that_does_not_fit_ends_the_fit():
    model = linear()
    made, _ = stepping(mean_of(model, limit=0), model)
    with pytest.raises(
        DataError, match=r"out of memory with a single row at a time: .* recipe.gradient_checkpointing: true"
    ):
        made.step([np.arange(4)], epoch=0, step=0, seeds=(7,))


def test_other_errors_are_not_taken_for_memory():
    def loss_of(rows, random):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    made, _ = stepping(loss_of, linear())
    with pytest.raises(RuntimeError, match="mat1"):
        made.step([np.arange(4)], epoch=0, step=0, seeds=(7,))


def test_a_loss_that_is_no_number_is_told_with_its_place():
    model = linear()
    made, _ = stepping(lambda rows, random: model.weight.sum() * float("nan"), model)
    with pytest.raises(DataError, match=r"the loss is nan at epoch 3, step 17: lower recipe.learning_rate"):
        made.step([np.arange(4)], epoch=2, step=17, seeds=(7,))


def test_a_piece_draws_the_same_random_numbers_whatever_came_before():
    drawn = []

    def loss_of(rows, random):
        drawn.append((float(torch.rand(())), float(random.random())))
        return model.weight.sum()

    model = linear()
    made, _ = stepping(loss_of, model)
    for seeds in ((7, 0), (7, 1), (7, 0)):
        torch.rand(5)
        made.step([np.arange(2), np.arange(2, 4)], epoch=0, step=0, seeds=seeds)
    first, second, again = drawn[:2], drawn[2:4], drawn[4:]
    assert first == again
    assert len({*first, *second}) == 4
