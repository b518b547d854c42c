"""What the fitting loop fits to."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from heads.decoder import Decoder, Truth, rows_of


@dataclass(frozen=True)
class Target:
    """One task's truth over all rows, its decoder, and its share of the loss.

    `set` is the number of the data set whose rows have a truth, where there are several.
    """

    truth: Truth
    decoder: Decoder
    loss_weight: float | Literal["learned"] = 1.0
    set: int = 0

    def tensors(self, rows: np.ndarray, *, device: torch.device) -> dict[str, Tensor]:
        """The truth of some rows on the device."""
        return {name: torch.from_numpy(array).to(device) for name, array in rows_of(self.truth, rows).items()}
