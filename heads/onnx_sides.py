"""One side of an alignment as an exported graph, run without torch: what an index over the other side is asked with."""

from pathlib import Path
from typing import Any

import numpy as np

SIDES = ("first", "second")


class OnnxSide:
    """A modality's pooled embedding [batch, dim] to unit vectors [batch, dim] in the space that both sides share."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.dim = int(session.get_outputs()[0].shape[1])

    def __call__(self, embedding: np.ndarray) -> np.ndarray:
        """The vectors of a batch."""
        return np.asarray(self._session.run(["vector"], {"embedding": embedding.astype(np.float32)})[0])


def side_graph(folder: Path, inputs: tuple[str, ...], modality: str) -> Path:
    """Where the graph of a modality's side lies in a head's folder; `inputs` are the head's, first and second."""
    return folder / f"{SIDES[inputs.index(modality)]}.onnx"
