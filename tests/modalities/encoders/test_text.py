"""Text encoders: loading, pooling, and what is refused."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modalities.encoders.text import build_text_encoder
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from polyloom.errors import WeightsError

TEXTS = ["the red hats", "退款"]


def build(folder, *, weights=None, pooling="mean"):
    return build_text_encoder(model=str(folder), weights=weights or str(folder), pooling=pooling).eval()


def arrays(folder):
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(folder))
    prepare = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=16, padding_id=padding)
    return {name: torch.from_numpy(array) for name, array in prepare(TEXTS).items()}


@pytest.fixture
def copied(bert, tmp_path):
    return shutil.copytree(bert, tmp_path / "model")


def test_mean_is_over_the_real_tokens_only(bert):
    given = arrays(bert)
    with torch.inference_mode():
        found = build(bert)(**given)
    tokens, lengths = found.tokens.numpy(), given["attention_mask"].sum(1).tolist()
    expected = [tokens[row, :length].mean(axis=0) for row, length in enumerate(lengths)]
    np.testing.assert_allclose(found.pooled.numpy(), expected, atol=1e-6)


def test_cls_is_the_first_token(bert):
    with torch.inference_mode():
        found = build(bert, pooling="cls")(**arrays(bert))
    assert torch.equal(found.pooled, found.tokens[:, 0])


def test_a_folder_gives_its_weights(bert):
    encoder = build(bert)
    kept = load_file(bert / "model.safetensors")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in encoder.backbone.state_dict().items())
    assert encoder.dim == 32


def test_from_scratch_takes_the_shape_alone_and_is_the_same_under_a_seed(copied):
    (copied / "model.safetensors").unlink()
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build(copied, weights="scratch").backbone.state_dict()["embeddings.word_embeddings.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_a_folder_without_a_configuration_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"of 'tiny': a text model is a folder with config.json, here is none"):
        build_text_encoder(model="tiny", weights=str(tmp_path), pooling="mean")


def test_weights_of_which_a_part_is_missing_are_refused(copied):
    tensors = load_file(copied / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"1 tensors are missing \(encoder.layer.1.output.dense.weight\)"):
        build(copied)


def test_a_pooler_that_was_never_saved_is_not_missed(copied):
    tensors = load_file(copied / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    save_file(kept, copied / "model.safetensors", metadata={"format": "pt"})
    assert len(kept) < len(tensors)
    assert build(copied).dim == 32


def test_pickled_weights_are_not_read(copied):
    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model of '.*' cannot be loaded .*model.safetensors"):
        build(copied)


def test_a_torn_file_is_refused(copied):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(WeightsError, match=r"cannot be loaded"):
        build(copied)


def test_weights_of_another_width_are_refused(copied):
    text = (copied / "config.json").read_text()
    (copied / "config.json").write_text(text.replace('"intermediate_size": 64', '"intermediate_size": 48'))
    with pytest.raises(WeightsError, match=r"have another shape .*intermediate"):
        build(copied)
