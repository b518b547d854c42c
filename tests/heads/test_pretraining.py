"""The heads of pretraining: shapes, and losses that look only where something was asked."""

import math

import pytest
import torch

from heads.masking import NOT_ASKED
from heads.pretraining import MaskedLanguageHead, PictureDecoder, pixel_loss


def language_head(vocabulary=11):
    torch.manual_seed(0)
    return MaskedLanguageHead(dim=6, embedding_dim=4, vocabulary=vocabulary), torch.randn(vocabulary, 4)


def test_logits_are_over_the_vocabulary():
    head, embedding = language_head()
    assert head(torch.randn(3, 6), embedding).shape == (3, 11)


def test_the_decoder_is_tied_it_has_no_matrix_of_its_own():
    head, embedding = language_head()
    assert {name: tuple(weight.shape) for name, weight in head.named_parameters()} == {
        "bias": (11,),
        "layer.weight": (4, 6),
        "layer.bias": (4,),
        "norm.weight": (4,),
        "norm.bias": (4,),
    }
    embedding.requires_grad_()
    head.loss(torch.randn(1, 2, 6), embedding, torch.tensor([[3, NOT_ASKED]])).backward()
    assert float(embedding.grad.abs().sum()) > 0


def test_only_the_asked_places_count():
    head, embedding = language_head()
    tokens, wanted = torch.randn(2, 3, 6), torch.full((2, 3), NOT_ASKED)
    wanted[1, 2] = 5
    expected = torch.nn.functional.cross_entropy(head(tokens[1, 2:], embedding), torch.tensor([5]))
    assert torch.equal(head.loss(tokens, embedding, wanted), expected)


def test_where_nothing_is_asked_the_loss_is_zero_and_has_a_gradient():
    head, embedding = language_head()
    tokens = torch.randn(2, 3, 6, requires_grad=True)
    loss = head.loss(tokens, embedding, torch.full((2, 3), NOT_ASKED))
    loss.backward()
    assert (loss.item(), float(tokens.grad.abs().max())) == (0.0, 0.0)


def test_a_head_that_knows_nothing_costs_the_logarithm_of_the_vocabulary():
    head, embedding = language_head()
    loss = head.loss(torch.randn(1, 4, 6), torch.zeros_like(embedding), torch.tensor([[1, 2, 3, 4]]))
    assert loss.item() == pytest.approx(math.log(11))


@pytest.mark.parametrize(("size", "side"), [(32, 4), (28, 4), (8, 1)])
def test_a_map_becomes_a_picture_of_the_right_size(size, side):
    decoder = PictureDecoder(channels=5, stride=8, size=size)
    assert decoder(torch.randn(2, 5, side, side)).shape == (2, 3, size, size)


def test_each_place_of_the_map_paints_its_own_square():
    decoder = PictureDecoder(channels=1, stride=2, size=4)
    features = torch.zeros(1, 1, 2, 2)
    plain = decoder(features)
    features[0, 0, 1, 0] = 1.0
    changed = (decoder(features) - plain).abs().sum(dim=(0, 1)) > 0
    assert changed.nonzero().tolist() == [[2, 0], [2, 1], [3, 0], [3, 1]]


def test_only_the_asked_pixels_count():
    painted, pixels = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    painted[0, :, 0, 0] = torch.tensor([1.0, 2.0, 3.0])
    painted[0, :, 1, 1] = 100.0
    asked = torch.tensor([[[True, True], [False, False]]])
    assert pixel_loss(painted, pixels, asked).item() == 1.0
    assert pixel_loss(painted, pixels, torch.zeros_like(asked)).item() == 0.0
