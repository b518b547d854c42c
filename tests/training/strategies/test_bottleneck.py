"""Where adapters stand, and what they do."""

import pytest
import torch
from torch import nn

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert
from training.strategies.bottleneck import Adapter, attach_adapters


@pytest.fixture
def bert(tmp_path):
    return build_text_encoder(model="tiny", weights=str(write_bert(tmp_path)), pooling="mean")


@pytest.mark.parametrize(
    ("placement", "places"),
    [("pfeiffer", ["output_dense"]), ("houlsby", ["attention_output_dense", "output_dense"])],
)
def test_they_stand_after_the_feed_forward_and_after_attention(bert, placement, places):
    attach_adapters(bert, bottleneck=4, placement=placement)
    assert list(bert.adapters.names) == [
        f"backbone_encoder_layer_{number}_{place}" for number in range(2) for place in places
    ]


def test_in_a_vit_they_stand_at_the_same_places():
    encoder = build_picture_encoder(model="test_vit", weights="scratch")
    attach_adapters(encoder, bottleneck=4, placement="houlsby")
    assert list(encoder.adapters.names)[:2] == ["backbone_blocks_0_attn_proj", "backbone_blocks_0_mlp_fc2"]


def test_in_a_resnet_they_stand_after_each_stage():
    encoder = build_picture_encoder(model="test_resnet", weights="scratch")
    attach_adapters(encoder, bottleneck=4, placement="pfeiffer")
    assert list(encoder.adapters.names)[1:] == [f"backbone_layer{number}" for number in range(1, 5)]


def test_an_adapter_adds_a_small_net_of_its_input():
    torch.manual_seed(0)
    adapter = Adapter(dim=6, bottleneck=2)
    nn.init.normal_(adapter.up.weight)
    given = torch.randn(3, 5, 6)
    hidden = nn.functional.gelu(given @ adapter.down.weight.T + adapter.down.bias)
    torch.testing.assert_close(adapter(given), given + hidden @ adapter.up.weight.T + adapter.up.bias)


def test_on_maps_it_acts_on_each_place_alone():
    torch.manual_seed(0)
    tokens, maps = Adapter(dim=6, bottleneck=2), Adapter(dim=6, bottleneck=2, axis=1)
    nn.init.normal_(tokens.up.weight)
    maps.load_state_dict(tokens.state_dict())
    given = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(maps(given)[:, :, 1, 2], tokens(given[:, :, 1, 2]))
    assert maps(given).shape == given.shape


def test_what_passes_is_changed(bert):
    attach_adapters(bert, bottleneck=4, placement="pfeiffer")
    bert.eval()
    ids, mask = torch.arange(5, 12)[None], torch.ones(1, 7, dtype=torch.long)
    before = bert(ids, mask).pooled
    nn.init.normal_(bert.adapters["backbone_encoder_layer_0_output_dense"].up.weight)
    assert not torch.allclose(bert(ids, mask).pooled, before)


def test_without_blocks_or_stages_it_says_what_works():
    with pytest.raises(RequestError, match="strategy adapter: neither transformer blocks nor stages of this Linear"):
        attach_adapters(nn.Linear(2, 2), bottleneck=4, placement="pfeiffer")
