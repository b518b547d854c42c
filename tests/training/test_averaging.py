"""Running means of weights, reckoned by hand on a model of one number."""

import pytest
import torch
from torch import nn

from training.averaging import Ema, RunningAverage, Swa


def one_number(mean):
    """A model of one number, which an optimiser moves, and of one that it does not."""
    model = nn.ParameterDict({"moved": nn.Parameter(torch.zeros(1)), "fixed": nn.Parameter(torch.ones(1))})
    return model, RunningAverage(mean=mean, model=model, optimizer=torch.optim.SGD([model["moved"]], lr=1.0))


def put(model, value):
    model["moved"].data.fill_(value)


def test_an_ema_by_hand():
    """Steps 1, 2 and 4 at a decay of a half: (0.25 x 1 + 0.5 x 2 + 1 x 4) / 1.75 = 3."""
    model, average = one_number(Ema(decay=0.5))
    for value in (1.0, 2.0, 4.0):
        put(model, value)
        average.after_step()
    assert average.weights["moved"].item() == pytest.approx(3.0)
    assert list(average.weights) == ["moved"]
    assert average.count == 3


def test_the_first_step_is_the_mean_itself():
    model, average = one_number(Ema(decay=0.999))
    put(model, 5.0)
    average.after_step()
    average.after_epoch(0)
    assert average.weights["moved"].item() == 5.0


def test_swa_is_the_plain_mean_of_the_epochs_from_its_start_on():
    model, average = one_number(Swa(start=1))
    for epoch, value in enumerate((100.0, 1.0, 2.0, 6.0)):
        put(model, value)
        average.after_step()
        average.after_epoch(epoch)
        assert bool(average.weights) == (epoch > 0)
    assert average.weights["moved"].item() == pytest.approx(3.0)


def test_swa_keeps_a_share_of_the_rate_from_its_start_on():
    swa = Swa(start=2, rate=0.25)
    assert [swa.held_rate(epoch) for epoch in range(4)] == [0.0, 0.0, 0.25, 0.25]
    assert Ema(decay=0.9).held_rate(3) == 0.0


def test_within_the_block_the_model_is_the_mean_and_afterwards_as_it_was():
    model, average = one_number(Ema(decay=0.5))
    with average.in_place():
        assert model["moved"].item() == 0.0
    for value in (1.0, 4.0):
        put(model, value)
        average.after_step()
    before = model["moved"]
    with average.in_place():
        assert model["moved"].item() == pytest.approx(3.0)
        assert model["fixed"].item() == 1.0
    assert model["moved"] is before
    assert model["moved"].item() == 4.0
    assert average.weights["moved"].item() == pytest.approx(3.0)


def test_a_mean_goes_on_where_it_was_left():
    (model, average), (other, again) = one_number(Ema(decay=0.5)), one_number(Ema(decay=0.5))
    for value in (1.0, 2.0):
        put(model, value)
        average.after_step()
    again.load(average.weights, count=average.count)
    put(other, 4.0)
    again.after_step()
    assert again.weights["moved"].item() == pytest.approx(3.0)
