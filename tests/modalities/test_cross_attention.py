"""Attention over every place of every modality; what all fusions promise is in test_fusion.py."""

import pytest
import torch

from modalities.cross_attention import CrossAttentionFusion, as_places
from polyloom.errors import RequestError

DIMS = {"image": 6, "text": 4}


def make(**changed):
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(
        **{"dims": DIMS, "modality_dropout": 0.0, "hidden": 8, "dropout": 0.0, "heads": 2, **changed}
    ).eval()
    with torch.no_grad():
        for name in fusion.names:
            fusion.entrances[name].missing.normal_()
    return fusion


def given(rows=5):
    """A feature map of 2 x 3 and four tokens, of which the rows have 4, 3, 2, 1 and 4."""
    torch.manual_seed(1)
    embeddings = {"image": torch.randn(rows, 6, 2, 3), "text": torch.randn(rows, 4, 4)}
    lengths = torch.tensor([4, 3, 2, 1, 4])[:rows]
    real = (torch.arange(4).expand(rows, 4) < lengths.unsqueeze(1)).float()
    return embeddings, {"image": torch.ones(rows), "text": real}


def test_the_places_of_a_feature_map_are_read_row_by_row():
    places = as_places(torch.arange(12.0).reshape(1, 2, 2, 3))
    assert places.tolist() == [[[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11]]]


def test_there_is_one_place_for_the_query_one_each_and_one_for_what_is_missing():
    fusion = make()
    embeddings, present = given()
    present["image"][1] = 0
    present["text"][4] = 0
    places, real = fusion.places(embeddings, present)
    assert places.shape == (5, 1 + (6 + 1) + (4 + 1), 8)
    assert real.int().tolist() == [
        [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0],
        [1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1],
    ]


def test_padding_does_not_matter():
    fusion = make()
    embeddings, present = given()
    before = fusion(embeddings, present)
    embeddings["text"][present["text"] == 0] = 1e6
    assert torch.equal(fusion(embeddings, present), before)
    shorter = {**embeddings, "text": embeddings["text"][3:4, :1]}
    alone = fusion({**shorter, "image": embeddings["image"][3:4]}, {"image": torch.ones(1), "text": torch.ones(1, 1)})
    torch.testing.assert_close(alone[0], before[3], rtol=0, atol=1e-5)


def test_a_pooled_embedding_is_one_token():
    fusion = make()
    torch.manual_seed(2)
    image, text = torch.randn(3, 6), torch.randn(3, 4)
    present = {"image": torch.ones(3), "text": torch.tensor([1.0, 0.0, 1.0])}
    pooled = fusion({"image": image, "text": text}, present)
    tokens = fusion({"image": image[:, :, None, None], "text": text[:, None]}, present)
    assert torch.equal(pooled, tokens)


def test_one_query_over_one_place_is_an_affine_map_of_it():
    """Where only one place may be seen, softmax gives it the weight 1: attention is computed by hand here."""
    block = make(blocks=1).blocks[0]
    torch.manual_seed(2)
    queries, places = torch.randn(2, 1, 8), torch.randn(2, 3, 8)
    real = torch.tensor([[False, True, False]] * 2)
    values = block.key_and_value(block.place_norm(places[:, 1]))[:, 8:]
    looked = queries[:, 0] + block.mix(values)
    expected = looked + block.feed_forward(block.forward_norm(looked))
    torch.testing.assert_close(block(queries, places, real)[:, 0], expected, rtol=0, atol=1e-5)


def test_it_learns_what_only_both_modalities_together_tell():
    """The label is whether two signs agree (exclusive or), which no weighted sum of the two can tell."""
    torch.manual_seed(0)
    signs = torch.randint(0, 2, (256, 2)).float() * 2 - 1
    embeddings = {
        name: signs[:, place : place + 1] * torch.ones(4) * torch.tensor([1.0, -1.0, 1.0, -1.0])
        for place, name in enumerate(("one", "two"))
    }
    present = {name: torch.ones(256) for name in embeddings}
    fusion = CrossAttentionFusion(dims={"one": 4, "two": 4}, modality_dropout=0.0, hidden=16, dropout=0.0, heads=2)
    head = torch.nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=0.01)
    agree = (signs.prod(dim=1) > 0).float()
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(fusion(embeddings, present))[:, 0], agree)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(
        RequestError, match=r"fusion.hidden: 6 cannot be shared evenly by 4 attention heads.*4, 8 or 128"
    ):
        make(hidden=6, heads=4)
