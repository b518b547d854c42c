import pytest
import torch

from modalities.encoders.layers import blocks_of
from modalities.encoders.shortened import evenly_spaced
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert

IDS, MASK = torch.tensor([[2, 5, 7, 3]]), torch.ones(1, 4, dtype=torch.long)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bert(tmp_path_factory.mktemp("bert"), layers=5)


def test_layers_are_kept_from_the_first_to_the_last():
    assert evenly_spaced(12, 6) == [0, 2, 4, 7, 9, 11]
    assert evenly_spaced(6, 3) == [0, 2, 5]
    assert evenly_spaced(6, 2) == [0, 5]
    assert evenly_spaced(6, 1) == [0]
    assert evenly_spaced(3, 3) == [0, 1, 2]


def test_a_student_has_some_of_the_models_own_layers(folder):
    whole = build_text_encoder(model="tiny", weights=str(folder), pooling="mean").eval()
    student = build_text_encoder(model="tiny", weights=str(folder), pooling="mean", layers=3).eval()
    own = [block for _, block in blocks_of(whole.backbone)]
    kept = [block for _, block in blocks_of(student.backbone)]
    for block, number in zip(kept, (0, 2, 4), strict=True):
        assert all(torch.equal(one, own[number].state_dict()[name]) for name, one in block.state_dict().items())
    assert student.backbone.config.num_hidden_layers == 3
    assert student(IDS, MASK).pooled.shape == (1, 32)
    assert not torch.allclose(student(IDS, MASK).pooled, whole(IDS, MASK).pooled)


def test_all_layers_answer_as_the_model_does(folder):
    whole = build_text_encoder(model="tiny", weights=str(folder), pooling="mean").eval()
    same = build_text_encoder(model="tiny", weights=str(folder), pooling="mean", layers=5).eval()
    assert torch.equal(same(IDS, MASK).pooled, whole(IDS, MASK).pooled)


def test_more_layers_than_there_are(folder):
    with pytest.raises(RequestError, match="'tiny' has 5 layers, so 6 of them cannot be kept"):
        build_text_encoder(model="tiny", weights=str(folder), pooling="mean", layers=6)
