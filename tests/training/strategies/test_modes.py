"""What computes as in serving while the rest is trained."""

import pytest
import torch
from torch import nn

from modalities.encoders.picture import build_picture_encoder
from training.strategies.bitfit import attach_bitfit
from training.strategies.layers import attach_frozen, attach_full, attach_last_blocks
from training.strategies.low_rank import attach_lora
from training.strategies.modes import has_folded_norms, set_mode


def resnet():
    torch.manual_seed(0)
    return build_picture_encoder(model="test_resnet", weights="scratch")


def training_norms(encoder):
    return {name for name, module in encoder.named_modules() if isinstance(module, nn.BatchNorm2d) and module.training}


def statistics(encoder):
    return {name: tensor.clone() for name, tensor in encoder.state_dict().items() if "running" in name}


@pytest.mark.parametrize(
    "attach", [attach_frozen, attach_bitfit, lambda encoder: attach_lora(encoder, rank=2, alpha=2.0, dropout=0.0)]
)
def test_statistics_of_frozen_norms_stand_still(attach):
    encoder = resnet()
    attach(encoder)
    set_mode(encoder, training=True)
    assert training_norms(encoder) == set()
    before = statistics(encoder)
    encoder(torch.randn(4, 3, 64, 64))
    assert all(torch.equal(tensor, before[name]) for name, tensor in statistics(encoder).items())


def test_only_the_trained_stages_take_statistics():
    encoder = resnet()
    attach_last_blocks(encoder, blocks=1, layer_decay=1.0)
    set_mode(encoder, training=True)
    last = {name for name, module in encoder.named_modules() if isinstance(module, nn.BatchNorm2d) and "layer4" in name}
    assert training_norms(encoder) == last != set()


def test_all_norms_take_statistics_when_all_is_trained():
    encoder = resnet()
    attach_full(encoder, layer_decay=1.0, unfreeze_epochs=0)
    set_mode(encoder, training=True)
    assert len(training_norms(encoder)) == sum(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
    set_mode(encoder, training=False)
    assert training_norms(encoder) == set()


def test_dropout_of_a_frozen_part_rests_and_of_a_trained_one_works():
    encoder = nn.Sequential(
        nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    )
    encoder[0].requires_grad_(requires_grad=False)
    set_mode(encoder, training=True)
    assert (encoder[0][1].training, encoder[1][1].training) == (False, True)


def folded(*, bias):
    """A norm whose statistics were never taken."""
    norm = nn.BatchNorm2d(4)
    nn.init.constant_(norm.bias, bias)
    return nn.Sequential(nn.Conv2d(3, 4, 1), norm)


def test_a_folded_norm_is_told_from_a_new_one():
    assert has_folded_norms(folded(bias=0.3))
    assert not has_folded_norms(folded(bias=0.0))
    assert not has_folded_norms(nn.Linear(2, 2))


def test_a_folded_norm_rests_though_its_weights_are_trained():
    encoder = folded(bias=0.3)
    set_mode(encoder, training=True)
    encoder(torch.randn(4, 3, 2, 2))
    assert (encoder[0].training, encoder[1].training, int(encoder[1].num_batches_tracked)) == (True, False, 0)


def test_a_net_from_scratch_stays_one_when_it_has_learned():
    encoder = folded(bias=0.0)
    set_mode(encoder, training=True)
    encoder(torch.randn(4, 3, 2, 2))
    nn.init.constant_(encoder[1].bias, 0.3)
    set_mode(encoder, training=True)
    assert encoder[1].training


def test_published_weights_with_folded_norms_are_recognised(request):
    path = request.config.rootpath.parent / "shared" / "weights" / "mobilenetv2_100.tf_ptq_perchannel.safetensors"
    if not path.is_file():
        pytest.skip("needs the converted MobileNetV2 weights")
    assert has_folded_norms(build_picture_encoder(model="mobilenetv2_100", weights=str(path)))
