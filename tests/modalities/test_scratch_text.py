"""A text model from nothing over a given vocabulary."""

import pytest
import torch

from modalities.encoders.text import build_text_encoder
from modalities.scratch_text import SPECIAL, scratch_folder
from modalities.text_models import load_tokenizer
from polyloom.errors import WeightsError


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))


def vocabulary(folder, *words):
    path = folder / "vocab.txt"
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return str(path)


def test_characters_are_words_and_the_model_is_as_asked(tmp_path):
    folder = scratch_folder(vocabulary=vocabulary(tmp_path, *SPECIAL, "退", "款", "red"), layers=2, width=128)
    tokenizer, padding = load_tokenizer(model=str(folder), weights="scratch")
    assert tokenizer.encode("退款 Red 吗").tokens == ["[CLS]", "退", "款", "red", "[UNK]", "[SEP]"]
    assert padding == 0
    encoder = build_text_encoder(model=str(folder), weights="scratch", pooling="mean")
    assert (encoder.dim, len(encoder.backbone.encoder.layer)) == (128, 2)
    assert encoder.backbone.config.num_attention_heads == 2
    assert encoder.token_embedding().shape == (8, 128)
    given = encoder(torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.long))
    assert given.tokens.shape == (1, 4, 128)


def test_the_same_is_made_once(tmp_path):
    path = vocabulary(tmp_path, *SPECIAL, "a")
    one = scratch_folder(vocabulary=path, layers=1, width=32)
    assert scratch_folder(vocabulary=path, layers=1, width=32) == one
    assert scratch_folder(vocabulary=path, layers=2, width=32) != one


def test_a_vocabulary_without_its_special_tokens_is_refused(tmp_path):
    path = vocabulary(tmp_path, "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a")
    with pytest.raises(WeightsError, match=r"the token\(s\) \[MASK\] are not in it"):
        scratch_folder(vocabulary=path, layers=1, width=32)


def test_a_path_is_also_looked_up_among_the_data(tmp_path, monkeypatch):
    vocabulary(tmp_path, *SPECIAL, "a")
    monkeypatch.setenv("POLYLOOM_DATA", str(tmp_path))
    assert scratch_folder(vocabulary="vocab.txt", layers=1, width=32).is_dir()
    with pytest.raises(WeightsError, match=r"weights 'other.txt'"):
        scratch_folder(vocabulary="other.txt", layers=1, width=32)
