"""Encoders as exported graphs, run without torch: in serving, and in training wherever the encoder is frozen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json

GraphRuntime = Literal["onnxruntime", "openvino", "openvino_bf16"]


class OnnxEncoder:
    """Arrays of a preparation to the pooled embedding [batch, dim], float32.

    `digest` is the encoder's, over graph and preparation: one graph serves several preparations. `batch_size` is how
    many rows at once are fastest: on a CPU few, whose numbers stay in its caches and take little memory.
    """

    batch_size = 16

    def __init__(self, folder: Path, *, digest: str, threads: int = 0) -> None:
        self.digest = digest
        facts = read_json(folder / "encoder.json")
        self.dim: int = facts["dim"]
        self._session = open_graph(folder / "model.onnx", runtime=facts.get("runtime", "onnxruntime"), threads=threads)
        self._accepted = {given.name for given in self._session.get_inputs()}
        self._given = tuple(output.name for output in self._session.get_outputs())

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """The pooled embedding of a batch."""
        return np.asarray(self._session.run(["pooled"], self._feed(arrays))[0])

    def named(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All that the encoder gives of a batch: `pooled`, and `tokens` or `map0`, `map1`, ... where it has them."""
        found = self._session.run(list(self._given), self._feed(arrays))
        return dict(zip(self._given, map(np.asarray, found), strict=True))

    def _feed(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array for name, array in arrays.items() if name in self._accepted}


class VectorEncoder:
    """Stands where a preparation's `vector` is already the embedding."""

    batch_size = 1024

    def __init__(self, *, digest: str, dim: int) -> None:
        self.digest = digest
        self.dim = dim

    def __call__(self, arrays: Arrays) -> np.ndarray:
        """The vector itself."""
        return arrays["vector"]

    def named(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """The vector under the name that every encoder has."""
        return {"pooled": arrays["vector"]}


def open_graph(path: Path, *, runtime: GraphRuntime, threads: int = 0) -> Any:
    """What runs a graph: a session of ONNX Runtime, or what answers like one; 0 threads are as many as it likes."""
    if runtime in {"openvino", "openvino_bf16"}:
        from modalities.encoders.openvino_graph import OpenVinoGraph

        return OpenVinoGraph(path, threads=threads, precision="bf16" if runtime == "openvino_bf16" else "f32")
    return open_session(path, threads=threads)


def open_session(path: Path, *, threads: int = 0) -> Any:
    """An ONNX Runtime session on the CPU that keeps no memory between calls of different sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
