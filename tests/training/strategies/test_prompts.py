"""Learned tokens: what they are to attention, and where they do not fit."""

import pytest
import torch
from torch import nn

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert
from training.strategies.prompts import attach_prompts


def bert(folder, pooling="mean"):
    return build_text_encoder(model="tiny", weights=str(write_bert(folder)), pooling=pooling)


def vit():
    torch.manual_seed(0)
    return build_picture_encoder(model="test_vit", weights="scratch").eval()


@pytest.mark.parametrize("kind", ["prompt", "prefix"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_text_keeps_its_own_tokens(kind, pooling, tmp_path):
    encoder = bert(tmp_path, pooling)
    attach_prompts(encoder, kind=kind, tokens=3)
    encoder.eval()
    ids, mask = torch.arange(5, 19).reshape(2, 7), torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    given = encoder(ids, mask)
    assert given.tokens.shape == (2, 7, 32)
    expected = (
        given.tokens[:, 0] if pooling == "cls" else torch.stack([given.tokens[0].mean(0), given.tokens[1, :4].mean(0)])
    )
    torch.testing.assert_close(given.pooled, expected)
    alone = encoder(ids[1:, :4], mask[1:, :4])
    torch.testing.assert_close(alone.pooled[0], given.pooled[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "numbers"), [("prompt", 3 * 32), ("prefix", 3 * 2 * 2 * 32)])
def test_a_text_prompt_is_a_row_of_tokens_and_a_prefix_keys_and_values_for_each_layer(kind, numbers, tmp_path):
    assert attach_prompts(bert(tmp_path), kind=kind, tokens=3).trained_parameters() == numbers


def test_texts_and_tokens_must_fit_into_the_positions(tmp_path):
    attach_prompts(bert(tmp_path), kind="prompt", tokens=8, longest=24)
    message = r"8 learned tokens and texts of up to 25 do not fit into the model's 32 positions. Write max_tokens: 24"
    with pytest.raises(RequestError, match=message):
        attach_prompts(bert(tmp_path), kind="prompt", tokens=8, longest=25)


@pytest.mark.parametrize("kind", ["prompt", "prefix"])
def test_a_picture_keeps_its_own_tokens(kind):
    encoder = vit()
    plain = encoder.backbone.forward_features(torch.zeros(2, 3, 160, 160)).shape
    attach_prompts(encoder, kind=kind, tokens=3)
    assert encoder.backbone.forward_features(torch.zeros(2, 3, 160, 160)).shape == plain


def test_a_prompt_is_one_row_and_a_prefix_one_a_block():
    width, blocks = vit().backbone.embed_dim, len(vit().backbone.blocks)
    assert attach_prompts(vit(), kind="prompt", tokens=3).trained_parameters() == 3 * width
    assert attach_prompts(vit(), kind="prefix", tokens=3).trained_parameters() == 3 * width * blocks


def test_a_pictures_prefix_is_further_keys_and_values():
    """Attention of a block over its own tokens and over keys and values made of the learned ones: by hand."""
    encoder = vit()
    block = encoder.backbone.blocks[1]
    attention, heads = block.attn, block.attn.num_heads
    states = torch.randn(2, 5, encoder.backbone.embed_dim)
    attach_prompts(encoder, kind="prefix", tokens=3)
    nn.init.normal_(encoder.prompts.tokens)
    learned = encoder.prompts.tokens[1].expand(2, -1, -1)

    def split(normed):
        return attention.qkv(normed).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)

    query, key, value = split(block.norm1(states))
    _, more_keys, more_values = split(block.norm1(learned))
    mixed = nn.functional.scaled_dot_product_attention(
        query, torch.cat([more_keys, key], 2), torch.cat([more_values, value], 2)
    )
    after = states + attention.proj(mixed.transpose(1, 2).flatten(2))
    expected = after + block.mlp(block.norm2(after))
    with_others = torch.cat([states[:, :1], torch.randn(2, 3, states.shape[-1]), states[:, 1:]], dim=1)
    found = block(with_others)
    torch.testing.assert_close(torch.cat([found[:, :1], found[:, 4:]], dim=1), expected, rtol=0, atol=1e-5)


def test_a_copied_encoder_has_tokens_of_its_own():
    import copy

    encoder = vit()
    attach_prompts(encoder, kind="prompt", tokens=3)
    other = copy.deepcopy(encoder)
    nn.init.constant_(other.prompts.tokens, 5.0)
    pixels = torch.zeros(1, 3, 160, 160)
    assert not torch.allclose(other(pixels).pooled, encoder(pixels).pooled)
