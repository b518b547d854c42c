"""An exported graph run by OpenVINO, called like a session of ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple

import numpy as np

from polyloom.cores import cores
from polyloom.errors import RequestError


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str


class OpenVinoGraph:
    """A graph on the CPU in full precision or, where it says so itself, in int8. Safe to share between threads.

    In `bf16` answers differ a little between processors: one without units for it computes in full precision.
    """

    def __init__(self, path: Path, *, threads: int = 0, precision: Literal["f32", "bf16"] = "f32") -> None:
        openvino = imported()
        # Left to itself, OpenVINO takes bf16 wherever the processor can.
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        # As many calls at once as there are cores for, each with its own; one stream would let them wait in a row.
        streams = max(1, cores() // threads) if threads else 1
        if threads:
            settings |= {"INFERENCE_NUM_THREADS": streams * threads, "NUM_STREAMS": streams}
        self._model = openvino.Core().compile_model(str(path), "CPU", settings)
        # Making one while others run may never end: it holds Python's lock while it waits for those who need it.
        self._requests = SimpleQueue[Any]()
        for _ in range(streams):
            self._requests.put(self._model.create_infer_request())

    def get_inputs(self) -> list[Port]:
        """The inputs, by name."""
        return [Port(port.get_any_name()) for port in self._model.inputs]

    def get_outputs(self) -> list[Port]:
        """The outputs, by name."""
        return [Port(port.get_any_name()) for port in self._model.outputs]

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The named outputs of a batch; waits for others where as many run as may at once."""
        request = self._requests.get()
        try:
            request.infer(dict(feed))
            return [np.array(request.get_tensor(name).data) for name in outputs]
        finally:
            self._requests.put(request)


def imported() -> Any:
    """The package. Raises RequestError that names the extra."""
    try:
        import openvino
    except ImportError as error:
        raise RequestError(
            "The runtime openvino is not installed. Install the extra: pip install 'polyloom[openvino]'; or write "
            "`runtime: onnxruntime` under `export` and run the scenario again."
        ) from error
    return openvino


def computes_in_bf16() -> bool:
    """Whether this processor has units for bf16, so that it is faster for it."""
    return "BF16" in imported().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
