"""What an attack may do, and that it harms."""

import numpy as np
import pytest
import torch

from tests.support.attacked_fits import PICTURES, TEXT, picture_fit, text_fit
from tests.support.strategy_fits import write_model
from training.attack import Attack, crafted, statistics_held
from training.attack_places import PixelPlace, TokenPlace, row_lengths
from training.model import Batch, make_batch


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("bert"), "bert")


def setting(fit, rows=12):
    """A fit's model without dropout, its batch, and the loss at a change."""
    place = fit.adversary.place
    fit.model.eval()
    batch = make_batch(fit.inputs, np.arange(rows), device=torch.device("cpu"), tasks=("label",))

    def loss_at(shift):
        return fit._loss(place.answer(fit.model, batch, shift), batch)

    return place, batch, loss_at


def found(fit, **changed):
    place, batch, loss_at = setting(fit)
    attack = Attack(**{**vars(fit.adversary.attack), **changed})
    shift = crafted(attack, place, batch, loss_at, random=np.random.default_rng(0))
    return shift, batch, loss_at(shift).item() - loss_at(place.zeros(batch)).item()


def test_a_step_of_fgm_is_epsilon_long_in_each_text(bert, tmp_path):
    shift, _, gain = found(text_fit(bert, tmp_path, TEXT["fgm"]), epsilon=0.7)
    torch.testing.assert_close(row_lengths(shift).flatten(), torch.full((12,), 0.7))
    assert gain > 0
    assert not shift.requires_grad


@pytest.mark.parametrize("kind", ["fgm", "pgd"])
def test_padding_is_left_alone(kind, bert, tmp_path):
    shift, batch, _ = found(text_fit(bert, tmp_path, TEXT[kind]))
    padding = batch.arrays["one"]["attention_mask"] == 0
    assert padding.any()
    assert (shift[padding] == 0).all()
    assert (shift[~padding].norm(dim=1) > 0).all()


def test_pgd_stays_in_the_ball_and_more_steps_find_more(bert, tmp_path):
    fit = text_fit(bert, tmp_path, TEXT["pgd"])
    gains = []
    for steps in (1, 8):
        shift, _, gain = found(fit, epsilon=2.0, steps=steps)
        assert (row_lengths(shift) <= 2.0 + 1e-5).all()
        gains.append(gain)
    assert gains[1] > gains[0]


def test_pixels_move_by_epsilon_and_stay_pixels(tmp_path):
    for name in ("fgsm", "pgd"):
        fit = picture_fit(tmp_path / name, PICTURES[name])
        shift, batch, gain = found(fit)
        pixels = batch.arrays["image"]["pixels"] * 0.5 + 0.5
        assert shift.abs().max() <= 0.03 + 1e-6
        assert shift.abs().max() == pytest.approx(0.03, abs=1e-6)
        assert ((pixels + shift) >= -1e-6).all()
        assert ((pixels + shift) <= 1 + 1e-6).all()
        assert gain > 0


def test_white_pixels_do_not_become_whiter():
    place = PixelPlace(name="image", mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    white = ((1.0 - mean) / deviation).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    batch = Batch(np.arange(1), {}, {"image": {"pixels": white}}, {"image": torch.ones(1)}, ("label",))
    up = torch.ones(1, 3, 2, 2)
    assert (place.moved(batch, torch.zeros_like(up), up, step=0.1, epsilon=0.1).abs() < 1e-6).all()
    torch.testing.assert_close(place.moved(batch, torch.zeros_like(up), -up, step=0.1, epsilon=0.1), -0.1 * up)


def test_a_linear_model_is_attacked_along_its_weights():
    """The worst L2 change of a linear loss is epsilon x w / |w|, by hand."""
    place = TokenPlace.__new__(TokenPlace)
    place.name, place._dim = "text", 2
    arrays = {"input_ids": torch.ones(1, 3, dtype=torch.long), "attention_mask": torch.tensor([[1, 1, 0]])}
    batch = Batch(np.arange(1), {}, {"text": arrays}, {"text": torch.ones(1)}, ("label",))
    slope = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
    shift = crafted(
        Attack(kind="fgm", epsilon=1.0),
        place,
        batch,
        lambda given: (given * slope).sum(),
        random=np.random.default_rng(0),
    )
    torch.testing.assert_close(shift, torch.tensor([[[0.6, 0.0], [0.0, 0.8], [0.0, 0.0]]]))


def test_gradients_that_are_no_numbers_move_nothing(bert, tmp_path):
    place, batch, _ = setting(text_fit(bert, tmp_path, TEXT["fgm"]))
    start = place.zeros(batch)
    assert (place.moved(batch, start, torch.full_like(start, torch.nan), step=1.0, epsilon=1.0) == 0).all()


def test_held_statistics_do_not_move(tmp_path):
    norm = torch.nn.BatchNorm1d(3)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    with statistics_held(norm):
        held = norm(torch.randn(8, 3) + 5)
    assert held.mean().abs() < 1e-5
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())
    norm(torch.randn(8, 3) + 5)
    assert norm.num_batches_tracked == 1
