"""Exported graphs: equal to torch, or not exported."""

import numpy as np
import pytest
import torch
from torch import nn

from heads.classification import ClassificationHead
from heads.onnx import OnnxHead
from modalities.cross_attention import CrossAttentionFusion
from modalities.encoders.embeddings import Embeddings
from modalities.encoders.onnx import OnnxEncoder, open_session
from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from modalities.fusion import GatedFusion
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from polyloom.durable import read_json
from polyloom.errors import IntegrityError
from tests.support.small_fits import decoder, task
from tests.support.tiny_models import write_bert
from training import export
from training.export import export_encoder, export_head, fused_example
from training.task_models import Encoded, FusedTask

TEXTS = ["the red hats", "退款吗", "my card, lost?", "a"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text encoder, its preparation and its exported graph."""
    folder = write_bert(tmp_path_factory.mktemp("bert"))
    encoder = build_text_encoder(model="tiny", weights=str(folder), pooling="mean").eval()
    tokenizer, padding = load_tokenizer(model="tiny", weights=str(folder))
    prepare = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=16, padding_id=padding)
    graph = tmp_path_factory.mktemp("graph")
    export_encoder(encoder, example=prepare(TEXTS[:2]), folder=graph, dim=encoder.dim)
    return encoder, prepare, graph


def in_torch(encoder, arrays):
    with torch.inference_mode():
        return encoder(**{name: torch.from_numpy(array) for name, array in arrays.items()}).pooled.numpy()


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_text_graph_agrees_at_other_batches_and_lengths(text, count):
    encoder, prepare, graph = text
    arrays = prepare(TEXTS[:count] if count > 1 else TEXTS[2:3])
    loaded = OnnxEncoder(graph, digest="d" * 64)
    np.testing.assert_allclose(loaded(arrays), in_torch(encoder, arrays), atol=1e-4)
    assert (loaded.dim, loaded.digest) == (32, "d" * 64)


def test_a_text_graph_gives_a_batch_its_rows_one_by_one(text):
    _, prepare, graph = text
    loaded = OnnxEncoder(graph, digest="d" * 64)
    together = loaded(prepare(TEXTS))
    for row, words in enumerate(TEXTS):
        np.testing.assert_allclose(loaded(prepare([words]))[0], together[row], atol=1e-5)


def test_a_picture_graph_agrees(tmp_path):
    torch.manual_seed(0)
    encoder = build_picture_encoder(model="resnet10t", weights="scratch").eval()
    random = np.random.default_rng(0)
    example, other = (random.normal(size=(count, 3, 32, 32)).astype(np.float32) for count in (2, 5))
    parity = export_encoder(encoder, example={"pixels": example}, folder=tmp_path, dim=encoder.dim)
    assert 0 <= parity <= 1e-4
    assert read_json(tmp_path / "encoder.json") == {"dim": 512, "outputs": ["pooled"], "parity": parity}
    np.testing.assert_allclose(
        OnnxEncoder(tmp_path, digest="d")({"pixels": other}), in_torch(encoder, {"pixels": other}), atol=1e-4
    )


class Wandering(nn.Module):
    """An encoder whose answer is never the same twice."""

    reads = ("pixels",)

    def __init__(self):
        super().__init__()
        self.dim = 3
        self.calls = 0

    def forward(self, pixels):
        self.calls += 1
        return Embeddings(pooled=pixels.mean(dim=(2, 3)) + 0.01 * self.calls)


def test_a_graph_that_differs_is_refused(tmp_path):
    example = {"pixels": np.ones((2, 3, 4, 4), np.float32)}
    with pytest.raises(
        IntegrityError, match=r"graph of NamedEncoder differs from torch by \d.\d\de-0\d, allowed is 1e-04"
    ):
        export_encoder(Wandering(), example=example, folder=tmp_path, dim=3)
    assert not (tmp_path / "encoder.json").exists()


def test_numbers_that_are_no_numbers_are_refused(tmp_path):
    encoder = build_picture_encoder(model="resnet10t", weights="scratch")
    with torch.no_grad():
        encoder.backbone.conv1[0].weight.fill_(torch.nan)
    with pytest.raises(IntegrityError, match="differs from torch by nan, allowed is 1e-04"):
        export_encoder(encoder, example={"pixels": np.ones((2, 3, 32, 32), np.float32)}, folder=tmp_path, dim=512)


@pytest.mark.parametrize("problem", ["multiclass", "multilabel"])
@pytest.mark.parametrize("dims", [{"one": 6}, {"image": 6, "type": 4}], ids=["one", "two"])
def test_a_head_agrees_whatever_is_missing(tmp_path, dims, problem):
    torch.manual_seed(0)
    model = task(dims, dropout=0.5, modality_dropout=0.5, problem=problem)
    for name in dims:
        nn.init.normal_(model.fusion.entrances[name].missing)
    given = decoder(problem=problem)
    assert export_head(model, example=fused_example(dims), decoder=given, folder=tmp_path) <= 1e-4
    check_head(model, dims, given, tmp_path)


@pytest.mark.parametrize("kind", [GatedFusion, CrossAttentionFusion])
def test_a_head_over_another_fusion_agrees_whatever_is_missing(tmp_path, kind):
    torch.manual_seed(0)
    dims = {"image": 6, "text": 4}
    fusion = kind(dims=dims, modality_dropout=0.5, hidden=12, dropout=0.5, scales={"text": 2.0})
    for name in dims:
        nn.init.normal_(fusion.entrances[name].missing)
    model = FusedTask(fusion=fusion, head=ClassificationHead(dim=fusion.dim, labels=3, problem="multiclass"))
    assert export_head(model, example=fused_example(dims), decoder=decoder(), folder=tmp_path) <= 1e-4
    check_head(model, dims, decoder(), tmp_path)


def check_head(model, dims, given, folder):
    head = OnnxHead(folder, session=open_session(folder / "model.onnx"))
    assert (head.inputs, head.decoder) == (tuple(dims), given)
    random = np.random.default_rng(1)
    for count in (1, 5):
        embeddings = {name: random.normal(size=(count, dim)).astype(np.float32) for name, dim in dims.items()}
        present = {name: random.random(count) < 0.5 for name in dims}
        with torch.inference_mode():
            expected = model.eval()(
                Encoded(
                    {name: Embeddings(torch.from_numpy(array)) for name, array in embeddings.items()},
                    {},
                    {name: torch.from_numpy(mask.astype(np.float32)) for name, mask in present.items()},
                )
            )["logits"]
        np.testing.assert_allclose(head(embeddings, present)["logits"], expected.numpy(), atol=1e-5)


def test_the_limit_is_the_promised_one():
    assert export.TOLERANCE == 1e-4
