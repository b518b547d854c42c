"""Gradient checkpointing: the same gradients from fewer kept activations."""

import pytest
import timm
import torch
from torch import nn

from modalities.encoders.picture import PictureEncoder
from modalities.encoders.recomputing import recompute_activations
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert


@pytest.fixture
def text(tmp_path):
    """A BERT of four blocks."""
    folder = write_bert(tmp_path / "bert", layers=4)
    return build_text_encoder(model="tiny", weights=str(folder), pooling="mean"), {
        "input_ids": torch.randint(5, 20, (4, 16)),
        "attention_mask": torch.ones(4, 16, dtype=torch.int64),
    }


@pytest.fixture
def picture():
    """A small vision transformer, which has no batch statistics."""
    torch.manual_seed(0)
    backbone = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=0, depth=4)
    return PictureEncoder(backbone=backbone, dim=192), {"pixels": torch.randn(2, 3, 32, 32)}


def gradients_and_kept(encoder, arrays):
    """Gradients by name, and the number of values that the forward pass kept for the backward pass."""
    kept = []

    def note(tensor):
        kept.append(tensor.numel())
        return tensor

    encoder.train()
    encoder.zero_grad()
    torch.manual_seed(3)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        total = encoder(**arrays).pooled.square().sum()
    total.backward()
    found = {name: one.grad.clone() for name, one in encoder.named_parameters() if one.grad is not None}
    return found, sum(kept)


@pytest.mark.parametrize("kind", ["text", "picture"])
def test_gradients_are_the_same_and_less_is_kept(kind, request):
    encoder, arrays = request.getfixturevalue(kind)
    plain, kept = gradients_and_kept(encoder, arrays)
    recompute_activations(encoder, name=kind)
    again, kept_less = gradients_and_kept(encoder, arrays)
    assert plain.keys() == again.keys()
    assert len(plain) > 20
    for name, tensor in plain.items():
        torch.testing.assert_close(again[name], tensor, rtol=1e-5, atol=1e-6)
    assert kept_less < kept / 2


class NoCheckpoints(nn.Module):
    """As timm's models say that they cannot."""

    def set_grad_checkpointing(self, enable=True):
        """Refuse."""
        assert not enable, "gradient checkpointing not supported"


@pytest.mark.parametrize("module", [nn.Linear(2, 2), nn.Sequential(NoCheckpoints())])
def test_a_model_that_cannot_is_refused(module):
    with pytest.raises(RequestError, match=r"recipe.gradient_checkpointing: the model of 'photo' .* does not offer it"):
        recompute_activations(module, name="photo")
