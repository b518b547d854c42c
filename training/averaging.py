"""A running mean of the weights, kept beside a fit: of every step (EMA) or of the ends of epochs (SWA).

EMA: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992), with the correction of Kingma
and Ba, "Adam" (2015), so that the mean of a young fit is not held back by where it began. SWA: Izmailov et al.,
"Averaging Weights Leads to Wider Optima and Better Generalization" (2018).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


class Mean(Protocol):
    """Which weights count, and by how much."""

    def step_share(self, count: int) -> float | None:
        """The newest weights' share of the mean of `count` steps; None where steps do not count."""

    def epoch_share(self, epoch: int) -> float | None:
        """The same for the end of an epoch, numbered from 0."""

    def held_rate(self, epoch: int) -> float:
        """The least that is left of the learning rate in this epoch, 0..1."""


@dataclass(frozen=True)
class Ema:
    """Every step counts; one further back counts less by `decay`, in 0..1. The first step is the mean itself."""

    decay: float

    def step_share(self, count: int) -> float:
        """`(1 - decay) / (1 - decay ** count)`: Adam's correction as a share."""
        return (1.0 - self.decay) / (1.0 - self.decay**count)

    def epoch_share(self, epoch: int) -> None:  # noqa: ARG002
        """Ends of epochs do not count once more."""
        return

    def held_rate(self, epoch: int) -> float:  # noqa: ARG002
        """The learning rate is left alone."""
        return 0.0


@dataclass(frozen=True)
class Swa:
    """The ends of the epochs from `start` on, from 0, count alike; `rate` of the learning rate is kept from then on."""

    start: int
    rate: float = 0.0

    def step_share(self, count: int) -> None:  # noqa: ARG002
        """Steps do not count."""
        return

    def epoch_share(self, epoch: int) -> float | None:
        """One of as many as there are so far."""
        return None if epoch < self.start else 1.0 / (epoch - self.start + 1)

    def held_rate(self, epoch: int) -> float:
        """Without it a falling rate leaves nothing to average over."""
        return 0.0 if epoch < self.start else self.rate


class RunningAverage:
    """The mean of a model's trained weights so far. `weights` and `count` are all its state, for checkpoints."""

    def __init__(self, *, mean: Mean, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.mean = mean
        self.count = 0
        self.weights: dict[str, Tensor] = {}
        self._model = model
        moved = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        self._trained = {name: one for name, one in model.named_parameters() if id(one) in moved}

    def after_step(self) -> None:
        """Let a step count."""
        self.count += 1
        self._count(self.mean.step_share(self.count))

    def after_epoch(self, epoch: int) -> None:
        """Let the end of an epoch count."""
        self._count(self.mean.epoch_share(epoch))

    def load(self, weights: Mapping[str, Tensor], *, count: int) -> None:
        """Take up the state of a checkpoint."""
        self.count = count
        self.weights = {name: tensor.to(self._trained[name].device) for name, tensor in weights.items()}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model has the mean weights, where there are any; afterwards it is as it was."""
        before = {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}
        try:
            for name, tensor in self.weights.items():
                self._trained[name].data.copy_(tensor)
            yield
        finally:
            self._model.load_state_dict(before)

    @torch.no_grad()
    def _count(self, share: float | None) -> None:
        if share is None:
            return
        for name, parameter in self._trained.items():
            if name in self.weights:
                self.weights[name].lerp_(parameter.detach(), share)
            else:
                self.weights[name] = parameter.detach().clone()
