"""The picture models that everybody asks for: train a step, export, reload, agree with torch."""

import numpy as np
import pytest
import torch

from modalities.encoders.onnx import OnnxEncoder
from modalities.encoders.picture import build_picture_encoder, picture_preparation
from tests.support.small_fits import decoder, fitting, goal, task
from tests.support.tiny_models import noise, png
from training.export import export_encoder
from training.inputs import ModalityInput, PictureSource
from training.model import ApplicationModel

MODELS = [("resnet18", 64, 512), ("resnet50", 64, 2048), ("inception_v3", 299, 2048)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size", "dim"), MODELS)
def test_a_step_and_an_export(name, size, dim, tmp_path):
    torch.manual_seed(0)
    values = [png(noise(seed=seed, height=80, width=100)) for seed in range(4)]
    given = None if name == "inception_v3" else size
    prepare = picture_preparation(model=name, column="p", size=given, weights="scratch")
    assert prepare.size == size
    assert name != "inception_v3" or prepare.mean == prepare.deviation == (0.5, 0.5, 0.5)
    encoder = build_picture_encoder(model=name, weights="scratch")
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    fit = fitting(
        tmp_path,
        model=ApplicationModel(encoders={"image": encoder}, tasks={"label": task({"image": dim}, labels=2)}),
        inputs={"image": ModalityInput(np.ones(4, bool), source=PictureSource(preparation=prepare, values=values))},
        targets={"label": goal(np.array([0, 1, 0, 1]), decoder(2))},
        train_rows=np.arange(2),
        validation_rows=np.arange(2, 4),
        epochs=1,
    )
    assert np.isfinite(fit.run().history[0].train_loss)
    assert fit.position.step == 1
    assert any(not torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items() if "conv" in key)
    arrays = prepare(values)
    export_encoder(encoder, example={"pixels": arrays["pixels"][:2]}, folder=tmp_path, dim=encoder.dim)
    loaded = OnnxEncoder(tmp_path, digest="d")
    for count in (1, 3):
        pixels = arrays["pixels"][:count]
        with torch.inference_mode():
            expected = encoder.eval()(torch.from_numpy(pixels)).pooled.numpy()
        assert expected.shape == (count, dim)
        np.testing.assert_allclose(loaded({"pixels": pixels}), expected, atol=1e-4 * max(1.0, np.abs(expected).max()))
