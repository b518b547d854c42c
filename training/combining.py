"""What is made of a fit's weights once it has ended, chosen on the validation rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Judged:
    """Weights, batch norms' statistics with them, and what they reach on the validation rows."""

    weights: Weights
    metric: float
    loss: float


@dataclass(frozen=True)
class Combined:
    """The weights that were chosen, and how they are told of."""

    judged: Judged
    told: dict[str, Any]


Judge = Callable[[Mapping[str, Tensor]], Judged]


class Combination(Protocol):
    """Makes the model of more than one state of the weights."""

    def begin(self, model: nn.Module) -> None:
        """Look at the weights before the first step."""

    def after_epoch(self, model: nn.Module, epoch: int, *, leads: bool) -> None:
        """Look at the weights at the end of an epoch, numbered from 0; one process of a team `leads`."""

    def combined(self, best: Judged, metrics: list[tuple[float, float]], judge: Judge) -> Combined:
        """Choose. `best` is the best epoch's; `metrics` are each epoch's metric and, the lower the better, its loss."""


def copied(model: nn.Module) -> Weights:
    """All of a model's weights and statistics, as they are now, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
