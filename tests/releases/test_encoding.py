"""Texts have the same embedding, to the bit, alone and among others."""

import numpy as np
import pytest
import torch

from modalities.encoders.onnx import OnnxEncoder, VectorEncoder
from modalities.encoders.text import build_text_encoder
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from releases.embedding_memory import is_company_blind
from releases.encoding import encode
from tests.support.tiny_models import write_bert
from training.export import export_encoder

WORDS = ["red", "hat", "退款", "the", "where", "is", "my", "parcel"]


@pytest.fixture(scope="module", params=["mean", "cls"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    (folder / "bert").mkdir()
    (folder / "graph").mkdir()
    model = write_bert(folder / "bert")
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(model))
    preparation = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=32, padding_id=padding)
    encoder = build_text_encoder(model=str(model), weights=str(model), pooling=request.param).eval()
    example = preparation(["the red hats", "退款"])
    export_encoder(encoder, example=example, folder=folder / "graph", dim=encoder.dim)
    return encoder, preparation, OnnxEncoder(folder / "graph", digest="d", threads=1), model


def texts(count, *, seed):
    chance = np.random.default_rng(seed)
    return [" ".join(chance.choice(WORDS, size)) for size in chance.integers(1, 40, count)]


def test_company_changes_no_bit(exported):
    _, preparation, graph, _ = exported
    given = texts(60, seed=1)
    alone = np.concatenate([encode(graph, preparation, [text]) for text in given])
    order = np.random.default_rng(2).permutation(len(given))
    together = encode(graph, preparation, [given[place] for place in order])
    assert np.array_equal(together, alone[order])
    assert is_company_blind(lambda values: encode(graph, preparation, values))


@pytest.mark.parametrize("most", [30, 31, 32])
def test_no_text_is_padded_beyond_what_the_model_knows(exported, most):
    graph = exported[2]
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(exported[3]))
    short = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=most, padding_id=padding)
    seen = []

    def watched(arrays):
        seen.append(arrays["input_ids"].shape[1])
        return graph(arrays)

    watched.dim, watched.batch_size = graph.dim, graph.batch_size
    encode(watched, short, [" ".join(WORDS * 9), "red"])
    assert seen == [most]


def test_it_is_what_the_model_says(exported):
    encoder, preparation, graph, _ = exported
    given = texts(9, seed=3)
    with torch.inference_mode():
        arrays = {name: torch.from_numpy(array) for name, array in preparation(given).items()}
        expected = encoder(**arrays).pooled.numpy()
    np.testing.assert_allclose(encode(graph, preparation, given), expected, atol=1e-5)


def test_what_is_no_token_is_left_as_it_is_and_nothing_is_nothing():
    preparation = CharacterPreparation.fit([{"t": "red hat"}], columns=("t",), dim=16, sizes=(2, 3))
    encoder = VectorEncoder(digest="d", dim=16)
    given = ["red", "a hat", "退款"]
    assert np.array_equal(encode(encoder, preparation, given), preparation(given)["vector"])
    assert encode(encoder, preparation, []).shape == (0, 16)
