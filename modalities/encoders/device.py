"""An encoder in torch on a GPU, called like an exported graph."""

import numpy as np
import torch
from torch import nn

from modalities.preparation.protocol import Arrays


class DeviceEncoder:
    """Arrays of a preparation to the pooled embedding [batch, dim], float32, in full precision."""

    def __init__(self, encoder: nn.Module, *, digest: str, device: torch.device) -> None:
        self.digest = digest
        self.dim = int(encoder.dim)  # type: ignore[arg-type]
        self._encoder = encoder.to(device).eval()
        self._device = device

    def __call__(self, arrays: Arrays) -> np.ndarray:
        """The pooled embedding of a batch."""
        with torch.inference_mode():
            pooled = self._encoder(*(torch.from_numpy(array).to(self._device) for array in arrays.values())).pooled
        return np.asarray(pooled.float().cpu().numpy())
