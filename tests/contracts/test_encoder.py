"""What every encoder must keep, whatever its modality and wherever it runs."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from modalities.encoders.device import DeviceEncoder
from modalities.encoders.onnx import VectorEncoder
from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pair import PairPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from tests.support.tiny_models import noise, png, write_bert

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """An encoder, its preparation, and values for it."""

    encoder: DeviceEncoder | VectorEncoder
    prepare: object
    values: list

    def __call__(self, values):
        return self.encoder(self.prepare(values))


def text(folder, pooling):
    write_bert(folder)
    encoder = build_text_encoder(model="tiny", weights=str(folder), pooling=pooling)
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(folder))
    prepare = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=16, padding_id=padding)
    values = ["the red hats", "我要退款", "a", "my card, lost?"]
    return Case(DeviceEncoder(encoder, digest="d", device=CPU), prepare, values)


def pairs(folder):
    write_bert(folder)
    encoder = build_text_encoder(model="tiny", weights=str(folder), pooling="mean", window=12)
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(folder))
    prepare = PairPreparation(tokenizer=tokenizer, columns=("q", "c"), max_tokens=12, padding_id=padding)
    values = [("a hat?", "the red hats"), ("退?", "我要退款" * 9), ("a", "a"), ("my card", "lost my card " * 5)]
    return Case(DeviceEncoder(encoder, digest="d", device=CPU), prepare, values)


def pictures(folder):
    torch.manual_seed(0)
    encoder = build_picture_encoder(model="resnet10t", weights="scratch")
    prepare = PicturePreparation(column="p", size=32, mean=(0.5,) * 3, deviation=(0.2,) * 3)
    values = [png(noise(seed=seed)) for seed in range(4)]
    return Case(DeviceEncoder(encoder, digest="d", device=CPU), prepare, values)


def numbers(folder):
    rows = [{"a": float(number)} for number in range(4)]
    prepare = NumberPreparation.fit(rows, columns=("a",))
    return Case(VectorEncoder(digest="d", dim=prepare.dim), prepare, [[row["a"]] for row in rows])


KINDS = {
    "text mean": lambda folder: text(folder, "mean"),
    "text cls": lambda folder: text(folder, "cls"),
    "pairs in windows": pairs,
    "image": pictures,
    "vector": numbers,
}


@pytest.fixture(scope="module", params=list(KINDS))
def case(request, tmp_path_factory):
    return KINDS[request.param](tmp_path_factory.mktemp("encoder"))


def test_pooled_is_one_vector_a_value(case):
    pooled = case(case.values)
    assert pooled.shape == (4, case.encoder.dim)
    assert pooled.dtype == np.float32
    assert np.isfinite(pooled).all()


def test_a_batch_equals_its_rows_one_by_one(case):
    together = case(case.values)
    for row, value in enumerate(case.values):
        np.testing.assert_allclose(case([value])[0], together[row], atol=1e-5)


def test_neighbours_do_not_matter(case):
    np.testing.assert_allclose(case(case.values[::-1])[::-1], case(case.values), atol=1e-5)


def test_the_same_values_give_the_same_vectors(case):
    np.testing.assert_array_equal(case(case.values), case(case.values))


def test_other_values_give_other_vectors(case):
    pooled = case(case.values)
    assert len(np.unique(pooled.round(6), axis=0)) == len(case.values)


def test_the_digest_is_the_given_one(case):
    assert case.encoder.digest == "d"
