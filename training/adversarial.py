"""Adversarial training: a share of the loss is that of inputs moved to where the loss is highest.

The loss is `(1 - weight) x clean + weight x moved`, as in Goodfellow, Shlens and Szegedy (2015); `weight: 1` is that of
Madry et al. (2018), moved inputs alone. FreeLB takes the mean loss of all its steps in the place of that of the last.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.attack import Attack, LossAt, Place, crafted, statistics_held
from training.model import ApplicationModel, Batch

LossOfOutputs = Callable[[dict[str, dict[str, Tensor]]], Tensor]


@dataclass(frozen=True)
class Adversary:
    """Attacks one modality in training; `weight`, above 0 and at most 1, is the attacked inputs' share of the loss."""

    attack: Attack
    place: Place
    weight: float = 0.5

    def losses(
        self,
        model: ApplicationModel,
        batch: Batch,
        loss_of: LossOfOutputs,
        *,
        random: np.random.Generator,
        scale: Callable[[Tensor], Tensor] = lambda loss: loss,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Iterator[Tensor]:
        """Losses whose gradients sum up to the step's; each is to be passed backward before the next is asked for.

        A batch without the modality has its plain loss. All passes drop the same units (Zhu et al., section 3.3).
        """
        seed = torch.initial_seed()

        def loss_at(shift: Tensor) -> Tensor:
            torch.manual_seed(seed)
            with autocast():
                outputs = self.place.answer(model, batch, shift)
            return loss_of(outputs)

        if self.place.name not in batch.arrays:
            with autocast():
                outputs = model(batch)
            yield loss_of(outputs)
            return
        clean = self.place.zeros(batch).requires_grad_()
        if self.weight < 1.0:
            yield loss_at(clean) * (1.0 - self.weight)
        if self.attack.kind == "freelb":
            yield from self._climb(batch, loss_at, random=random)
            return
        with statistics_held(model):
            shift = crafted(self.attack, self.place, batch, loss_at, random=random, scale=scale, known=clean.grad)
        yield loss_at(shift) * self.weight

    def _climb(self, batch: Batch, loss_at: LossAt, *, random: np.random.Generator) -> Iterator[Tensor]:
        """A share of the loss at each step; the backward pass of one gives the direction of the next."""
        shift = self.place.somewhere(batch, self.attack.epsilon, random=random)
        for _ in range(self.attack.steps):
            leaf = shift.detach().requires_grad_()
            yield loss_at(leaf) * (self.weight / self.attack.steps)
            gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            shift = self.place.moved(batch, leaf, gradient, step=self.attack.step, epsilon=self.attack.epsilon)
