"""An encoder in torch on a GPU, called like an exported graph."""

import numpy as np
import torch
from torch import nn

from modalities.encoders.embeddings import Embeddings
from modalities.preparation.protocol import Arrays


class DeviceEncoder:
    """Arrays of a preparation to the pooled embedding [batch, dim], float32, in full precision."""

    batch_size = 128

    def __init__(self, encoder: nn.Module, *, digest: str, device: torch.device) -> None:
        self.digest = digest
        self.dim = int(encoder.dim)  # type: ignore[arg-type]
        self._encoder = encoder.to(device).eval()
        self._device = device

    def __call__(self, arrays: Arrays) -> np.ndarray:
        """The pooled embedding of a batch."""
        return on_cpu(self._embeddings(arrays).pooled)

    def named(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Everything that the encoder gives of a batch, by the names of an exported graph's outputs."""
        return {name: on_cpu(tensor) for name, tensor in self._embeddings(arrays).named().items()}

    def _embeddings(self, arrays: Arrays) -> Embeddings:
        read = {name: torch.from_numpy(arrays[name]).to(self._device) for name in self._encoder.reads}  # type: ignore[union-attr]
        with torch.inference_mode():
            given: Embeddings = self._encoder(**read)
        return given


def on_cpu(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as float32 in the machine's own memory."""
    return np.asarray(tensor.float().cpu().numpy())
