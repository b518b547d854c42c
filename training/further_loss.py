"""What a fit may be held to beside its tasks' own losses."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from torch import Tensor

TaskOutputs = Mapping[str, Mapping[str, Tensor]]
"""Each task's outputs by name, the first axis is the rows."""


class FurtherLoss(Protocol):
    """A loss beside those of the tasks; it is trained on, and left out of what validation rows are scored by."""

    def __call__(self, outputs: TaskOutputs, rows: np.ndarray) -> Tensor:
        """One number, which is added to the mean loss of these rows."""
