"""What words, pixels and numbers weigh by the gradients of a small model; the completeness of integrated gradients."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from heads.classification import ClassificationHead
from heads.explained_score import ExplainedScore
from modalities.encoders.picture import build_picture_encoder, picture_preparation
from modalities.encoders.text import build_text_encoder
from modalities.fusion import ConcatFusion
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.text import TextPreparation
from polyloom.errors import RequestError
from tests.support.tiny_models import noise, png, write_bert
from training.attribution import ExplainedRow, pixel_weights, score_of, silent, token_weights, vector_weights
from training.evidence import column_evidence, picture_evidence, text_evidence
from training.grad_cam import grad_cam, map_layer
from training.inputs import ModalityInput, live_source
from training.model import ApplicationModel, make_batch
from training.task_models import FusedTask

TEXT = "my red hats, lost 退款"
LABELS = 3


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = write_bert(tmp_path_factory.mktemp("bert") / "bert")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    preparation = TextPreparation(tokenizer=tokenizer, columns=("title",), max_tokens=16, padding_id=0)
    return preparation, build_text_encoder(model=str(folder), weights=str(folder), pooling="mean")


def row_of(encoders, inputs, *, score):
    torch.manual_seed(0)
    dims = {
        name: int(encoders[name].dim) if name in encoders else given.vectors.shape[1] for name, given in inputs.items()
    }
    fusion = ConcatFusion(dims=dims, modality_dropout=0.0, hidden=16, dropout=0.1)
    task = FusedTask(fusion=fusion, head=ClassificationHead(dim=fusion.dim, labels=LABELS, problem="multiclass"))
    model = ApplicationModel(encoders=encoders, tasks={"kind": task}).eval().requires_grad_(requires_grad=False)
    batch = make_batch(inputs, np.array([0]), device=torch.device("cpu"), tasks=("kind",))
    return ExplainedRow(model=model, task="kind", batch=batch, score=score)


@pytest.fixture(scope="module")
def reader(text):
    """A text and two numbers."""
    preparation, encoder = text
    numbers = NumberPreparation(columns=("price", "weight"), mean=[1.0, 0.0], deviation=[2.0, 1.0])
    inputs = {
        "text": ModalityInput(present=np.array([True]), source=live_source(preparation=preparation, values=[TEXT])),
        "numbers": ModalityInput(present=np.array([True]), vectors=numbers([[5.0, -1.0]])["vector"]),
    }
    return row_of({"text": encoder}, inputs, score=ExplainedScore("b", 1, scale=0.5)), preparation, numbers


def viewer(model, *, size=64):
    """A picture."""
    preparation = picture_preparation(model=model, column="picture", size=size, weights="scratch")
    torch.manual_seed(1)
    encoder = build_picture_encoder(model=model, weights="scratch")
    value = png(noise(seed=3, height=size, width=size))
    inputs = {
        "image": ModalityInput(present=np.array([True]), source=live_source(preparation=preparation, values=[value]))
    }
    return row_of({"image": encoder}, inputs, score=ExplainedScore("a", 0))


def test_scores_in_torch_are_those_of_numpy():
    outputs = {"logits": torch.randn(4, LABELS, generator=torch.Generator().manual_seed(0)), "values": torch.ones(4)}
    arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
    for score in (
        ExplainedScore("c", 2, scale=0.7),
        ExplainedScore("c", 2, multilabel=True),
        ExplainedScore("3", None, scale=2.0, shift=1.0),
    ):
        assert score_of(score, outputs).numpy() == pytest.approx(score.of(arrays), abs=1e-5)


def test_integrated_gradients_of_tokens_add_up_to_the_difference_from_a_text_that_says_nothing(reader):
    row, preparation, _ = reader
    weights = token_weights(row, "text", preparation=preparation, method="integrated_gradients", steps=64)
    scores = row.with_array("text", "input_ids")
    ids = row.batch.arrays["text"]["input_ids"]
    difference = (scores(ids) - scores(silent(ids, preparation))).item()
    assert weights.shape == (ids.shape[1],)
    assert abs(difference) > 1e-3
    assert weights.sum() == pytest.approx(difference, abs=0.02 * abs(difference) + 1e-4)
    # The special tokens are the same in both.
    assert weights[[0, -1]] == pytest.approx(0, abs=1e-7)


def test_gradient_x_input_is_the_length_of_the_slope_times_the_embedding(reader):
    row, preparation, _ = reader
    weights = token_weights(row, "text", preparation=preparation, method="gradient_x_input", steps=1)
    kept = {}

    def watch(module, inputs, output):
        kept["here"] = output.detach().requires_grad_()
        return kept["here"]

    handle = row.model.encoders["text"].embedding_layer().register_forward_hook(watch)
    score = row.with_array("text", "input_ids")(row.batch.arrays["text"]["input_ids"]).sum()
    handle.remove()
    (slope,) = torch.autograd.grad(score, kept["here"])
    assert weights.max() > 1e-4
    assert weights == pytest.approx((slope * kept["here"]).norm(dim=2)[0].detach().numpy(), abs=1e-6)


def test_words_have_their_places_in_the_text_and_all_of_its_weight(reader):
    row, preparation, _ = reader
    found = text_evidence(row, "text", preparation=preparation, text=TEXT, method="integrated_gradients", steps=8)
    assert [word.text for word in found.words] == ["my", "red", "hats", ",", "lost", "退", "款"]
    assert all(TEXT[word.start : word.end] == word.text for word in found.words)
    tokens = token_weights(row, "text", preparation=preparation, method="integrated_gradients", steps=8)
    assert sum(word.weight for word in found.words) == pytest.approx(tokens.sum(), abs=1e-5)
    assert (found.method, found.modalities) == ("integrated_gradients", ("text",))


def test_numbers_add_up_too(reader):
    row, _, numbers = reader
    weights = vector_weights(row, "numbers", steps=64)
    scores = row.with_vector("numbers")
    vector = row.batch.vectors["numbers"]
    difference = (scores(vector) - scores(torch.zeros_like(vector))).item()
    assert weights.sum() == pytest.approx(difference, abs=0.02 * abs(difference) + 1e-4)
    found = column_evidence(row, "numbers", preparation=numbers, values=[5.0, -1.0], steps=64)
    assert [(one.column, one.value) for one in found.columns] == [("price", 5.0), ("weight", -1.0)]
    assert [one.weight for one in found.columns] == pytest.approx(weights[:2])


def test_a_category_has_the_sum_of_its_places():
    preparation = CategoryPreparation(values={"colour": ("red", "blue"), "shape": ("round",)})
    vector = preparation([["blue", None]])["vector"]
    row = row_of({}, {"kinds": ModalityInput(present=np.array([True]), vectors=vector)}, score=ExplainedScore("a", 0))
    found = column_evidence(row, "kinds", preparation=preparation, values=["blue", None], steps=16)
    assert [(one.column, one.value) for one in found.columns] == [("colour", "blue")]
    assert found.columns[0].weight == pytest.approx(vector_weights(row, "kinds", steps=16).sum(), abs=1e-6)


def test_pixels_add_up_to_the_difference_from_the_mean_colour():
    row = viewer("test_resnet")
    weights = pixel_weights(row, "image", cells=4, steps=128)
    pixels = row.batch.arrays["image"]["pixels"]
    scores = row.with_array("image", "pixels")
    difference = (scores(pixels) - scores(pixels.mean(dim=(2, 3), keepdim=True).expand_as(pixels))).item()
    assert weights.shape == (4, 4)
    assert weights.sum() == pytest.approx(difference, abs=0.05 * abs(difference) + 1e-3)


@pytest.mark.parametrize(
    ("model", "size", "places"),
    [("test_resnet", 64, 4), ("resnet10t", 128, 4), ("mobilenetv2_035", 128, 4), ("inception_v3", 224, 5)],
)
def test_grad_cam_has_the_places_of_the_last_map_that_has_enough(model, size, places):
    cells = grad_cam(viewer(model, size=size), "image")
    assert cells.shape == (places, places)
    assert (cells >= 0).all()
    assert np.isfinite(cells).all()


@pytest.mark.parametrize(("model", "size", "name"), [("mobilenetv2_035", 128, "bn2"), ("resnet10t", 128, "layer4")])
def test_the_last_map_is_the_one_that_is_pooled(model, size, name):
    row = viewer(model, size=size)
    layer = map_layer(row.model.encoders["image"], row.batch.arrays["image"]["pixels"])
    assert layer is row.model.encoders["image"].backbone.get_submodule(name)


def test_of_small_pictures_an_earlier_map_is_taken():
    row = viewer("resnet10t", size=32)
    layer = map_layer(row.model.encoders["image"], row.batch.arrays["image"]["pixels"])
    assert layer is row.model.encoders["image"].backbone.layer2


def test_an_encoder_without_a_map_is_refused_or_weighed_by_integrated_gradients():
    row = viewer("test_vit", size=160)
    with pytest.raises(RequestError, match=r"'image' has no feature map of at least 4 x 4 places at 160 pixels"):
        grad_cam(row, "image")
    found = picture_evidence(row, "image", method="auto", steps=2)
    assert (found.method, len(found.cells)) == ("integrated_gradients", 14)


def test_auto_is_grad_cam_where_there_is_a_map():
    found = picture_evidence(viewer("test_resnet"), "image", method="auto", steps=2)
    assert (found.method, len(found.cells)) == ("grad_cam", 4)
