"""BitFit: only the biases are trained."""

from torch import nn

from modalities.encoders.layers import parameter_layers
from polyloom.errors import RequestError
from training.strategies.tuning import Tuning, tuned


def attach_bitfit(encoder: nn.Module) -> Tuning:
    """Train every bias, those of norms too, and nothing else.

    Ben Zaken, Goldberg and Ravfogel, "BitFit" (2021). Raises RequestError for an encoder without biases.
    """
    names = [name for layer in parameter_layers(encoder, coarse=True) for name in layer if name.endswith("bias")]
    if not names:
        raise RequestError("strategy bitfit: this encoder has no biases. Use last_blocks, lora or full instead.")
    return tuned(encoder, "bitfit", names)
