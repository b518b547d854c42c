"""Small changes of an input that raise the loss most: how they are found, for training and for measuring alike.

FGSM: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples" (2015). FGM: Miyato, Dai and
Goodfellow, "Adversarial Training Methods for Semi-Supervised Text Classification" (2017). PGD: Madry et al., "Towards
Deep Learning Models Resistant to Adversarial Attacks" (2018). FreeLB: Zhu et al., "FreeLB: Enhanced Adversarial
Training for Natural Language Understanding" (2020).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from training.model import ApplicationModel, Batch

AttackKind = Literal["fgm", "fgsm", "pgd", "freelb"]
LossAt = Callable[[Tensor], Tensor]
# Madry's own code: the steps together could cross the ball one and a quarter times.
REACH = 2.5


@dataclass(frozen=True)
class Attack:
    """How far an input may be moved, and in how many steps of which size.

    `epsilon` is the largest change: of a text the length of all its tokens' changes together, of a picture that of
    any pixel in units of 0..1. `fgm` and `fgsm` take one step of that size. `step_size` None is 2.5 epsilon / steps.
    """

    kind: AttackKind
    epsilon: float
    steps: int = 3
    step_size: float | None = None

    @property
    def is_one_step(self) -> bool:
        """Whether a single step from the input itself is all."""
        return self.kind in {"fgm", "fgsm"}

    @property
    def step(self) -> float:
        """The size of a step."""
        if self.is_one_step:
            return self.epsilon
        return REACH * self.epsilon / self.steps if self.step_size is None else self.step_size


class Place(Protocol):
    """Where a modality's input is moved, and what a move of a given size is there."""

    name: str

    def zeros(self, batch: Batch) -> Tensor:
        """No change, of the shape of a change of the batch's present rows."""

    def somewhere(self, batch: Batch, epsilon: float, *, random: np.random.Generator) -> Tensor:
        """A random allowed change."""

    def moved(self, batch: Batch, shift: Tensor, gradient: Tensor, *, step: float, epsilon: float) -> Tensor:
        """The change after a step up the gradient, brought back to what is allowed."""

    def answer(self, model: ApplicationModel, batch: Batch, shift: Tensor) -> dict[str, dict[str, Tensor]]:
        """The model's outputs for the changed batch."""


def crafted(
    attack: Attack,
    place: Place,
    batch: Batch,
    loss_at: LossAt,
    *,
    random: np.random.Generator,
    scale: Callable[[Tensor], Tensor] = lambda loss: loss,
    known: Tensor | None = None,
) -> Tensor:
    """A change that raises the loss, without a gradient of its own; the model's gradients are left alone.

    Args:
        random: draws where `pgd` and `freelb` start.
        scale: makes a loss large enough for the gradients of fp16; only their direction counts here.
        known: the gradient at no change, where it has been computed already.
    """
    if attack.is_one_step:
        start = place.zeros(batch)
        gradient = slope(loss_at, start, scale) if known is None else known
        return place.moved(batch, start, gradient, step=attack.step, epsilon=attack.epsilon)
    shift = place.somewhere(batch, attack.epsilon, random=random)
    for _ in range(attack.steps):
        gradient = slope(loss_at, shift, scale)
        shift = place.moved(batch, shift, gradient, step=attack.step, epsilon=attack.epsilon)
    return shift


def slope(loss_at: LossAt, shift: Tensor, scale: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient of the loss by the change; zero where the loss does not depend on it."""
    leaf = shift.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(scale(loss_at(leaf)), leaf, allow_unused=True, materialize_grads=True)
    return gradient


@contextmanager
def statistics_held(model: nn.Module) -> Iterator[None]:
    """Batch norms in training mode normalise by the batch, but their running statistics do not move."""
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
    try:
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
