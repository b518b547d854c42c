"""Text encoders: loading, pooling, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modalities.encoders.onnx import OnnxEncoder
from modalities.encoders.text import build_text_encoder
from modalities.preparation.pair import Pair, PairPreparation
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from polyloom.errors import RequestError, WeightsError
from training.export import export_encoder

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


WINDOW = 10
LONG = "the red hat my card lost a shoe blue my card the hat red"


def pair_arrays(folder, pairs):
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(folder))
    prepare = PairPreparation(tokenizer=tokenizer, columns=("q", "c"), max_tokens=WINDOW, padding_id=padding)
    return {name: torch.from_numpy(array) for name, array in prepare([Pair(*pair) for pair in pairs]).items()}


def read(encoder, given):
    with torch.inference_mode():
        return encoder(**{name: given[name] for name in encoder.reads})


def test_each_window_is_read_as_if_it_were_alone(bert):
    encoder = build_text_encoder(model=str(bert), weights=str(bert), pooling="mean", window=WINDOW).eval()
    given = pair_arrays(bert, [("a hat", LONG), ("a hat", "red")])
    found = read(encoder, given)
    lengths = given["attention_mask"].sum(1).tolist()
    assert lengths[0] > 2 * WINDOW
    assert found.tokens.shape[:2] == given["input_ids"].shape
    for start in range(0, lengths[0], WINDOW):
        alone = {name: array[:1, start : min(start + WINDOW, lengths[0])] for name, array in given.items()}
        expected = encoder.backbone(**{name: alone[name] for name in encoder.reads}).last_hidden_state
        torch.testing.assert_close(found.tokens[:1, start : start + alone["input_ids"].shape[1]], expected)
    short = read(encoder, pair_arrays(bert, [("a hat", "red")]))
    torch.testing.assert_close(found.tokens[1:, : lengths[1]], short.tokens)
    torch.testing.assert_close(found.pooled[1:], short.pooled)


@pytest.mark.parametrize("context", ["red", LONG], ids=["one window", "several"])
def test_a_pairs_graph_reads_any_length(bert, tmp_path, context):
    encoder = build_text_encoder(model=str(bert), weights=str(bert), pooling="mean", window=WINDOW).eval()
    example = {name: array.numpy() for name, array in pair_arrays(bert, [("a hat", context)] * 2).items()}
    export_encoder(encoder, example=example, folder=tmp_path, dim=encoder.dim)
    graph = OnnxEncoder(tmp_path, digest="d")
    for pairs in ([("a", "red")], [("a hat", LONG), ("a", "my card")], [("a", LONG * 3)] * 3):
        given = pair_arrays(bert, pairs)
        found = graph.named({name: array.numpy() for name, array in given.items()})
        np.testing.assert_allclose(found["tokens"], read(encoder, given).tokens, atol=1e-5)


def test_a_model_without_token_types_reads_no_pairs(copied):
    settings = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**settings, "type_vocab_size": 1}))
    with pytest.raises(RequestError, match="knows no token types, by which a pair's two texts are told apart"):
        build_text_encoder(model=str(copied), weights="scratch", pooling="mean", window=WINDOW)
