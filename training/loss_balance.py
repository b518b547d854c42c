"""Each task's share of the loss: given, or learned as the task's own uncertainty."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class LossBalance(nn.Module):
    """The weighted sum of the tasks' losses.

    A learned share is `exp(-s) loss + s / 2`, s the task's logarithmic variance, learned with the rest: a task that is
    hard to fit counts less (Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", 2018).
    """

    def __init__(self, learned: Sequence[str] = ()) -> None:
        super().__init__()
        self.learned = tuple(learned)
        self.log_variances = nn.Parameter(torch.zeros(len(self.learned))) if self.learned else None

    def forward(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
        """One number; `weights` holds the shares that are given."""
        return torch.stack([self._weighted(name, loss, weights) for name, loss in losses.items()]).sum()

    def shares(self) -> dict[str, float]:
        """The learned shares as they stand."""
        if self.log_variances is None:
            return {}
        factors = torch.exp(-self.log_variances.detach()).tolist()
        return dict(zip(self.learned, factors, strict=True))

    def _weighted(self, name: str, loss: Tensor, weights: Mapping[str, float]) -> Tensor:
        if self.log_variances is None or name not in self.learned:
            return loss * weights[name]
        log_variance = self.log_variances[self.learned.index(name)]
        return torch.exp(-log_variance) * loss + 0.5 * log_variance
