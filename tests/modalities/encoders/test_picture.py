"""Picture encoders: loading, and what is refused."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from modalities.encoders.picture import build_picture_encoder, picture_preparation
from polyloom.errors import WeightsError

MODEL = "resnet10t"


def scratch(model=MODEL, *, seed=0):
    torch.manual_seed(seed)
    return build_picture_encoder(model=model, weights="scratch")


def state(encoder):
    return {name: tensor.clone().contiguous() for name, tensor in encoder.backbone.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Weights with a classifier, as they are published."""
    path = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file({**state(scratch(seed=1)), "fc.weight": torch.zeros(3, 512), "fc.bias": torch.zeros(3)}, path)
    return path


def test_from_scratch_is_the_same_under_a_seed():
    assert same(state(scratch(seed=3)), state(scratch(seed=3)))
    assert not same(state(scratch(seed=3)), state(scratch(seed=4)))


def test_a_file_gives_its_weights_and_its_classifier_is_left_out(saved):
    encoder = build_picture_encoder(model=MODEL, weights=str(saved))
    assert same(state(encoder), load_file(saved))
    assert encoder.dim == 512


def test_weights_of_another_model_are_refused_by_their_tensors(saved):
    message = r"do not belong to this model: \d+ tensors are missing \(conv1.weight, .*\), [1-9]\d* have another shape"
    with pytest.raises(WeightsError, match=message):
        build_picture_encoder(model="resnet18", weights=str(saved))


def test_a_missing_tensor_is_named(saved, tmp_path):
    tensors = load_file(saved)
    del tensors["layer1.0.conv1.weight"]
    save_file(tensors, tmp_path / "less.safetensors")
    with pytest.raises(
        WeightsError, match=r"1 tensors are missing \(layer1.0.conv1.weight\), 0 have another shape \(\)"
    ):
        build_picture_encoder(model=MODEL, weights=str(tmp_path / "less.safetensors"))


def test_only_safetensors_are_read(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"anything")
    with pytest.raises(WeightsError, match=r"weights.pth': a picture model's weights are a .safetensors file"):
        build_picture_encoder(model=MODEL, weights=str(tmp_path / "weights.pth"))


def test_a_torn_file_is_refused(saved, tmp_path):
    (tmp_path / "torn.safetensors").write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"torn.safetensors' cannot be read as safetensors \(.*\)"):
        build_picture_encoder(model=MODEL, weights=str(tmp_path / "torn.safetensors"))


def test_weights_that_came_from_tensorflow_want_pixels_from_minus_one_to_one():
    given = {"model": "mobilenetv2_100", "column": "p", "size": None}
    converted = picture_preparation(**given, weights="some/mobilenetv2_100.tf_in1k.safetensors")
    own = picture_preparation(**given, weights="hub")
    assert (converted.mean, converted.deviation) == ((0.5,) * 3, (0.5,) * 3)
    assert own.mean == (0.485, 0.456, 0.406)
