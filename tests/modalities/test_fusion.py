"""Fusion: what is missing, what is hidden, and shapes."""

import pytest
import torch

from modalities.cross_attention import CrossAttentionFusion
from modalities.fusion import ConcatFusion, GatedFusion

DIMS = {"image": 6, "text": 4}
KINDS = {"concat": ConcatFusion, "gated": GatedFusion, "cross_attention": CrossAttentionFusion}


def make(kind, *, hidden=0, modality_dropout=0.0, dropout=0.0, dims=DIMS):
    torch.manual_seed(0)
    fusion = KINDS[kind](dims=dims, modality_dropout=modality_dropout, hidden=hidden, dropout=dropout)
    with torch.no_grad():
        for name in fusion.names:
            fusion.entrances[name].missing.normal_()
    return fusion


def rows(count=5, *, dims=DIMS):
    torch.manual_seed(1)
    embeddings = {name: torch.randn(count, dim) for name, dim in dims.items()}
    present = {name: torch.ones(count) for name in dims}
    return embeddings, present


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.mark.parametrize(
    ("kind", "hidden", "dim"),
    [
        ("concat", 0, 10),
        ("concat", 7, 7),
        ("gated", 0, 6),
        ("gated", 7, 7),
        ("cross_attention", 0, 128),
        ("cross_attention", 8, 8),
    ],
)
def test_shapes(kind, hidden, dim):
    fusion = make(kind, hidden=hidden)
    assert fusion.dim == dim
    assert fusion(*rows()).shape == (5, dim)


def test_the_learned_embedding_stands_for_what_is_missing():
    fusion = make("concat").eval()
    embeddings, present = rows()
    present["text"][2] = 0
    fused = fusion(embeddings, present)
    assert torch.equal(fused[2, 6:], fusion.entrances["text"].missing)
    assert torch.allclose(fused[2, :6], fusion.entrances["image"].norm(embeddings["image"])[2])
    assert torch.allclose(fused[1, 6:], fusion.entrances["text"].norm(embeddings["text"])[1])


def test_what_stands_in_a_missing_place_does_not_matter(kind):
    fusion = make(kind).eval()
    embeddings, present = rows()
    present["text"][2] = 0
    before = fusion(embeddings, present)
    embeddings["text"][2] = 1e6
    assert torch.equal(fusion(embeddings, present), before)


def test_the_learned_embedding_learns(kind):
    fusion = make(kind)
    embeddings, present = rows()
    present["text"][2] = 0
    fusion(embeddings, present).square().sum().backward()
    assert fusion.entrances["text"].missing.grad.abs().sum() > 0
    assert fusion.entrances["image"].missing.grad.abs().sum() == 0


def test_a_batch_equals_its_rows_one_by_one(kind):
    fusion = make(kind, hidden=4, modality_dropout=0.5, dropout=0.5).eval()
    embeddings, present = rows()
    present["text"][2] = 0
    together = fusion(embeddings, present)
    for row in range(5):
        one = slice(row, row + 1)
        alone = fusion({n: e[one] for n, e in embeddings.items()}, {n: p[one] for n, p in present.items()})
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-6)


def test_dropout_hides_modalities_but_never_the_last_one(kind):
    fusion = make(kind, modality_dropout=0.9)
    _, present = rows(4000)
    present["text"][:1000] = 0
    torch.manual_seed(2)
    kept = fusion._dropped(present)
    image, text = kept["image"], kept["text"]
    assert bool((image + text >= 1).all())
    assert bool((image[:1000] == 1).all())
    assert bool((text[:1000] == 0).all())
    # Both hidden (0.81) puts both back, one hidden (0.09 each) stays so.
    assert float((image[1000:] == 0).float().mean()) == pytest.approx(0.09, abs=0.02)
    assert float((text[1000:] == 0).float().mean()) == pytest.approx(0.09, abs=0.02)


def test_a_row_without_any_modality_is_not_invented(kind):
    fusion = make(kind, modality_dropout=0.5)
    nobody = {name: torch.zeros(3) for name in DIMS}
    assert all(not mask.any() for mask in fusion._dropped(nobody).values())
    assert torch.isfinite(fusion(rows(3)[0], nobody)).all()


def test_nothing_is_hidden_outside_training(kind):
    fusion = make(kind, modality_dropout=0.9).eval()
    given = rows()
    assert torch.equal(fusion(*given), fusion(*given))


def test_what_training_hides_is_answered_as_if_it_were_not_there(kind):
    """Each row of a training batch gets one of three answers: to text alone, to the picture alone, to both."""
    fusion = make(kind, modality_dropout=0.5)
    embeddings, present = rows(64)
    hidden = {**present, "text": torch.zeros(64)}, {**present, "image": torch.zeros(64)}
    torch.manual_seed(3)
    answer = fusion(embeddings, present)
    fusion.eval()
    possible = torch.stack([fusion(embeddings, given) for given in (present, *hidden)]).detach()
    nearest = (possible - answer.detach()).abs().amax(dim=2)
    assert float(nearest.amin(dim=0).max()) < 1e-5
    assert set(nearest.argmin(dim=0).tolist()) == {0, 1, 2}


def test_gates_are_a_weighted_mean_within_the_bounds_of_tanh():
    fused = make("gated", hidden=3).eval()(*rows())
    assert bool((fused.abs() <= 1).all())


@pytest.mark.parametrize("name", ["type", "values", "keys", "train", "half", "items"])
def test_a_modality_may_be_called_like_anything(kind, name):
    dims = {name: 4, "text": 4}
    assert make(kind, dims=dims)(*rows(dims=dims)).shape[0] == 5


def test_a_vector_whose_length_means_something_is_scaled_only(kind):
    torch.manual_seed(0)
    fusion = KINDS[kind](dims=DIMS, modality_dropout=0.0, hidden=0, dropout=0.0, scales={"text": 4.0}).eval()
    embeddings, present = rows()
    image, text = fusion.inputs(embeddings, present)
    assert torch.equal(text, 4.0 * embeddings["text"])
    torch.testing.assert_close(image.norm(dim=1), torch.full((5,), 6**0.5), rtol=1e-3, atol=0)
    present["text"][1] = 0
    assert torch.equal(fusion.inputs(embeddings, present)[1][1], fusion.entrances["text"].missing)
