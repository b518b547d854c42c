"""A graph that OpenVINO runs: several calls at once, none of them in another's way."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from polyloom.cores import cores

pytest.importorskip("openvino", reason="needs the extra openvino")

from modalities.encoders.openvino_graph import OpenVinoGraph


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """rows [batch, 64] times a matrix."""
    matrix = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["rows", "matrix"], ["pooled"])]
    given = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", 64])]
    told = [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 32])]
    graph = helper.make_graph(nodes, "toy", given, told, [numpy_helper.from_array(matrix, "matrix")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path_factory.mktemp("graph") / "toy.onnx"
    onnx.save(model, path)
    return path


def test_as_many_calls_run_at_once_as_there_are_cores_for(path):
    model = OpenVinoGraph(path, threads=1)._model
    assert model.get_property("NUM_STREAMS") == cores()
    assert model.get_property("INFERENCE_NUM_THREADS") == cores()
    assert OpenVinoGraph(path, threads=cores())._model.get_property("NUM_STREAMS") == 1
    assert OpenVinoGraph(path)._model.get_property("NUM_STREAMS") == 1


def test_a_call_among_others_has_the_bits_that_it_has_alone(path):
    graph = OpenVinoGraph(path, threads=1)
    given = [np.random.default_rng(seed).standard_normal((seed % 9 + 1, 64)).astype(np.float32) for seed in range(60)]
    alone = [graph.run(["pooled"], {"rows": rows})[0] for rows in given]
    with ThreadPoolExecutor(4) as pool:
        among = list(pool.map(lambda rows: graph.run(["pooled"], {"rows": rows})[0], given))
    for one, other in zip(alone, among, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_call_that_fails_is_in_nobodys_way(path):
    graph = OpenVinoGraph(path)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            graph.run(["pooled"], {"rows": np.zeros((2, 63), np.float32)})
    assert graph.run(["pooled"], {"rows": np.zeros((2, 64), np.float32)})[0].shape == (2, 32)


def test_no_request_is_made_while_others_run(path):
    """In OpenVINO that may hold Python's lock while it waits for a call that needs it: `mlflow models serve` hung."""
    graph = OpenVinoGraph(path, threads=1)
    graph._model = None
    with ThreadPoolExecutor(8) as pool:
        rows = np.ones((1, 64), np.float32)
        found = list(pool.map(lambda _: graph.run(["pooled"], {"rows": rows})[0], range(200)))
    assert len({one.tobytes() for one in found}) == 1
