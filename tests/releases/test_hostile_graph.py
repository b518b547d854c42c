"""A bundle whose every byte is as it was sealed, but whose graph wants more than its own folder."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from modalities.encoders.onnx import open_session


def graph_with_data_in(place):
    """A graph whose one constant lies in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [output], [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_graph_reads_no_file_outside_its_folder(tmp_path, is_absolute):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = tmp_path / "bundle" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(graph_with_data_in(str(secret) if is_absolute else "../secret.bin"))
    with pytest.raises(Fail, match=r"escapes model directory|Absolute path not allowed"):
        open_session(path)
