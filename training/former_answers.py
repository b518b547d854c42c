"""A model that learns new rows and is held to what the model before said of them.

Li and Hoiem, "Learning without Forgetting" (2016). There each step has outputs of its own and is told which to use;
here all labels so far compete, as nobody says at answering time which step a row belongs to.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.further_loss import TaskOutputs

# Li and Hoiem's own.
TEMPERATURE = 2.0


class FormerAnswers:
    """A `FurtherLoss`: weight x the divergence from the former model's answers among the labels that it knew.

    `logits` [all rows, former labels] are the former model's, `places` these labels' numbers in the new one. Both sides
    are softened by the temperature, and the loss is multiplied by its square, so that its gradient keeps its size
    (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
    """

    def __init__(
        self, *, task: str, logits: np.ndarray, places: Sequence[int], weight: float, temperature: float = TEMPERATURE
    ) -> None:
        self._task = task
        self._logits = torch.from_numpy(logits)
        self._places = torch.tensor(places)
        self._weight = weight
        self._temperature = temperature

    def __call__(self, outputs: TaskOutputs, rows: np.ndarray) -> Tensor:
        """The mean divergence over these rows."""
        given = outputs[self._task]["logits"].float()
        now = given[:, self._places.to(given.device)]
        before = self._logits[torch.from_numpy(rows)].to(given.device)
        divergence = functional.kl_div(
            (now / self._temperature).log_softmax(dim=1),
            (before / self._temperature).log_softmax(dim=1),
            reduction="batchmean",
            log_target=True,
        )
        return self._weight * self._temperature**2 * divergence
