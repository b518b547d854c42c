"""Pretraining: an encoder learns before any head does, resumable at any step to the same result."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from polyloom.errors import DataError
from polyloom.progress import SILENT, Bar, Progress
from training.batches import epoch_batches, ordered_batches
from training.checkpoint import load_checkpoint, save_checkpoint
from training.device import Placement, on_device
from training.pretraining_objectives import Objective
from training.schedule import rate_factor

HELD_OUT_SEED = 1


@dataclass(frozen=True)
class PretrainResult:
    """The course of a pretraining: each epoch's mean loss over the rows it learned from and over held-out ones."""

    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    resumed_at_step: int


@dataclass
class Place:
    """Where a pretraining stands; all of it goes into each checkpoint."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    losses: list[float] = field(default_factory=list)
    held_out_losses: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 0, with the lowest held-out loss; -1 before there is one."""
        known = [loss if np.isfinite(loss) else np.inf for loss in self.held_out_losses]
        return int(np.argmin(known)) if known else -1


class Pretraining:
    """Fits an objective over `rows`; held-out rows are only looked at, always behind the same masks.

    With a `patience`, so many epochs without a lower held-out loss end it, and the best epoch's weights are kept.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        rows: np.ndarray,
        held_out: np.ndarray,
        folder: Path,
        placement: Placement,
        epochs: int,
        seed: int,
        batch_size: int,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        patience: int = 0,
        checkpoint_seconds: float = 20.0,
        name: str = "pretrain",
        progress: Progress = SILENT,
        on_epoch: Callable[[int, float, float], None] | None = None,
    ) -> None:
        self.objective = objective
        self.module = objective.module.to(placement.device)
        self.rows = rows
        self.held_out = held_out
        self.folder = folder
        self.placement = placement
        self.epochs = epochs
        self.seed = seed
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.patience = patience if len(held_out) else 0
        self.checkpoint_seconds = checkpoint_seconds
        self.name = name
        self.progress = progress
        self.on_epoch = on_epoch
        self.costs = objective.lengths()
        self.optimizer = torch.optim.AdamW(decay_groups(self.module, weight_decay), lr=learning_rate)
        self.scaler = placement.scaler()
        self.place = Place()
        self.best: dict[str, torch.Tensor] = {}
        self._saved_at = time.monotonic()

    def run(self) -> PretrainResult:
        """Pretrain to the end, from the newest checkpoint where there is one."""
        found = load_checkpoint(self.folder, model=self.module, optimizer=self.optimizer, scaler=self.scaler)
        if found is not None:
            self.place, self.best = Place(**found[0]), found[1]
            self.progress.log(f"{self.name} goes on at epoch {self.place.epoch + 1}, step {self.place.step}")
        resumed, here = self.place.step, self.place
        with self.progress.stage(self.name, total=self.epochs * len(self.rows), unit="rows") as bar:
            bar.advance(here.epoch * len(self.rows) + here.loss_rows)
            while here.epoch < self.epochs and not self._exhausted():
                self._epoch(bar)
        if self.best:
            self.module.load_state_dict(self.best)
        self.module.eval()
        return PretrainResult(
            losses=tuple(here.losses), held_out_losses=tuple(here.held_out_losses), resumed_at_step=resumed
        )

    def _exhausted(self) -> bool:
        here = self.place
        return bool(self.patience) and here.epoch - 1 - here.best_epoch >= self.patience and here.epoch > 0

    def _epoch(self, bar: Bar) -> None:
        here = self.place
        batches = epoch_batches(
            self.rows, batch_size=self.batch_size, seed=self.seed, epoch=here.epoch, costs=self.costs
        )
        self.module.train()
        for rows in batches[here.batch :]:
            self._step(rows, total=self.epochs * len(batches))
            bar.advance(len(rows))
            if time.monotonic() - self._saved_at >= self.checkpoint_seconds:
                self._checkpoint()
        loss, held_out = here.loss_sum / max(here.loss_rows, 1), self._held_out_loss()
        here.losses.append(loss)
        here.held_out_losses.append(held_out)
        if self.patience and here.best_epoch == here.epoch:
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.module.state_dict().items()}
        here.epoch, here.batch, here.loss_sum, here.loss_rows = here.epoch + 1, 0, 0.0, 0
        bar.say(f"epoch {here.epoch}: loss {loss:.3f}, held out {held_out:.3f}")
        if self.on_epoch is not None:
            self.on_epoch(here.epoch, loss, held_out)
        if time.monotonic() - self._saved_at >= self.checkpoint_seconds / 4:
            self._checkpoint()

    def _step(self, rows: np.ndarray, *, total: int) -> None:
        here = self.place
        factor = rate_factor(here.step, total=total, warmup=self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        loss = self._loss(rows, np.random.default_rng([self.seed, here.epoch, here.batch]), augment=True)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise DataError(
                f"the loss of {self.name} is {value} at epoch {here.epoch + 1}, step {here.step}: "
                "lower its learning_rate."
            )
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        here.loss_sum += value * len(rows)
        here.loss_rows += len(rows)
        here.batch += 1
        here.step += 1

    def _loss(self, rows: np.ndarray, random: np.random.Generator, *, augment: bool) -> torch.Tensor:
        arrays = self.objective.batch(rows, random=random, augment=augment)
        tensors = {name: on_device(array, self.placement.device) for name, array in arrays.items()}
        with self.placement.autocast():
            return self.objective.loss(tensors)

    def _held_out_loss(self) -> float:
        """Mean loss over the held-out rows; NaN where there are none."""
        self.module.eval()
        random = np.random.default_rng(HELD_OUT_SEED)
        total = 0.0
        with torch.inference_mode():
            for rows in ordered_batches(self.held_out, batch_size=self.batch_size, costs=self.costs):
                total += float(self._loss(rows, random, augment=False)) * len(rows)
        return total / len(self.held_out) if len(self.held_out) else float("nan")

    def _checkpoint(self) -> None:
        save_checkpoint(
            self.folder,
            number=self.place.step + self.place.epoch,
            model=self.module,
            optimizer=self.optimizer,
            scaler=self.scaler,
            best=self.best,
            position=vars(self.place),
        )
        self._saved_at = time.monotonic()


def decay_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """AdamW's groups: matrices and filters decay, biases and norms do not."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
