"""Members as one task, one graph."""

import numpy as np
import torch

from heads.averaging import Averaging
from heads.onnx import OnnxHead
from heads.probabilities import softmax
from modalities.encoders.onnx import open_session
from tests.support.small_fits import decoder, task
from training.ensemble import EnsembleTask, joined_weights
from training.export import export_head, fused_example, task_inputs


def members(count=3):
    torch.manual_seed(0)
    return [task({"one": 4, "two": 6}, dropout=0.2).eval() for _ in range(count)]


def test_the_graph_answers_with_the_mean_of_the_members(tmp_path):
    own = members()
    example = fused_example({"one": 4, "two": 6})
    ensemble = EnsembleTask(own, averaging=Averaging("one label"))
    assert export_head(ensemble, example=example, decoder=decoder(), folder=tmp_path) < 1e-4
    logits = OnnxHead(tmp_path, session=open_session(tmp_path / "model.onnx")).run(example)["logits"]
    given = {name: torch.from_numpy(array) for name, array in example.items()}
    with torch.no_grad():
        alone = [softmax(one(task_inputs(one, given))["logits"].numpy()) for one in own]
    np.testing.assert_allclose(softmax(logits), np.mean(alone, axis=0), atol=1e-5)


def test_joined_weights_are_those_of_the_members():
    own = members()
    other = EnsembleTask(members(), averaging=Averaging("one label"))
    other.load_state_dict(joined_weights([one.state_dict() for one in own]))
    for one, loaded in zip(own, other.members, strict=True):
        assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in one.state_dict().items())
