"""How encoders of every family are divided into layers."""

import pytest
import torch
from torch import nn

from modalities.encoders.layers import feature_stages, parameter_layers, token_blocks, transformer_blocks
from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from tests.support.small_fits import TinyPictureEncoder
from tests.support.tiny_models import write_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = write_bert(tmp_path_factory.mktemp("bert"))
    return build_text_encoder(model="tiny", weights=str(folder), pooling="mean")


def picture(name):
    return build_picture_encoder(model=name, weights="scratch")


def starts(layers):
    """What the names of each layer have in common, in short."""
    return [".".join(layer[0].split(".")[1:3]) for layer in layers]


@pytest.mark.parametrize("coarse", [True, False])
def test_a_bert_is_embeddings_and_blocks_without_the_pooler(bert, coarse):
    layers = parameter_layers(bert, coarse=coarse)
    assert starts(layers) == ["embeddings.word_embeddings", "encoder.layer", "encoder.layer"]
    assert all(name.startswith("backbone.encoder.layer.1.") for name in layers[2])
    named = {name for name, _ in bert.named_parameters()}
    assert named - {name for layer in layers for name in layer} == {
        "backbone.pooler.dense.weight",
        "backbone.pooler.dense.bias",
    }


def test_a_resnet_is_divided_into_stages_or_blocks():
    encoder = picture("resnet18")
    stages = parameter_layers(encoder, coarse=True)
    assert starts(stages) == ["conv1.weight", "layer1.0", "layer2.0", "layer3.0", "layer4.0"]
    blocks = parameter_layers(encoder, coarse=False)
    assert starts(blocks)[1:5] == ["layer1.0", "layer1.1", "layer2.0", "layer2.1"]
    for layers in (stages, blocks):
        assert sorted(name for layer in layers for name in layer) == sorted(dict(encoder.named_parameters()))


def test_a_vits_last_norm_belongs_to_its_last_block():
    layers = parameter_layers(picture("test_vit"), coarse=True)
    assert any(name.startswith("backbone.norm.") for name in layers[-1])
    assert any(name.startswith("backbone.blocks.") for name in layers[-1])


@pytest.mark.parametrize(
    "name", ["test_convnext", "test_efficientnet", "mobilenetv2_100", "inception_v3", "test_byobnet"]
)
def test_every_parameter_has_one_layer(name):
    encoder = picture(name)
    for coarse in (True, False):
        layers = parameter_layers(encoder, coarse=coarse)
        assert len(layers) > 2
        assert sorted(name for layer in layers for name in layer) == sorted(dict(encoder.named_parameters()))


def test_an_encoder_of_another_make_is_divided_by_its_children():
    assert parameter_layers(TinyPictureEncoder(), coarse=True) == [
        ("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias")
    ]


def test_blocks_are_those_of_transformers_alone(bert):
    assert [name for name, _ in transformer_blocks(bert)] == ["backbone.encoder.layer.0", "backbone.encoder.layer.1"]
    vit = picture("test_vit")
    assert [name for name, _ in transformer_blocks(vit)] == [
        f"backbone.blocks.{number}" for number in range(len(vit.backbone.blocks))
    ]
    assert transformer_blocks(picture("test_efficientnet")) == []
    assert transformer_blocks(nn.Linear(2, 2)) == []


def test_tokens_go_between_the_blocks_of_plain_vits(bert):
    vit = picture("test_vit")
    assert token_blocks(vit) == (transformer_blocks(vit), 1)
    assert token_blocks(bert) is None
    assert token_blocks(picture("test_resnet")) is None


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_convnext", "test_efficientnet", "mobilenetv2_100", "swin_tiny_patch4_window7_224"]
)
def test_a_stage_gives_the_channels_that_it_names(name):
    encoder = picture(name).eval()
    modules = dict(encoder.named_modules())
    seen = {}

    def look(name):
        def remember(module, given, output):
            seen[name] = tuple(output.shape)

        return remember

    for stage in feature_stages(encoder):
        modules[stage.module].register_forward_hook(look(stage.module))
    with torch.inference_mode():
        encoder(torch.zeros(1, 3, 224, 224))
    stages = feature_stages(encoder)
    assert len(stages) >= 4
    for stage in stages:
        assert len(seen[stage.module]) == 4
        assert seen[stage.module][stage.channels_axis] == stage.channels


def test_a_text_model_has_no_stages(bert):
    assert feature_stages(bert) == []
