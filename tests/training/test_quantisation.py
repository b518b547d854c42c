import sys

import numpy as np
import pytest

from modalities.encoders.onnx import OnnxEncoder, open_graph
from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.durable import read_json, write_json
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert
from training.export import export_encoder
from training.graph_speed import speeds
from training.quantisation import cosines, graph_difference, quantise

RANDOM = np.random.default_rng(0)
TEXTS = [
    {"input_ids": RANDOM.integers(5, 20, (4, length)), "attention_mask": np.ones((4, length), np.int64)}
    for length in (5, 9)
]
PIXELS = [{"pixels": RANDOM.normal(size=(4, 3, 32, 32)).astype(np.float32)} for _ in range(4)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A BERT's exported graph, wide enough for its matrices to be most of it."""
    folder = tmp_path_factory.mktemp("graphs")
    weights = write_bert(folder / "bert", hidden=128, layers=2)
    encoder = build_text_encoder(model="tiny", weights=str(weights), pooling="mean")
    export_encoder(encoder, example=TEXTS[0], folder=folder, dim=128)
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    encoder = build_picture_encoder(model="test_resnet", weights="scratch")
    export_encoder(encoder, example=PIXELS[0], folder=folder, dim=encoder.dim)
    return folder / "model.onnx"


def types(path):
    import onnx

    return {node.op_type for node in onnx.load(path).graph.node}


def test_dynamic_int8_is_a_quarter_of_the_size_and_nearly_the_same(bert, tmp_path):
    quantise(bert, kind="dynamic", calibration=[], target=tmp_path / "int8.onnx")
    assert "MatMulInteger" in types(tmp_path / "int8.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 0.4 * bert.stat().st_size
    assert 0 < graph_difference(bert, tmp_path / "int8.onnx", TEXTS) < 0.02
    assert graph_difference(bert, bert, TEXTS) == pytest.approx(0, abs=1e-9)


def test_static_int8_rests_on_calibration_rows(net, tmp_path):
    quantise(net, kind="static", calibration=PIXELS[:3], target=tmp_path / "int8.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= types(tmp_path / "int8.onnx")
    assert 0 < graph_difference(net, tmp_path / "int8.onnx", PIXELS[3:]) < 0.05


def test_a_batch_of_any_size_goes_through(bert, tmp_path):
    quantise(bert, kind="dynamic", calibration=[], target=tmp_path / "int8.onnx")
    graph = open_graph(tmp_path / "int8.onnx", runtime="onnxruntime")
    one = {name: array[:1] for name, array in TEXTS[1].items()}
    assert graph.run(["pooled"], one)[0].shape == (1, 128)


def test_cosines_of_nothing_are_those_of_the_same():
    zero, one = np.zeros((1, 3)), np.array([[1.0, 0, 0]])
    assert cosines(zero, zero).tolist() == [1.0]
    assert cosines(one, -one).tolist() == [-1.0]


def test_openvino_gives_what_onnx_runtime_gives(bert):
    pytest.importorskip("openvino")
    first, second = (open_graph(bert, runtime=runtime, threads=1) for runtime in ("onnxruntime", "openvino"))
    assert {port.name for port in second.get_inputs()} == {"input_ids", "attention_mask"}
    assert {port.name for port in second.get_outputs()} == {"pooled", "tokens"}
    for batch in TEXTS:
        for one, other in zip(
            first.run(["pooled", "tokens"], batch), second.run(["pooled", "tokens"], batch), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_bundle_says_by_which_runtime_its_encoder_is_run(bert, tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(bert.read_bytes())
    write_json(tmp_path / "encoder.json", {**read_json(bert.parent / "encoder.json"), "runtime": "openvino"})
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RequestError, match=r"pip install 'polyloom\[openvino\]'"):
        OnnxEncoder(tmp_path, digest="d")


def test_graphs_take_turns_and_the_slower_one_is_slower(bert):
    class Slow:
        def __init__(self, graph, times):
            self.graph, self.times, self.calls = graph, times, 0
            self.get_inputs = graph.get_inputs

        def run(self, outputs, feed):
            self.calls += 1
            for _ in range(self.times):
                found = self.graph.run(outputs, feed)
            return found

    fast, slow = (Slow(open_graph(bert, runtime="onnxruntime", threads=1), times) for times in (1, 5))
    found = speeds({"fast": fast, "slow": slow}, batches=TEXTS, singles=TEXTS[:1], rounds=3)
    assert fast.calls == slow.calls == 4 * 3
    assert found["fast"].rows_per_second > found["slow"].rows_per_second
    assert found["fast"].p50_milliseconds < found["slow"].p50_milliseconds
    assert found["slow"].p50_milliseconds <= found["slow"].p95_milliseconds
