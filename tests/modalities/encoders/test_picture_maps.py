"""Feature maps of picture models."""

import pytest
import torch
from safetensors.torch import save_file

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.picture_maps import MapShape, build_picture_maps_encoder, map_shapes
from polyloom.errors import RequestError
from training.strategies.attach import attach
from training.strategies.settings import StrategySettings

MODEL = "mobilenetv2_035"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights, as if they were published ones."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "published.safetensors"
    save_file(build_picture_encoder(model=MODEL, weights="scratch").backbone.state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def encoder(weights):
    return build_picture_maps_encoder(model=MODEL, weights=weights).eval()


def pixels(rows=2, size=64):
    return torch.randn(rows, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_maps_go_from_fine_to_coarse_and_end_with_what_the_classifier_pools(encoder):
    with torch.inference_mode():
        given = encoder(pixels())
    assert [tuple(map_.shape) for map_ in given.maps] == [(2, 32, 4, 4), (2, 1280, 2, 2)]
    torch.testing.assert_close(given.maps[-1].mean((2, 3)), given.pooled)


def test_the_pooled_embedding_is_that_of_the_plain_encoder(weights, encoder):
    plain = build_picture_encoder(model=MODEL, weights=weights).eval()
    with torch.inference_mode():
        torch.testing.assert_close(encoder(pixels()).pooled, plain(pixels()).pooled)


def test_shapes_are_known_before_anything_is_fitted():
    assert map_shapes(model=MODEL, size=64) == (MapShape(32, 4, 4), MapShape(1280, 2, 2))
    assert map_shapes(model=MODEL, size=72, finest=8)[0] == MapShape(16, 9, 9)


def test_a_model_that_ends_in_another_form_gives_its_last_map():
    assert map_shapes(model="swin_tiny_patch4_window7_224", size=224)[-1] == MapShape(768, 7, 7)


def test_layers_below_the_fixed_map_are_not_trained(encoder):
    trained = {name.partition(".blocks.")[2][:1] for name, given in encoder.named_parameters() if given.requires_grad}
    assert trained == {"3", "4", "5", "6", ""}
    fixed = {name for name, given in encoder.backbone.named_parameters() if not given.requires_grad}
    assert {"conv_stem.weight", "bn1.bias"} < fixed
    assert not any(name.startswith(("blocks.3", "blocks.6", "conv_head", "bn2")) for name in fixed)
    encoder.requires_grad_(False)
    assert not any(given.requires_grad for given in encoder.parameters())
    encoder.requires_grad_(True)
    assert {name for name, given in encoder.backbone.named_parameters() if not given.requires_grad} == fixed


def test_everything_is_trained_where_nothing_is_fixed(weights):
    encoder = build_picture_maps_encoder(model=MODEL, weights=weights, fixed_to=0)
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_from_scratch_everything_is_learned_batch_norm_too():
    encoder = build_picture_maps_encoder(model=MODEL, weights="scratch").train()
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    before = encoder.backbone.bn1.running_mean.clone()
    encoder(pixels())
    assert not torch.equal(encoder.backbone.bn1.running_mean, before)


def test_batch_norm_keeps_its_statistics(encoder):
    before = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
    encoder.train()
    encoder(pixels())
    encoder.eval()
    torch.testing.assert_close(dict(encoder.named_buffers()), before)


@pytest.mark.parametrize("model", ["vit_tiny_patch16_224", "mixer_s32_224"])
def test_a_model_without_maps_at_several_scales_is_refused(model):
    with pytest.raises(RequestError, match=f"'{model}' gives no feature maps at several scales.*'mobilenetv2_100'"):
        build_picture_maps_encoder(model=model, weights="scratch")


@pytest.mark.parametrize("strategy", ["full", "last_blocks", "frozen"])
def test_no_strategy_trains_the_fixed_layers(weights, strategy):
    encoder = build_picture_maps_encoder(model=MODEL, weights=weights)
    tuning = attach(encoder, strategy=strategy, settings=StrategySettings(), seed=0)
    tuning.begin_epoch(3)
    trained = {name for name, given in encoder.backbone.named_parameters() if given.requires_grad}
    assert not trained & encoder.fixed
    free = {name for name, _ in encoder.backbone.named_parameters()} - encoder.fixed
    assert {"full": trained == free, "last_blocks": bool(trained) and trained < free, "frozen": not trained}[strategy]
    if strategy == "last_blocks":
        assert any(name.startswith("blocks.6.") for name in trained)
