"""Two answers of one model to the same rows, with other units dropped, held together.

Liang et al., "R-Drop: Regularized Dropout for Neural Networks" (2021). Without dropout the two are the same.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.adversarial import LossOfOutputs
from training.model import ApplicationModel, Batch


@dataclass(frozen=True)
class Consistency:
    """The loss is the mean of both passes' own, and `weight` times how far their probabilities are apart.

    `tasks` are those whose `logits` [batch, labels] are compared: True where labels exclude each other.
    """

    weight: float
    tasks: Mapping[str, bool]

    def loss(
        self,
        model: ApplicationModel,
        batch: Batch,
        loss_of: LossOfOutputs,
        *,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Tensor:
        """The loss of a batch over two passes."""
        with autocast():
            first, second = model(batch), model(batch)
        apart = [
            divergence(first[task]["logits"].float(), second[task]["logits"].float(), exclusive=exclusive)
            for task, exclusive in self.tasks.items()
            if task in first
        ]
        own = 0.5 * (loss_of(first) + loss_of(second))
        return own + self.weight * torch.stack(apart).sum() if apart else own


def divergence(first: Tensor, second: Tensor, *, exclusive: bool) -> Tensor:
    """Mean over the rows of the mean of both Kullback-Leibler divergences, from logits [batch, labels].

    Labels that do not exclude each other are pairs of probabilities; their divergences are summed up.
    """
    one, other = (log_probabilities(logits, exclusive=exclusive) for logits in (first, second))
    # sum p (log p - log q) + sum q (log q - log p), without a logarithm of zero.
    both = ((one.exp() - other.exp()) * (one - other)).flatten(1).sum(1)
    return 0.5 * both.mean()


def log_probabilities(logits: Tensor, *, exclusive: bool) -> Tensor:
    """Of each label [batch, labels], or of each label and of its absence [batch, labels, 2]."""
    if exclusive:
        return functional.log_softmax(logits, dim=1)
    return torch.stack([functional.logsigmoid(logits), functional.logsigmoid(-logits)], dim=2)
