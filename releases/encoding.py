"""Values of one modality to embeddings, by an exported encoder: in batches of like length, in the order they came."""

from collections.abc import Sequence

import numpy as np

from modalities.encoders.onnx import OnnxEncoder, VectorEncoder
from modalities.preparation.protocol import Preparation


def encode(encoder: OnnxEncoder | VectorEncoder, preparation: Preparation, values: Sequence[object]) -> np.ndarray:
    """Embeddings [values, dim] of values of which none is missing.

    Texts of a length are computed together: a batch is as long as its longest text, and padding costs what words do.
    """
    result = np.zeros((len(values), encoder.dim), dtype=np.float32)
    order = sorted(range(len(values)), key=lambda place: _length(values[place]))
    for start in range(0, len(order), encoder.batch_size):
        part = order[start : start + encoder.batch_size]
        result[part] = encoder(preparation([values[place] for place in part]))
    return result


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0
