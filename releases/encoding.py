"""Values of one modality to embeddings, by an exported encoder: in batches of like length, in the order they came."""

from collections.abc import Sequence

import numpy as np

from modalities.encoders.onnx import OnnxEncoder, VectorEncoder
from modalities.preparation.protocol import Arrays, Preparation

# Texts of like length in few at once: a batch is as long as its longest text, and padding costs what words do.
TEXTS_AT_ONCE = 8
# ONNX Runtime adds up four numbers at a time: a text that is padded further than to whole fours keeps every bit.
TOKENS_AT_ONCE = 4
FLAT = 2
TOKENS = ("input_ids", "attention_mask", "token_type_ids")


def encode(encoder: OnnxEncoder | VectorEncoder, preparation: Preparation, values: Sequence[object]) -> np.ndarray:
    """Embeddings [values, dim] of values of which none is missing."""
    result = np.zeros((len(values), encoder.dim), dtype=np.float32)
    order = sorted(range(len(values)), key=lambda place: _length(values[place]))
    size = min(encoder.batch_size, TEXTS_AT_ONCE) if _is_text(values) else encoder.batch_size
    for start in range(0, len(order), size):
        part = order[start : start + size]
        result[part] = encoder(_in_fours(preparation([values[place] for place in part]), preparation))
    return result


def _in_fours(arrays: Arrays, preparation: Preparation) -> Arrays:
    """Tokens [batch, tokens], padded to whole fours, but to no more than the encoder may be given."""
    if "input_ids" not in arrays or arrays["input_ids"].ndim != FLAT:
        return arrays
    length = arrays["input_ids"].shape[1]
    whole = length + -length % TOKENS_AT_ONCE
    missing = min(whole, getattr(preparation, "max_tokens", whole)) - length
    if missing <= 0:
        return arrays
    padding = {"input_ids": getattr(preparation, "padding_id", 0)}
    return {
        name: np.pad(array, ((0, 0), (0, missing)), constant_values=padding.get(name, 0)) if name in TOKENS else array
        for name, array in arrays.items()
    }


def _is_text(values: Sequence[object]) -> bool:
    return bool(values) and isinstance(values[0], str)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0
