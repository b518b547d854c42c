"""int8: an exported encoder's graph with smaller numbers, by ONNX Runtime's quantisation.

`dynamic` keeps weights as int8 and measures activations as it computes: for transformers. `static` measures them
before, over calibration rows, and writes what it found into the graph (QDQ, per channel): for convolutional nets.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modalities.encoders.onnx import GraphRuntime, open_graph
from modalities.preparation.protocol import Arrays

Int8 = Literal["dynamic", "static"]


def quantise(graph: Path, *, kind: Int8, calibration: Sequence[Arrays], target: Path) -> None:
    """Write the graph with int8 weights to `target`; `calibration` are batches of what it reads, for `static`."""
    from onnxruntime import quantization as ort

    with quiet(), tempfile.TemporaryDirectory() as place:
        # Shapes are worked out and nodes are fused first, as ONNX Runtime asks for.
        prepared = Path(place) / "prepared.onnx"
        prepare(graph, prepared)
        if kind == "dynamic":
            ort.quantize_dynamic(prepared, target, per_channel=True, weight_type=ort.QuantType.QInt8)
            return
        ort.quantize_static(
            prepared,
            target,
            calibration_data_reader=Reader(prepared, calibration),
            quant_format=ort.QuantFormat.QDQ,
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            extra_options={"CalibMovingAverage": True},
        )


def prepare(graph: Path, target: Path) -> None:
    """The graph with its constants folded, under names that quantisation finds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


class Reader:
    """Calibration batches, one after the other, as ONNX Runtime asks for them."""

    def __init__(self, graph: Path, batches: Sequence[Arrays]) -> None:
        accepted = {given.name for given in open_graph(graph, runtime="onnxruntime").get_inputs()}
        self._batches = iter([{name: one for name, one in batch.items() if name in accepted} for batch in batches])

    def get_next(self) -> Arrays | None:
        """The next batch, or None after the last."""
        return next(self._batches, None)


def graph_difference(
    graph: Path, other: Path, batches: Sequence[Arrays], *, runtime: GraphRuntime = "onnxruntime"
) -> float:
    """How far another graph's pooled embeddings are from the first one's: mean of 1 - cosine over the rows."""
    first, second = open_graph(graph, runtime="onnxruntime"), open_graph(other, runtime=runtime)
    apart = [1.0 - cosines(pooled(first, batch), pooled(second, batch)) for batch in batches]
    return float(np.concatenate(apart).mean())


def pooled(session: Any, batch: Arrays) -> np.ndarray:
    """A batch's pooled embeddings."""
    accepted = {given.name for given in session.get_inputs()}
    found = session.run(["pooled"], {name: one for name, one in batch.items() if name in accepted})[0]
    return np.asarray(found, dtype=np.float64)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine of each row with its like; 1 for two rows of nothing."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.where(lengths == 0, 1.0, (one * other).sum(1) / np.where(lengths == 0, 1.0, lengths))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """ONNX Runtime's advice about preparing graphs stands in its own manual, not in a run's output."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
