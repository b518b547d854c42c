"""Fits whose weights are averaged: what is kept, and that a stopped one goes on alike."""

import pytest
import torch

from tests.support.small_fits import full
from tests.training.test_resume import assert_same, stopped_at
from training.averaging import Ema, Swa
from training.combining import copied
from training.interpolation import Interpolation
from training.soup import GreedySoup


@pytest.fixture(autouse=True)
def one_thread():
    """Sums in another order are other sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def averaged(kind, folder, **changed):
    """A fit with a batch norm, under one way of averaging."""
    ways = {
        "ema": {"mean": Ema(decay=0.8)},
        "swa": {"mean": Swa(start=1, rate=0.5)},
        "soup": {"combination": GreedySoup(folder=folder / "epochs")},
        "interpolation": {"combination": Interpolation(shares=(0.3, 0.7), parts=("encoders.", "tasks."))},
    }
    return full(folder / "checkpoints", **ways[kind], **changed)


WAYS = ("ema", "swa", "soup", "interpolation")


@pytest.mark.parametrize("kind", WAYS)
def test_from_every_step_an_averaged_fit_goes_on_alike(kind, tmp_path):
    calm = averaged(kind, tmp_path / "calm", epochs=3)
    expected = calm.run()
    for stop in range(1, calm.position.step, 2):
        fit = averaged(kind, tmp_path / str(stop), epochs=3, checkpoint_seconds=0)
        stopped_at(fit, stop)
        torch.manual_seed(99)
        again = averaged(kind, tmp_path / str(stop), epochs=3)
        result = again.run()
        assert result.resumed_at_step == stop
        assert result.averaged == expected.averaged
        assert_same(again, result, calm, expected)


@pytest.mark.parametrize("kind", WAYS)
def test_the_model_reaches_on_validation_rows_what_is_said(kind, tmp_path):
    fit = averaged(kind, tmp_path, epochs=4)
    result = fit.run()
    outputs, _ = fit.score(fit.validation_rows)
    assert fit._watched(outputs) == result.best_metric
    assert result.best_metric > 0.6


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_the_steps_are_those_of_a_fit_without_a_mean(kind, tmp_path):
    """The mean is looked at, and the fit goes on from its own weights: optimiser states and losses stay the same."""
    plain = full(tmp_path / "plain", epochs=3)
    expected = plain.run()
    fit = averaged(kind, tmp_path / kind, epochs=3)
    if kind == "swa":
        fit.average.mean = Swa(start=1)
    result = fit.run()
    assert [epoch.train_loss for epoch in result.history] == [epoch.train_loss for epoch in expected.history]
    assert result.history[0].validation_loss != expected.history[0].validation_loss or kind == "swa"
    assert result.history[-1].validation_loss != expected.history[-1].validation_loss


def test_swa_holds_the_learning_rate(tmp_path):
    rates = [epoch.learning_rate for epoch in averaged("swa", tmp_path, epochs=4).run().history]
    assert rates[-1] == pytest.approx(0.5 * 0.03)


def test_an_interpolation_ends_on_the_line(tmp_path):
    fit = averaged("interpolation", tmp_path, epochs=2)
    begin = copied(fit.model)
    result = fit.run()
    share = result.averaged["share"]
    name = next(key for key in begin if key.endswith("head.linear.weight"))
    expected = torch.lerp(begin[name], fit.best[name], share)
    torch.testing.assert_close(fit.model.state_dict()[name], expected)


def test_a_soup_keeps_every_epoch_beside_the_checkpoints(tmp_path):
    result = averaged("soup", tmp_path, epochs=3).run()
    assert len(list((tmp_path / "epochs").iterdir())) == 3
    assert set(result.averaged["epochs"]) <= {1, 2, 3}
    assert result.best_metric >= max(epoch.metric for epoch in result.history)
